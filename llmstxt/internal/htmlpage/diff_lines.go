package htmlpage

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

// Lines of code that are added or removed, where nothing but a style shows it: Expressive Code, Shiki
// and the highlighters that follow it give such a line a class and no sign.
//
//	<span class="line diff remove">port: 80</span>      -port: 80
//	<span class="line diff add">port: 443</span>   ─▶   +port: 443

// A change is a line that is added or removed.
type change struct {
	at   int // where it begins in the code
	sign byte
}

// maxChanges is how many such lines of a block of code are marked.
const maxChanges = 1 << 12

// noteChange notes such a line where its element begins.
func (m *marker) noteChange(tag atom.Atom) {
	if tag != atom.Span && tag != atom.Div && tag != atom.Ins && tag != atom.Del && tag != atom.Mark {
		return
	}
	at := len(m.preText)
	if at > 0 && m.preText[at-1] != '\n' || len(m.changes) == maxChanges {
		return
	}
	if sign := signOf(m.attrs("class")[0]); sign != 0 && (len(m.changes) == 0 || m.changes[len(m.changes)-1].at != at) {
		m.changes = append(m.changes, change{at, sign})
	}
}

// signOf is the sign of a line of code with these class names; 0 if they do not say that it has changed.
func signOf(class string) byte {
	if !strings.Contains(class, "line") {
		return 0
	}
	names := strings.Fields(class)
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, "diff-add-line") || strings.HasSuffix(name, "line-added") || strings.HasSuffix(name, "line-inserted"):
			return '+'
		case strings.HasSuffix(name, "diff-remove-line") || strings.HasSuffix(name, "line-removed") || strings.HasSuffix(name, "line-deleted"):
			return '-'
		}
	}
	switch has := func(name string) bool { return slices.Contains(names, name) }; {
	case has("diff") && has("add"), has("ec-line") && has("ins"):
		return '+'
	case has("diff") && has("remove"), has("ec-line") && has("del"):
		return '-'
	}
	return 0
}

// withSigns is code with the signs of its changes, which other lines have a space for, as in a diff.
// Where the text has them already, only a line without one gets its sign.
func (m *marker) withSigns(code []byte) []byte {
	changes := m.changes
	m.changes = m.changes[:0]
	for len(changes) > 0 && changes[len(changes)-1].at >= len(code) {
		changes = changes[:len(changes)-1]
	}
	if !slices.ContainsFunc(changes, func(c change) bool { return code[c.at] != c.sign }) {
		return code
	}
	written := m.hasSigns(code, changes)
	m.lang = "diff"
	signed := make([]byte, 0, len(code)+bytes.Count(code, []byte("\n"))+1)
	for at := 0; at < len(code); {
		end := at + bytes.IndexByte(code[at:], '\n') + 1
		if end == at {
			end = len(code)
		}
		for len(changes) > 0 && changes[0].at < at {
			changes = changes[1:]
		}
		switch {
		case len(changes) > 0 && changes[0].at == at:
			if !written || code[at] != changes[0].sign {
				signed = append(signed, changes[0].sign)
			}
		case !written && code[at] != '\n':
			signed = append(signed, ' ')
		}
		signed = append(signed, code[at:end]...)
		at = end
	}
	return signed
}

// hasSigns reports code whose text has the signs of its changes, some of which may lack theirs: it is called
// a diff, or all lines that are added have them, or of removed ones alone all of these. Other code may well
// have a line that begins with "-", but hardly one with "+".
func (m *marker) hasSigns(code []byte, changes []change) bool {
	of, with := map[byte]int{}, map[byte]int{}
	for _, c := range changes {
		if code[c.at] == '\n' || code[c.at] == '\r' {
			continue // nothing is on it
		}
		if of[c.sign]++; code[c.at] == c.sign {
			with[c.sign]++
		}
	}
	sign := byte('+')
	if of[sign] == 0 {
		sign = '-'
	}
	return of[sign] > 0 && (with[sign] == of[sign] || m.lang == "diff" && with['+']+with['-'] > 0)
}
