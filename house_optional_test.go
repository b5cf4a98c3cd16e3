package farwire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// What a host's value may be beside the interface that is asked of it has a name, by
// which a host finds it and the compiler can hold it to it.
func TestOptionalInterfaces_OfThePublicPackages_HaveExportedNames(t *testing.T) {
	for _, folder := range []string{".", "agent", "llmstxt"} {
		files := parsedFiles(t, folder)
		interfaces := map[string]bool{}
		for _, f := range files {
			eachInterface(f, func(spec *ast.TypeSpec, _ *ast.InterfaceType, _ string) { interfaces[spec.Name.Name] = true })
		}
		if folder == "." && !interfaces["Authenticator"] {
			t.Fatal("found no Authenticator: the rule would hold for nothing")
		}
		for name, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				assertion, ok := n.(*ast.TypeAssertExpr)
				if !ok {
					return true
				}
				switch asked := assertion.Type.(type) {
				case *ast.InterfaceType:
					t.Errorf("%s asks a value for an interface that has no name", name)
				case *ast.Ident:
					if interfaces[asked.Name] && !asked.IsExported() {
						t.Errorf("%s asks a value for %s, which is not exported", name, asked.Name)
					}
				}
				return true
			})
		}
	}
}

func TestOptionalInterfaces_OfARootInterface_AreNamedInItsDocumentation(t *testing.T) {
	docs, extends := map[string]string{}, map[string]string{}
	for _, f := range parsedFiles(t, ".") {
		eachInterface(f, func(spec *ast.TypeSpec, kind *ast.InterfaceType, doc string) {
			if !spec.Name.IsExported() {
				return
			}
			docs[spec.Name.Name] = doc
			for _, m := range kind.Methods.List {
				if embedded, ok := m.Type.(*ast.Ident); ok && len(m.Names) == 0 && embedded.IsExported() {
					extends[spec.Name.Name] = embedded.Name
				}
			}
		})
	}
	if extends["KeyLookuper"] != "Authenticator" || extends["PartSizer"] != "Enhancer" {
		t.Fatalf("found %v: the rule would hold for nothing", extends)
	}
	for name, of := range extends {
		if !strings.Contains(docs[of], "["+name+"]") {
			t.Errorf("the documentation of %s does not name [%s]", of, name)
		}
	}
}

// parsedFiles returns the files of a package, without its tests.
func parsedFiles(t *testing.T, folder string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*ast.File)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// eachInterface calls f for each interface that a file declares.
func eachInterface(file *ast.File, f func(spec *ast.TypeSpec, kind *ast.InterfaceType, doc string)) {
	for _, d := range file.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range group.Specs {
			spec, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			if kind, ok := spec.Type.(*ast.InterfaceType); ok {
				f(spec, kind, spec.Doc.Text()+group.Doc.Text())
			}
		}
	}
}
