// Release checks what a release of the modules would be, before there is one:
// it makes a module proxy out of the tree, in which each module has the given
// version and no replacement, installs the program from it, and compiles a host
// program against the library and its adapters. Then it compiles the program for each
// platform of .goreleaser.yaml, or for those that are named. Neither finds anything of ours
// in a module cache; other modules come from where they always do.
//
//	go run ./test/release v0.1.0
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

const root = "github.com/farwire/farwire"

// released are the folders of the modules that others require or install.
var released = []string{".", "adapters", "cmd"}

//go:embed testdata/host.go.txt
var host []byte

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	if len(os.Args) < 2 || !semver.IsValid(os.Args[1]) {
		log.Fatal("usage: go run ./test/release VERSION [PLATFORM...], as v0.1.0 windows/arm64")
	}
	if err := check(os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

// check makes the proxy, installs the program, compiles the host, and compiles the
// program for these platforms; none: for all.
func check(version string, platforms []string) (err error) {
	dir, err := os.MkdirTemp("", "farwire-release-")
	if err != nil {
		return err
	}
	r := &release{version: version, dir: dir}
	if r.env, err = r.environment(); err != nil {
		return err
	}
	defer func() {
		_, cleaned := r.run(dir, "go", "clean", "-modcache") // its files are read-only
		err = errors.Join(err, cleaned, os.RemoveAll(dir))
	}()
	if err := r.copyTree(); err != nil {
		return err
	}
	for _, folder := range released {
		if err := r.publish(folder); err != nil {
			return fmt.Errorf("module %s: %w", folder, err)
		}
	}
	if err := r.install(); err != nil {
		return err
	}
	if err := r.compileHost(); err != nil {
		return err
	}
	return r.crossCompile(platforms)
}

// A release is the modules of the tree under one version.
type release struct {
	version string
	dir     string   // holds the tree, the proxy, the module cache and what is built
	env     []string // of the go commands
}

func (r *release) path(elements ...string) string {
	return filepath.Join(append([]string{r.dir}, elements...)...)
}

// environment has go find our modules in the new proxy alone, and the others in
// the user's cache or where the user's proxy has them.
func (r *release) environment() ([]string, error) {
	known, err := exec.Command("go", "env", "-json", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	var user struct{ GOMODCACHE, GOPROXY string }
	if err := json.Unmarshal(known, &user); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	return append(os.Environ(),
		"GOWORK=off", "GONOSUMDB="+root,
		"GOFLAGS=-mod=mod -trimpath", "CGO_ENABLED=0", // what the image is built with, for the build cache to know it
		"GOMODCACHE="+r.path("cache"), "GOBIN="+r.path("bin"),
		"GOPROXY=file://"+filepath.ToSlash(r.path("proxy"))+",file://"+filepath.ToSlash(filepath.Join(user.GOMODCACHE, "cache", "download"))+","+user.GOPROXY,
	), nil
}

// run runs a command and returns what it prints.
func (r *release) run(dir, name string, args ...string) (string, error) {
	return runIn(dir, r.env, name, args...)
}

func runIn(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out), err
}

// copyTree copies the files that git knows, and those that it does not ignore.
func (r *release) copyTree() error {
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return fmt.Errorf("git rev-parse: %w", err)
	}
	from := strings.TrimSpace(string(top))
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = from
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return err
		}
		if err := write(r.path("tree", name), b); err != nil {
			return err
		}
	}
	return nil
}

func write(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}

// publish puts the module of a folder into the proxy.
func (r *release) publish(folder string) error {
	file := r.path("tree", folder, "go.mod")
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(file, b, nil)
	if err != nil {
		return err
	}
	if err := r.pin(mod); err != nil {
		return err
	}
	if b, err = mod.Format(); err != nil {
		return err
	}
	if err := write(file, b); err != nil {
		return err
	}
	m := module.Version{Path: mod.Module.Mod.Path, Version: r.version}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, m, filepath.Dir(file)); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": r.version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		r.version + ".info": info, r.version + ".mod": b, r.version + ".zip": archive.Bytes(), "list": []byte(r.version + "\n"),
	} {
		if err := write(r.path("proxy", m.Path, "@v", name), content); err != nil {
			return err
		}
	}
	return nil
}

// pin replaces the replacements of our modules with their version. There may
// be no other: whoever requires a module ignores them.
func (r *release) pin(mod *modfile.File) error {
	for _, replaced := range slices.Clone(mod.Replace) {
		if !ours(replaced.Old.Path) {
			return fmt.Errorf("go.mod replaces %s, which nobody else would see", replaced.Old.Path)
		}
		if err := mod.DropReplace(replaced.Old.Path, replaced.Old.Version); err != nil {
			return err
		}
	}
	for _, required := range mod.Require {
		if !ours(required.Mod.Path) {
			continue
		}
		if !slices.Contains(released, folderOf(required.Mod.Path)) {
			return fmt.Errorf("go.mod requires %s, which is not released", required.Mod.Path)
		}
		if err := mod.AddRequire(required.Mod.Path, r.version); err != nil {
			return err
		}
	}
	mod.Cleanup()
	return nil
}

func ours(path string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// folderOf returns the folder of one of our modules.
func folderOf(path string) string {
	if path == root {
		return "."
	}
	return strings.TrimPrefix(path, root+"/")
}

// install installs the program as the README says, and asks for its version.
func (r *release) install() error {
	if _, err := r.run(r.dir, "go", "install", root+"/cmd/farwire@"+r.version); err != nil {
		return err
	}
	said, err := r.run(r.dir, r.path("bin", "farwire"), "version")
	if err != nil {
		return err
	}
	if !strings.Contains(said, r.version) {
		return fmt.Errorf("the program of %s calls itself %q", r.version, said)
	}
	log.Printf("go install %s/cmd/farwire@%s: %s", root, r.version, strings.TrimSpace(said))
	return nil
}

// compileHost compiles a program of another module against the library and its
// adapters.
func (r *release) compileHost() error {
	dir := r.path("host")
	if err := write(filepath.Join(dir, "main.go"), host); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "host.example"},
		{"get", root + "@" + r.version, root + "/adapters@" + r.version},
		{"mod", "tidy"},
		{"vet", "."},
		{"build", "-o", r.path("bin", "host"), "."},
	} {
		if _, err := r.run(dir, "go", args...); err != nil {
			return err
		}
	}
	log.Printf("a host of %s and %s/adapters %s compiles", root, root, r.version)
	return nil
}
