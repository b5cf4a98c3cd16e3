package farwire_test

import (
	"cmp"
	"fmt"
	"go/scanner"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Two places share at most this many lines. Names, numbers and texts do not count: a
// copy with other names is a copy.
const mostSharedLines = 12

// Code that stands twice is changed once and forgotten once.
func TestFiles_OutsideTests_ShareFewLines(t *testing.T) {
	files := map[string][]codeLine{}
	for _, f := range sourceFiles(t) {
		if f.test {
			continue
		}
		source, err := os.ReadFile(f.name)
		if err != nil {
			t.Fatal(err)
		}
		files[f.name] = codeLines(source)
	}
	for _, shared := range sharedLines(files, mostSharedLines) {
		t.Error(shared)
	}
}

// The rule holds for a copy with other names, and not for a table, whose lines are
// alike by design.
func TestSharedLines_EachText_IsFoundOrNot(t *testing.T) {
	var original, renamed, table strings.Builder
	for i := range mostSharedLines + 1 {
		call := strings.Repeat("(", i) + "%s" + strings.Repeat(")", i)
		fmt.Fprintf(&original, "first = "+call+" // of the first\n", "one")
		fmt.Fprintf(&renamed, "\nsecond = "+call+"\n", "2")
		fmt.Fprintf(&table, "{first, %d},\n", i)
	}
	cut := strings.Join(strings.Split(renamed.String(), "\n")[4:], "\n")
	for _, c := range []struct {
		name, one, other string
		want             int
	}{
		{"the same lines with other names", original.String(), renamed.String(), 1},
		{"twice in one file", original.String() + renamed.String(), "", 1},
		{"as many as are allowed", original.String(), cut, 0},
		{"a table", table.String(), table.String(), 0},
		{"imports", "import (\n" + original.String() + ")\n", "import (\n" + original.String() + ")\n", 0},
	} {
		got := sharedLines(map[string][]codeLine{"one": codeLines([]byte(c.one)), "other": codeLines([]byte(c.other))}, mostSharedLines)
		if len(got) != c.want {
			t.Errorf("%s: found %d (%v), want %d", c.name, len(got), got, c.want)
		}
	}
}

// A codeLine is a line with every name, number and text as x.
type codeLine struct {
	number int
	shape  string
}

// codeLines returns the lines of a file that say something: no comments, no imports and
// no lines of brackets alone.
func codeLines(source []byte) []codeLine {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	var lines []codeLine
	imports := 0 // 1 after the keyword, 2 within its brackets
	for {
		pos, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			return slices.DeleteFunc(lines, func(l codeLine) bool { return strings.Trim(l.shape, "(){}[], ") == "" })
		case tok == token.IMPORT:
			imports = 1
		case imports == 1 && tok == token.LPAREN:
			imports = 2
		case imports == 1 && tok == token.SEMICOLON, imports == 2 && tok == token.RPAREN:
			imports = 0
		}
		if imports > 0 || tok == token.SEMICOLON && text == "\n" {
			continue
		}
		word := tok.String()
		if tok == token.IDENT || tok.IsLiteral() {
			word = "x"
		}
		number := file.Line(pos)
		if len(lines) == 0 || lines[len(lines)-1].number != number {
			lines = append(lines, codeLine{number: number})
		}
		lines[len(lines)-1].shape += word + " "
	}
}

// sharedLines returns the runs of more lines than most that stand in two places. Lines
// of which most look alike are a table and no copy.
func sharedLines(files map[string][]codeLine, most int) []string {
	type place struct {
		file  string
		index int
	}
	first := map[string]place{}
	var shared []string
	for _, name := range slices.SortedFunc(maps.Keys(files), cmp.Compare) {
		lines := files[name]
		for i := 0; i+most < len(lines); i++ {
			var run strings.Builder
			distinct := map[string]bool{}
			for _, line := range lines[i : i+most+1] {
				run.WriteString(line.shape + "\n")
				distinct[line.shape] = true
			}
			if len(distinct) <= most/2 {
				continue
			}
			was, ok := first[run.String()]
			switch {
			case !ok:
				first[run.String()] = place{name, i}
			case was.file != name || was.index+most < i:
				other := files[was.file]
				length := most + 1
				for i+length < len(lines) && was.index+length < len(other) && lines[i+length].shape == other[was.index+length].shape {
					length++
				}
				shared = append(shared, fmt.Sprintf("%s:%d and %s:%d share %d lines", name, lines[i].number, was.file, other[was.index].number, length))
				i += length - 1
			}
		}
	}
	return shared
}
