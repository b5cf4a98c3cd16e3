package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Python returns a command that runs a script with Debian's Python, whose
// packages are Debian's, too.
func Python(t testing.TB, script string, args ...string) *exec.Cmd {
	t.Helper()
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import websockets, requests, httpx, aiohttp").CombinedOutput(); err != nil {
		t.Fatalf("python3 with websockets, requests, httpx and aiohttp is not installed; scripts/deps does that: %v\n%s", err, out)
	}
	cmd := exec.Command(python, append([]string{"-u", script}, args...)...)
	cmd.Env = Environ()
	return cmd
}

// Node returns a command that runs a CommonJS script with the packages of
// test/e2e/npm.
func Node(t testing.TB, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(Look(t, "node"), append([]string{script}, args...)...)
	cmd.Env = Environ("NODE_PATH=" + NPM(t))
	return cmd
}

// Adapted returns a copy of a script in which each string, which must be there
// once, is replaced by another: the address of a test's gateway for the one that
// is printed in the documentation.
func Adapted(t testing.TB, file string, replace map[string]string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for old, now := range replace {
		if n := strings.Count(text, old); n != 1 {
			t.Fatalf("%s holds %q %d times", file, old, n)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	name := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// NPM is the folder of the npm packages, where scripts/deps puts them.
func NPM(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	lock, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../test/e2e/npm/package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	folder := filepath.Join(cache, "farwire", "npm-"+hex.EncodeToString(sum[:])[:12])
	if _, err := os.Stat(filepath.Join(folder, "complete")); err != nil {
		t.Fatalf("the npm packages are not installed; scripts/deps does that: %v", err)
	}
	return filepath.Join(folder, "node_modules")
}
