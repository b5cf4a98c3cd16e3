package farwire_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A block without its language is shown without colours, and one that is
// indented cannot name it.
func TestDocs_CodeBlocksOfEachPage_NameTheirLanguage(t *testing.T) {
	pages, blocks := 0, 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		pages++
		inside, before := false, ""
		for number, line := range strings.Split(string(text), "\n") {
			language, fence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
			switch {
			case fence && inside:
				inside = false
			case fence:
				blocks, inside = blocks+1, true
				if language == "" {
					t.Errorf("%s:%d: the block has no language", name, number+1)
				}
			case !inside && before == "" && strings.HasPrefix(line, "    "):
				t.Errorf("%s:%d: the block is indented, not fenced", name, number+1)
			}
			before = line
		}
		if inside {
			t.Errorf("%s: the last block is left open", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 15 || blocks < 50 {
		t.Fatalf("read only %d blocks on %d pages", blocks, pages)
	}
}
