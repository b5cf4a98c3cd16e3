// Package refresh reads what a Refresh header, or a meta element in place of it, says.
package refresh

import "strings"

// Parse reads a value by the shared declarative refresh steps of the HTML standard
// (section 4.2.5.3): after how many seconds the page is left, as it is written, and
// for which address; an empty one is the page itself. It reports false of a value that
// browsers ignore.
func Parse(value string) (wait, address string, ok bool) {
	value = skipBlanks(value)
	rest := strings.TrimLeft(value, "0123456789")
	if rest == value && !strings.HasPrefix(rest, ".") {
		return "", "", false
	}
	rest = strings.TrimLeft(rest, "0123456789.")
	wait = value[:len(value)-len(rest)]
	if rest == "" {
		return wait, "", true
	}
	behind := skipBlanks(rest)
	separated := strings.HasPrefix(behind, ";") || strings.HasPrefix(behind, ",")
	switch {
	case separated:
		behind = skipBlanks(behind[1:])
	case len(behind) == len(rest): // neither a blank nor a separator
		return "", "", false
	}
	return wait, addressIn(behind), true
}

// addressIn reads an address that may have "url=" before it and quotes around it.
func addressIn(text string) string {
	if len(text) > 0 && text[0]|0x20 == 'u' {
		behind, named := cutURL(text)
		if !named {
			return text
		}
		text = behind
	}
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		text, _, _ = strings.Cut(text[1:], text[:1])
	}
	return text
}

// cutURL cuts "url" and "=", blanks around it included, from the beginning of text.
func cutURL(text string) (behind string, ok bool) {
	if len(text) < len("url") || !strings.EqualFold(text[:len("url")], "url") {
		return "", false
	}
	behind, ok = strings.CutPrefix(skipBlanks(text[len("url"):]), "=")
	return skipBlanks(behind), ok
}

func skipBlanks(s string) string { return strings.TrimLeft(s, " \t\n\f\r") }
