package farwire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// docs/security.md: keys, agents' secrets, the secrets of webhooks and the admin key are
// compared in constant time, with all that there are.
func TestHouse_Secrets_AreComparedInConstantTime(t *testing.T) {
	for file, name := range map[string]string{
		"keys.go": "Authenticate", "enroll.go": "siteOf", "agent/identity.go": "authenticate", "cmd/farwire/admin_guard.go": "private",
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		compares := false
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != name {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.RangeStmt:
					if constantTime(n) && endsEarly(n.Body) {
						t.Errorf("%s: %s ends its search at the first that fits", file, name)
					}
				case *ast.BinaryExpr:
					if (n.Op == token.EQL || n.Op == token.NEQ) && !isConstant(n.X) && !isConstant(n.Y) {
						t.Errorf("%s: %s compares with %s", file, name, n.Op)
					}
				}
				return true
			})
			compares = constantTime(f.Body)
		}
		if !compares {
			t.Errorf("%s: no function %s compares in constant time", file, name)
		}
	}
}

// constantTime reports whether a piece of code calls subtle.ConstantTimeCompare.
func constantTime(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		found = found || ok && s.Sel.Name == "ConstantTimeCompare"
		return !found
	})
	return found
}

// endsEarly reports whether a loop ends before it has seen all.
func endsEarly(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.BranchStmt, *ast.ReturnStmt:
			found = true
		}
		return !found
	})
	return found
}

// isConstant reports whether an expression is written out, as 1, "" and nil are.
func isConstant(e ast.Expr) bool {
	if u, ok := e.(*ast.UnaryExpr); ok {
		e = u.X
	}
	id, ok := e.(*ast.Ident)
	_, literal := e.(*ast.BasicLit)
	return literal || ok && id.Name == "nil"
}

// docs/security.md: every key but that of tokens is derived from the token secret by HKDF,
// each for one purpose: no label stands twice, and nobody makes a MAC without a derived key.
func TestHouse_DerivedKeys_HaveAPurposeEach(t *testing.T) {
	derives := map[string]bool{"hkdf.Key": true, "derive": true, "Derive": true, "NewSecret": true}
	labels := map[string]string{}    // where each is used
	constants := map[string]string{} // labels that have a name
	var calls []*ast.CallExpr
	macs, derived := map[string]bool{}, map[string]bool{} // packages
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "testdata" || path == "test" || path == "examples") {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING && strings.HasSuffix(n.Names[i].Name, "Label") {
						constants[n.Names[i].Name] = lit.Value
					}
				}
			case *ast.CallExpr:
				name := calledAs(n)
				if name == "hmac.New" {
					macs[filepath.Dir(path)] = true
				}
				if derives[name] || derives[name[strings.LastIndexByte(name, '.')+1:]] {
					derived[filepath.Dir(path)] = true
					calls = append(calls, n)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range calls {
		for _, arg := range call.Args {
			text := ""
			if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text = lit.Value
			} else if id, ok := arg.(*ast.Ident); ok {
				text = constants[id.Name]
			}
			if text == "" {
				continue
			}
			if labels[text] != "" {
				t.Errorf("the label %s is used by %s and %s", text, labels[text], calledAs(call))
			}
			labels[text] = calledAs(call)
		}
	}
	if len(labels) < 5 {
		t.Errorf("found the labels %v, want those of token ids, peers, NATS, webhooks and hosted files", labels)
	}
	for dir := range macs {
		if !derived[dir] && dir != filepath.Join("internal", "hosting") { // is given its key
			t.Errorf("%s makes a MAC and derives no key", dir)
		}
	}
}

// calledAs is the name of what a call calls, with that of its package or value.
func calledAs(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}
