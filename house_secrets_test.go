package farwire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
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
