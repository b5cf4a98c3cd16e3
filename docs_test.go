package farwire_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs_EveryExportedName_IsDocumented reads the packages that others import. What is
// grouped may be documented by its group, a field or a constant by a remark.
func TestDocs_EveryExportedName_IsDocumented(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "internal" || name == "cmd" || name == "examples" || name == "test"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		missing := func(n *ast.Ident, docs ...*ast.CommentGroup) {
			if !n.IsExported() {
				return
			}
			seen++
			for _, d := range docs {
				if strings.TrimSpace(d.Text()) != "" {
					return
				}
			}
			t.Errorf("%v: %s has no comment", files.Position(n.Pos()), n.Name)
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil || ast.IsExported(receiver(decl.Recv.List[0].Type)) {
					missing(decl.Name, decl.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						missing(spec.Name, spec.Doc, decl.Doc)
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							missing(n, spec.Doc, spec.Comment, decl.Doc)
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 {
		t.Fatalf("read only %d names", seen)
	}
}

// An example whose output is not compared is compiled and never run. These
// cannot be.
var notRun = map[string]string{
	"adapters/s3: Example": "needs a bucket of Cloudflare's; the package's tests do the same to a server of their own",
}

// TestDocs_EveryExample_IsChecked reads the examples of all modules.
func TestDocs_EveryExample_IsChecked(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sourceFiles(t) {
		if !f.test {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range doc.Examples(file) {
			name := path.Dir(f.name) + ": Example" + e.Name
			seen[name] = true
			checked := e.Output != "" || e.EmptyOutput
			if _, excused := notRun[name]; checked == excused {
				t.Errorf("%s is checked: %v, and is excused: %v", name, checked, excused)
			}
			if e.Doc == "" {
				t.Errorf("%s does not say what it shows", name)
			}
		}
	}
	for name := range notRun {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
	if len(seen) < 20 {
		t.Fatalf("read only %d examples", len(seen))
	}
}

// receiver returns the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
