package console

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// The modules that touch no page are tried without one, by Node's test runner.
func TestModules_UnderNode_Pass(t *testing.T) {
	t.Parallel()
	// Browsers want names in .js; to Node those are modules by a word beside them.
	assets := t.TempDir()
	if err := os.CopyFS(assets, os.DirFS("../../../console/page/assets")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(assets, "package.json"), []byte(`{"type": "module"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("units/*.test.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("found %v, %v", scripts, err)
	}
	cmd := exec.Command(harness.Look(t, "node"), append([]string{"--test"}, scripts...)...)
	cmd.Env = harness.Environ("ASSETS=" + assets)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
