package farwire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

var subjectConditionResult = regexp.MustCompile(`^Test[A-Z0-9][^_]*(_[A-Z0-9][^_]*){2,}$`)

func TestTestNames_OfEachModule_SaySubjectConditionAndResult(t *testing.T) {
	seen := 0
	for _, f := range sourceFiles(t) {
		if !f.test {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") || fn.Name.Name == "TestMain" {
				continue
			}
			seen++
			if !subjectConditionResult.MatchString(fn.Name.Name) {
				t.Errorf("%s: %s is not Test<Subject>_<Condition>_<Result>", f.name, fn.Name.Name)
			}
		}
	}
	if seen < 1000 {
		t.Fatalf("found only %d tests: the rule would hold for nothing", seen)
	}
}
