package farwire_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestContributing_EachFileAndPackage_HasItsPlace holds the table that says where to begin
// to the files of the root and the packages of the two modules.
func TestContributing_EachFileAndPackage_HasItsPlace(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, pattern := range []string{"*.go", "internal/*/", "adapters/*/"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f = filepath.ToSlash(filepath.Clean(f)); !strings.HasSuffix(f, "_test.go") {
				want = append(want, f)
			}
		}
	}
	for _, f := range want {
		if strings.Contains(f, "/") && !hasGoFile(t, f) {
			continue
		}
		if !strings.Contains(string(text), "`"+f+"`") {
			t.Errorf("%s has no place in CONTRIBUTING.md", f)
		}
	}
	for _, row := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(row, "| ") || !strings.Contains(row, ".go`") {
			continue
		}
		for i, name := range strings.Split(row, "`") {
			if i%2 == 0 || strings.Contains(name, " ") {
				continue
			}
			if _, err := os.Stat(path.Clean(name)); err != nil {
				t.Errorf("CONTRIBUTING.md: %v", err)
			}
		}
	}
}

func hasGoFile(t *testing.T, folder string) bool {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	return len(files) > 0
}
