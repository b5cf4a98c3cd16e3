package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const tree = "../.."

// The release file makes what an operator looks for, of files that are there.
func TestReleaseFile_FilesNamed_Exist(t *testing.T) {
	f, err := readReleaseFile(tree + "/.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if missing := f.missing(tree); len(missing) > 0 {
		t.Errorf("it names %q, which are not there", missing)
	}
	if f.Version != 2 || len(f.Builds) != 1 || len(f.Nfpms) != 1 || len(f.Sboms) == 0 || f.Checksum.Algorithm != "sha256" {
		t.Fatalf("it says %+v", f)
	}
	b := f.Builds[0]
	if !slices.Equal(b.Goos, []string{"linux", "darwin", "windows"}) || !slices.Equal(b.Goarch, []string{"amd64", "arm64"}) {
		t.Errorf("it builds for %q on %q", b.Goos, b.Goarch)
	}
	if !slices.Equal(f.Nfpms[0].Formats, []string{"deb", "rpm"}) {
		t.Errorf("its packages are %q", f.Nfpms[0].Formats)
	}
	for _, c := range f.Nfpms[0].Contents {
		if secret := strings.HasSuffix(c.Dst, ".env"); secret && (c.FileInfo.Mode != 0o600 || c.Type != "config|noreplace") {
			t.Errorf("%s has the mode %o and the type %q", c.Dst, c.FileInfo.Mode, c.Type)
		}
		// The units run the program where the package has it.
		if !strings.HasSuffix(c.Src, ".service") {
			continue
		}
		unit, err := os.ReadFile(tree + "/" + c.Src)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(unit), "\nExecStart="+f.Nfpms[0].Bindir+"/"+b.Binary+" ") {
			t.Errorf("%s does not run %s/%s", c.Src, f.Nfpms[0].Bindir, b.Binary)
		}
	}
	// What the linker is to set is there to be set.
	version, err := os.ReadFile(tree + "/cmd/farwire/version.go")
	if err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`-X main\.(\w+)=`).FindAllStringSubmatch(strings.Join(b.Ldflags, " "), -1)
	if len(set) != 2 {
		t.Errorf("the linker sets %q", set)
	}
	for _, m := range set {
		if !regexp.MustCompile(`(?m)^var .*\b` + m[1] + `\b.* string$`).Match(version) {
			t.Errorf("the program has no variable %s", m[1])
		}
	}
}
