package farwire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/farwire/farwire"

// A sourceFile is a Go file of any of the modules.
type sourceFile struct {
	name    string // slash-separated, from the root
	pkg     string // import path of its folder
	test    bool
	imports []string
}

func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		f := sourceFile{name: name, pkg: path.Join(modulePath, path.Dir(name)), test: strings.HasSuffix(name, "_test.go")}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{modulePath, modulePath + "/agent", modulePath + "/adapters/s3", modulePath + "/cmd/farwire",
		modulePath + "/examples/own", modulePath + "/sitetest", modulePath + "/test/soak"} {
		if !slices.ContainsFunc(files, func(f sourceFile) bool { return f.pkg == folder }) {
			t.Fatalf("found no file of %s: the rules would hold for nothing", folder)
		}
	}
	return files
}

// within reports whether pkg is one of the folders or below one. A folder of
// "." is the root package alone.
func within(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		full := path.Join(modulePath, folder)
		return pkg == full || folder != "." && strings.HasPrefix(pkg, full+"/")
	})
}

// mayImport reports whether the house lets package from import package to,
// both of ours. Any test may look for leaks and start services. Arrows point
// one way: cmd, examples and test to everything, adapters to the root and
// llmstxt, the root to agent, llmstxt and internal, agent and llmstxt to the
// leaves of internal (agent to the count of wrong credentials, too), these to what
// cleans texts alone, and internal to itself. Suites for others to run know the
// public API alone.
func mayImport(from, to string, test bool) bool {
	switch {
	case within(from, "cmd", "examples", "test"), test && within(to, "internal/leak", "internal/harness"):
		return true
	case within(from, "adapters/natscluster") && to == modulePath+"/agent":
		return true // it tells gateways which agents others hold
	case within(from, "adapters"):
		return within(to, ".", "llmstxt", "adapters") || test && within(to, "agent", "sitetest", "clustertest")
	case within(from, "hosttest"):
		return within(to, ".", "agent", "hosttest", "internal/brokertest")
	case within(from, "clustertest"):
		return within(to, ".", "agent", "clustertest")
	case within(from, "sitetest"):
		return within(to, ".", "llmstxt", "sitetest")
	case to == modulePath+"/internal/safetext" && within(from, "agent", "llmstxt", "internal"):
		return true // what cleans texts is below the leaves, too
	case within(from, "agent") && to == modulePath+"/internal/attempts":
		return true // one count for all who refuse credentials
	case within(from, "internal/attempts"):
		return within(to, "internal/attempts", "internal/bounded")
	case within(from, "internal/bounded"):
		return from == to
	case within(from, "agent"):
		return within(to, "agent") || within(to, leaves...)
	case within(from, "llmstxt"):
		return within(to, "llmstxt") || within(to, leaves...)
	case within(from, leaves...), within(from, "internal/safetext"):
		return from == to
	case within(from, "console"):
		return within(to, "console")
	case within(from, "internal/upstream", "internal/egress", "internal/request") && to == modulePath+"/agent":
		return true // they dial through exits, or read which are wanted
	case within(from, "internal"):
		return within(to, "internal")
	case within(from, "."):
		return within(to, ".", "agent", "llmstxt", "internal")
	}
	return false // a folder that the house does not know
}

// leaves import nothing of ours but internal/safetext, which imports nothing of ours.
var leaves = []string{"internal/upgrade", "internal/netio", "internal/fault", "internal/refresh", "internal/hostcall"}

func TestImports_OfEachPackage_PointOneWay(t *testing.T) {
	for _, f := range sourceFiles(t) {
		for _, imported := range f.imports {
			ours := imported == modulePath || strings.HasPrefix(imported, modulePath+"/")
			if ours && !mayImport(f.pkg, imported, f.test) {
				t.Errorf("%s imports %s: the arrow points the wrong way", f.name, imported)
			}
		}
	}
}

func TestImports_EachRule_AllowsOrForbids(t *testing.T) {
	const root = modulePath
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{root, root + "/agent", true},
		{root, root + "/internal/sse", true},
		{root, root + "/adapters/s3", false},
		{root, root + "/cmd/farwire", false},
		{root, root + "/console", false},
		{root + "/agent", root, false},
		{root + "/agent", root + "/internal/sse", false},
		{root + "/agent", root + "/internal/upgrade", true},
		{root + "/internal/upgrade", root + "/internal/sse", false},
		{root + "/llmstxt", root + "/agent", false},
		{root + "/agent", root + "/internal/fault", true},
		{root + "/agent", root + "/internal/attempts", true},
		{root + "/agent", root + "/internal/hostcall", true},
		{root + "/internal/hostcall", root + "/internal/fault", false},
		{root + "/agent", root + "/internal/bounded", false},
		{root + "/llmstxt", root + "/internal/attempts", false},
		{root + "/internal/attempts", root + "/internal/bounded", true},
		{root + "/internal/attempts", root + "/internal/limits", false},
		{root + "/internal/bounded", root + "/internal/attempts", false},
		{root + "/llmstxt", root + "/internal/fault", true},
		{root + "/llmstxt", root + "/internal/refresh", true},
		{root + "/internal/refresh", root + "/internal/sse", false},
		{root + "/internal/sse", root + "/internal/fault", true},
		{root + "/internal/fault", root + "/internal/sse", false},
		{root + "/internal/fault", root + "/internal/safetext", true},
		{root + "/llmstxt", root + "/internal/safetext", true},
		{root + "/internal/safetext", root + "/internal/fault", false},
		{root + "/internal/sse", root + "/internal/wsframe", true},
		{root + "/internal/sse", root + "/agent", false},
		{root + "/internal/egress", root + "/agent", true},
		{root + "/internal/upstream", root, false},
		{root + "/internal/sse", root, false},
		{root + "/adapters/s3", root, true},
		{root + "/adapters/s3", root + "/agent", false},
		{root + "/adapters/natscluster", root + "/agent", true},
		{root + "/adapters/s3", root + "/cmd/farwire", false},
		{root + "/cmd/farwire", root + "/adapters/s3", true},
		{root + "/sitetest", root, true},
		{root + "/hosttest", root, true},
		{root + "/clustertest", root + "/agent", true},
		{root + "/clustertest", root + "/internal/sse", false},
		{root + "/hosttest", root + "/internal/upgrade", false},
		{root + "/sitetest", root + "/internal/sse", false},
		{root + "/test/soak", root + "/internal/harness", true},
		{root, root + "/test/soak", false},
		{root + "/util", root, false},
	} {
		if got := mayImport(c.from, c.to, false); got != c.want {
			t.Errorf("may %s import %s? %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// exported returns the exported names that a package declares at its top level,
// methods left out.
func exported(t *testing.T, folder string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		note := func(idents ...*ast.Ident) {
			for _, ident := range idents {
				names[ident.Name] = names[ident.Name] || ident.IsExported()
			}
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					note(d.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						note(spec.Name)
					case *ast.ValueSpec:
						note(spec.Names...)
					}
				}
			}
		}
	}
	return names
}

// Who imports the root with agent or llmstxt reads their names side by side: one name
// is one thing. Options are what each package's first function is told.
func TestNames_OfTwoPackages_AreOneThing(t *testing.T) {
	names := map[string]map[string]bool{}
	for _, folder := range []string{".", "agent", "llmstxt"} {
		names[folder] = exported(t, folder)
	}
	if !names["."]["Session"] || !names["agent"]["Exit"] || !names["llmstxt"]["Crawl"] {
		t.Fatal("found no names: the rule would hold for nothing")
	}
	for _, pair := range [][2]string{{".", "agent"}, {".", "llmstxt"}, {"agent", "llmstxt"}} {
		for name, public := range names[pair[0]] {
			if public && names[pair[1]][name] && name != "Options" {
				t.Errorf("%s is exported by %q and by %q", name, pair[0], pair[1])
			}
		}
	}
}

// The root is a story a file, and few of them.
func TestRoot_Files_AreFew(t *testing.T) {
	n := 0
	for _, f := range sourceFiles(t) {
		if f.pkg == modulePath && !f.test {
			n++
		}
		text, err := os.ReadFile(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 400 {
			t.Errorf("%s has %d lines, more than 400: it is usually two stories", f.name, lines)
		}
	}
	if n > 25 {
		t.Errorf("%d files at the root, more than 25", n)
	}
}

// Each of these has quirks that one place knows: one file, or one package.
// Tests, and programs, may speak to the same service from the other side.
func TestImports_OfADependency_AreInOnePlace(t *testing.T) {
	importers := make(map[string][]sourceFile)
	for _, f := range sourceFiles(t) {
		if f.test || within(f.pkg, "cmd", "examples", "test") {
			continue
		}
		for _, imported := range f.imports {
			importers[imported] = append(importers[imported], f)
		}
	}
	for _, rule := range []struct {
		dependency, pkg string
		oneFile         bool
	}{
		{"github.com/rabbitmq/amqp091-go", modulePath + "/internal/amqpstream", true},
		{"github.com/golang-jwt/jwt/v5", modulePath + "/internal/token", true},
		{"github.com/PuerkitoBio/goquery", modulePath + "/llmstxt/internal/htmlpage", false},
		{"github.com/libp2p/go-yamux/v5", modulePath + "/agent", false},
		{"code.dny.dev/ssrf", modulePath + "/agent", false},
	} {
		files := importers[rule.dependency]
		if rule.oneFile && len(files) > 1 {
			t.Errorf("%s is imported by %s and %s; one file must know it", rule.dependency, files[0].name, files[1].name)
		}
		for _, f := range files {
			if f.pkg != rule.pkg {
				t.Errorf("%s imports %s, which belongs to %s", f.name, rule.dependency, rule.pkg)
			}
		}
	}
	if len(importers["github.com/golang-jwt/jwt/v5"]) == 0 {
		t.Error("nobody imports jwt: the rules look for what is not there")
	}
}

// Whoever embeds the library gets these modules and no other, apart from what
// they need themselves.
func TestRequirements_OfTheRoot_AreFew(t *testing.T) {
	wanted := []string{
		"code.dny.dev/ssrf",
		"github.com/PuerkitoBio/goquery",
		"github.com/andybalholm/brotli",
		"github.com/cenkalti/backoff/v5",
		"github.com/clipperhouse/uax29/v2",
		"github.com/coder/websocket",
		"github.com/go-json-experiment/json",
		"github.com/gofrs/flock",
		"github.com/gogs/chardet",
		"github.com/golang-jwt/jwt/v5",
		"github.com/klauspost/compress",
		"github.com/libp2p/go-yamux/v5",
		"github.com/rabbitmq/amqp091-go",
		"go.uber.org/goleak", // tests alone
		"go.yaml.in/yaml/v3",
		"golang.org/x/net",
		"golang.org/x/text",
		"golang.org/x/time",
	}
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		requirement, found := strings.CutPrefix(line, "require ")
		switch {
		case line == "require (":
			inside = true
			continue
		case line == ")":
			inside = false
		case inside:
			requirement, found = line, true
		}
		if fields := strings.Fields(requirement); found && len(fields) > 0 && !strings.Contains(line, "// indirect") {
			direct = append(direct, fields[0])
		}
	}
	slices.Sort(direct)
	if !slices.Equal(direct, wanted) {
		t.Errorf("go.mod requires\n%s\nwant\n%s", strings.Join(direct, "\n"), strings.Join(wanted, "\n"))
	}
}

// A database of vulnerabilities that is unreachable is reported, and fails only where
// the check is required.
func TestVulncheck_DatabaseUnreachable_FailsOnlyWhereRequired(t *testing.T) {
	bin := t.TempDir()
	fake := "#!/bin/sh\necho 'govulncheck: fetching vulnerabilities: dial tcp: lookup vuln.go.dev: no such host' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	for required, status := range map[string]int{"": 0, "required": 1} {
		cmd := exec.Command("scripts/vulncheck", "vulncheck.test/cmd@v1.0.0")
		cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "VULNCHECK="+required)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != status || string(out) != "vulnerabilities: NOT CHECKED, the database cannot be reached\n" {
			t.Errorf("VULNCHECK=%q: status %d, %q", required, got, out)
		}
	}
}
