package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
