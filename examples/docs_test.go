// Package examples checks that the page about embedding shows the programs as
// they are.
package examples

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the code into the page")

const pageFile = "../docs/embedding.md"

var block = regexp.MustCompile("(?ms)^```go (\\S+) (\\S+)\n(.*?)^```$")

// TestPage_CodeBlocks_AreTheCode compares each block of code with its region. A block
// begins with the file's name and the region's; -update fills the blocks in.
func TestPage_CodeBlocks_AreTheCode(t *testing.T) {
	b, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if strings.Count(page, "```") != 2*len(block.FindAllString(page, -1)) {
		t.Error("a block of code on the page is of no program")
	}
	fresh := block.ReplaceAllStringFunc(page, func(s string) string {
		m := block.FindStringSubmatch(s)
		code := region(t, m[1], m[2])
		if code != m[3] && !*update {
			t.Errorf("%s %s is not on the page as it is; run this test with -update", m[1], m[2])
		}
		return "```go " + m[1] + " " + m[2] + "\n" + code + "```"
	})
	if *update {
		if err := os.WriteFile(pageFile, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// region returns the lines of a file between "// region NAME" and
// "// endregion".
func region(t *testing.T, file, name string) string {
	t.Helper()
	path := file
	if strings.HasPrefix(file, "host/") {
		path = filepath.Join("internal", file)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\n// region "+name+"\n")
	code, _, ended := strings.Cut(rest, "\n// endregion\n")
	if !ok || !ended {
		t.Fatalf("%s has no region %s", file, name)
	}
	return strings.TrimSpace(code) + "\n"
}
