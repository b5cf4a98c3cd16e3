package agent_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/agent"
)

var update = flag.Bool("update", false, "write the essay into the page about the protocol")

const protocolPage = "../docs/protocol.md"

// TestProtocolPage_Source_IsTheSame holds the page to the source: the essay at the head of
// wire.go to the letter, which -update writes into the page; every limit, every
// code and every field of a message by its table.
func TestProtocolPage_Source_IsTheSame(t *testing.T) {
	files := token.NewFileSet()
	source, err := parser.ParseFile(files, "wire.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	const head, foot = "Version 1.\n\n", "\n## Fields\n"
	before, rest, ok := strings.Cut(string(text), head)
	body, after, ended := strings.Cut(rest, foot)
	if !ok || !ended {
		t.Fatal("the page has no place for the essay")
	}
	essay := essayOf(t, source)
	if body != essay {
		if !*update {
			t.Error("the page is not the essay in wire.go; run this test with -update")
		} else if err := os.WriteFile(protocolPage, []byte(before+head+essay+foot+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	for what, limit := range agent.WireLimits {
		if row := fmt.Sprintf("| %s | %s |", what, limit); !strings.Contains(after, row) {
			t.Errorf("the page does not say %s", row)
		}
	}
	codes := codesOf(source)
	if len(codes) < 5 {
		t.Errorf("found only the codes %q", codes)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| ").FindAllStringSubmatch(after, -1) {
		listed = append(listed, m[1])
	}
	if !slices.Equal(codes, listed) {
		t.Errorf("the page lists the codes %q, wire.go has %q", listed, codes)
	}

	fields, wanted := fieldsOf(after), []string{}
	for _, m := range agent.WireMessages {
		for f := range reflect.TypeOf(m.Value).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			wanted = append(wanted, m.Name+" "+name)
		}
	}
	slices.Sort(fields)
	slices.Sort(wanted)
	if !slices.Equal(fields, wanted) {
		t.Errorf("the page lists the fields\n%q, the messages have\n%q", fields, wanted)
	}
}

// essayOf returns the first comment after the imports as a part of a page.
func essayOf(t *testing.T, source *ast.File) string {
	t.Helper()
	for _, c := range source.Comments {
		if !strings.HasPrefix(c.Text(), "What a gateway and an agent say") {
			continue
		}
		var b strings.Builder
		inside := false
		for _, line := range c.List[2:] { // after the title and its empty line
			text, code := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(line.Text, "//"), " "), "\t")
			switch {
			case code && !inside:
				b.WriteString("```text\n")
			case inside && !code:
				b.WriteString("```\n")
			}
			inside = code
			b.WriteString(text + "\n")
		}
		if inside {
			b.WriteString("```\n")
		}
		return b.String()
	}
	t.Fatal("wire.go has no essay")
	return ""
}

// codesOf returns the values of the constants codeX, in their order.
func codesOf(source *ast.File) (codes []string) {
	ast.Inspect(source, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "code") {
			if value, ok := v.Values[0].(*ast.BasicLit); ok {
				codes = append(codes, strings.Trim(value.Value, `"`))
			}
		}
		return true
	})
	return codes
}

var fieldRow = regexp.MustCompile("(?m)^\\| ([a-z]+) \\| ((?:`[a-z_]+`(?:, )?)+) \\| ")

// fieldsOf returns each "message field" of the page's table.
func fieldsOf(page string) (fields []string) {
	for _, m := range fieldRow.FindAllStringSubmatch(page, -1) {
		for _, name := range strings.Split(m[2], ", ") {
			fields = append(fields, m[1]+" "+strings.Trim(name, "`"))
		}
	}
	return fields
}
