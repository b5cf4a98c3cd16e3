package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	folder, err := NPMFolder()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// NPMFolder is NPM for a program that is no test.
func NPMFolder() (string, error) {
	tree, err := Tree()
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(tree, "test/e2e/npm/package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	folder := filepath.Join(cache, "farwire", "npm-"+hex.EncodeToString(sum[:])[:12])
	if _, err := os.Stat(filepath.Join(folder, "complete")); err != nil {
		return "", fmt.Errorf("the npm packages are not installed; scripts/deps does that: %w", err)
	}
	return filepath.Join(folder, "node_modules"), nil
}
