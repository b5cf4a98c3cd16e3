package farwire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A handler is read from top to bottom in its own file. What two of them need stands in
// a file that is no handler's; the exceptions hand a whole request on.
func TestHandlers_OfEachFile_UseNoHelpersOfAnother(t *testing.T) {
	stories := map[string]string{ // file to story
		"amqp.go": "amqp", "path.go": "path", "forward_proxy.go": "proxy", "tunnel.go": "tunnel",
		"relay.go": "relay", "relay_query.go": "relay",
		"crawl.go": "crawl", "crawl_job.go": "crawl", "enroll.go": "crawl", "recrawl.go": "crawl", "recrawl_job.go": "crawl", "sites.go": "crawl",
	}
	handsOn := map[string][]string{ // story, and where it sends whole requests
		"path":  {"relay.relayByPath"},
		"proxy": {"path.forward", "relay.relayByPath", "tunnel."},
	}
	fset := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// Only what this package declares is looked at: what it imports stays unknown.
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: unknownPackages{}, Error: func(error) {}}
	pkg, _ := conf.Check(modulePath, fset, files, info)
	used := map[string]bool{}
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || object.Exported() || isLocal(object, pkg) {
			continue
		}
		from, to := stories[fset.Position(ident.Pos()).Filename], stories[fset.Position(object.Pos()).Filename]
		if from == "" || to == "" || from == to {
			continue
		}
		use := to + "." + object.Name()
		used[from+" "+use] = true
		if !slices.ContainsFunc(handsOn[from], func(allowed string) bool {
			return use == allowed || strings.HasSuffix(allowed, ".") && strings.HasPrefix(use, allowed)
		}) {
			t.Errorf("%s uses %s of %s", fset.Position(ident.Pos()), object.Name(), fset.Position(object.Pos()).Filename)
		}
	}
	for _, want := range []string{"path relay.relayByPath", "proxy path.forward", "proxy tunnel.serveConnect"} {
		if !used[want] {
			t.Errorf("found no use %q: the rule would hold for nothing", want)
		}
	}
}

// isLocal reports whether an object is a function's own: the selection of a field or
// of a method is not.
func isLocal(object types.Object, pkg *types.Package) bool {
	switch o := object.(type) {
	case *types.Func:
		return false
	case *types.Var:
		return !o.IsField() && o.Parent() != pkg.Scope()
	}
	return object.Parent() != pkg.Scope()
}

// unknownPackages imports every package as an empty one.
type unknownPackages struct{}

func (unknownPackages) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}
