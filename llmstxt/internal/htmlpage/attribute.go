package htmlpage

import "bytes"

// The attributes of a tag. All are found when the tag is read, for its end may stand in
// none of them; what they say is looked at when somebody asks for it.

// maxFound attributes of a tag are found once, whoever asks for them.
const maxFound = 16

// attribute is where an attribute stands in the page; equal offsets for no name, or no value.
type attribute struct{ name, nameEnd, value, valueEnd int }

// attribute reads what stands at i in a tag and returns where the next begins.
func (l *lexer) attribute(i int) (next int, a attribute) {
	p := l.page
	for i < len(p) && (isTagSpace(p[i]) || p[i] == '/') {
		i++
	}
	a.name = i
	for i < len(p) && nameBytes[p[i]] != 0 && (p[i] != '=' || i == a.name) {
		i++
	}
	a.nameEnd = i
	for i < len(p) && isTagSpace(p[i]) {
		i++
	}
	if i >= len(p) || p[i] != '=' || a.name == a.nameEnd {
		return i, a
	}
	i++
	for i < len(p) && isTagSpace(p[i]) {
		i++
	}
	if i >= len(p) {
		return i, a
	}
	if q := p[i]; q == '"' || q == '\'' {
		i++
		n := bytes.IndexByte(p[i:], q)
		if n < 0 {
			return len(p), a
		}
		a.value, a.valueEnd = i, i+n
		return i + n + 1, a
	}
	a.value = i
	for i < len(p) && !isTagSpace(p[i]) && p[i] != '>' {
		i++
	}
	a.valueEnd = i
	return i, a
}

// end is where it ends, with the quotes of its value.
func (a attribute) end(page []byte) int {
	switch {
	case a.value == 0:
		return a.nameEnd
	case page[a.value-1] == '"', page[a.value-1] == '\'':
		return a.valueEnd + 1
	}
	return a.valueEnd
}

// nth is an attribute of the tag, the first one with 0. Those beyond the ones found are read,
// from at on, and at is moved behind them. It reports false behind the last.
func (l *lexer) nth(n int, at *int) (attribute, bool) {
	if n < l.count {
		return l.found[n], true
	}
	if n == l.count {
		*at = l.beyond
	}
	next, a := *at, attribute{}
	if next < l.pos-1 {
		next, a = l.attribute(next)
	}
	if next == *at {
		return a, false
	}
	*at = next
	return a, true
}

const maxAttr = 16 << 10 // bytes of an attribute's value that are looked at

// attrs are the values of the named attributes of a start tag; the first of a
// name counts, as in a browser.
func (l *lexer) attrs(names ...string) (out [8]string) {
	var have [8]bool
	at := 0
	for i := 0; ; i++ {
		a, ok := l.nth(i, &at)
		if !ok {
			return out
		}
		key := l.page[a.name:a.nameEnd]
		for n := range names {
			if len(key) == len(names[n]) && !have[n] && equalFold(key, names[n]) {
				have[n] = true
				out[n] = l.value(l.page[a.value:min(a.valueEnd, a.value+maxAttr)])
				if out[n] == "" && (names[n] == "hidden" || names[n] == "checked") {
					out[n] = names[n]
				}
			}
		}
	}
}

// value is an attribute's value as a string.
func (l *lexer) value(b []byte) string {
	if len(b) == 0 || bytes.IndexByte(b, '&') >= 0 {
		return unescapeAttr(b)
	}
	known := &l.values[hashOf(b)]
	if *known != string(b) {
		*known = string(b)
	}
	return *known
}

// hashOf tells short texts apart, more or less.
func hashOf(b []byte) byte { return (b[0] + 5*b[len(b)-1] + 3*b[len(b)/2] + 7*byte(len(b))) % 64 }
