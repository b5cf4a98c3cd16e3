package htmlpage

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// What a short script does that is all of a page: it leads elsewhere, sets a cookie, or
// loads the page again.

const (
	// literal is a string of JavaScript, with its quotes.
	literal = `("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|` + "`[^`$\\\\]*`)"
	windows = `(?:window|document|self|top|parent|globalThis)`
	// place is what a script sets to lead elsewhere.
	place = `(?:(?:^|[^.\w]|\b` + windows + `\.)location|\b` + windows + `\[["']location["']\])(?:\.href|\.pathname|\[["'](?:href|pathname)["']\])?`
	here  = `(?:` + windows + `\.)?(?:location(?:\.href)?|URL)\b`
)

var (
	location = regexp.MustCompile(place + `\s*(?:=\s*|\.(?:replace|assign)\(\s*)(?:` + literal + `|([A-Za-z_$][\w$]*)\s*(?:[;,)}\n]|$))`)
	constant = regexp.MustCompile(`\b(?:var|let|const)\s+([A-Za-z_$][\w$]*)\s*=\s*` + literal + `\s*(?:[;,}\n]|$)`)
	cookie   = regexp.MustCompile(`\bdocument\.cookie\s*=\s*` + literal + `\s*(?:[;,}\n]|$)`)
	reload   = regexp.MustCompile(`\blocation\.reload\(|\bhistory\.go\(0?\)|` + place + `\s*(?:=\s*|\.(?:replace|assign)\(\s*)` + here + `\s*(?:[;,)}\n]|$)`)
)

const (
	maxCookies = 8        // that scripts set
	maxLeading = 64 << 10 // bytes of all scripts that are looked at
)

// leads remembers where a script leads to.
func (s *scanner) leads(script []byte) {
	if len(script) > 4<<10 || s.words > 2*bareText || len(s.Links) > 2 {
		return // the page has more than that
	}
	sets := bytes.Contains(script, []byte("cookie"))
	leads := bytes.Contains(script, []byte("location")) || bytes.Contains(script, []byte("history"))
	if !sets && !leads {
		return
	}
	if s.leading += len(script); s.leading > maxLeading {
		return
	}
	if sets {
		for _, m := range cookie.FindAllSubmatch(script, maxCookies) {
			if v := jsString(string(m[1])); v != "" && len(s.Cookies) < maxCookies {
				s.Cookies = append(s.Cookies, v)
			}
		}
	}
	if !leads {
		return
	}
	s.Reloads = s.Reloads || reload.Match(script)
	if s.location != "" {
		return
	}
	var constants map[string]string
	for _, m := range location.FindAllSubmatch(script, 8) {
		to := string(m[1])
		if name := string(m[2]); name != "" {
			if constants == nil {
				constants = map[string]string{}
				for _, v := range constant.FindAllSubmatch(script, 64) {
					constants[string(v[1])] = string(v[2])
				}
			}
			to = constants[name]
		}
		if to = jsString(to); to != "" && !strings.ContainsAny(to, " \t\r\n") {
			s.location = to
			return
		}
	}
}

// jsString is what a string of JavaScript says; "" if an escape in it is invalid.
func jsString(quoted string) string {
	if len(quoted) < 2 {
		return ""
	}
	in := quoted[1 : len(quoted)-1]
	if !strings.Contains(in, `\`) {
		return in
	}
	var b strings.Builder
	var units []uint16 // of a character outside of the first plane
	flush := func() {
		b.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	code := func(digits string) bool {
		n, err := strconv.ParseUint(digits, 16, 32)
		if err == nil && n <= 0xffff {
			units = append(units, uint16(n))
		} else if err == nil {
			flush()
			b.WriteRune(rune(n))
		}
		return err == nil
	}
	for len(in) > 0 {
		i := strings.IndexByte(in, '\\')
		if i != 0 {
			if i < 0 {
				i = len(in)
			}
			flush()
			b.WriteString(in[:i])
			in = in[i:]
			continue
		}
		if len(in) < 2 {
			return ""
		}
		c := in[1]
		in = in[2:]
		digits := map[byte]int{'x': 2, 'u': 4}[c]
		switch {
		case c == 'u' && strings.HasPrefix(in, "{"):
			inner, rest, ok := strings.Cut(in[1:], "}")
			if !ok || !code(inner) {
				return ""
			}
			in = rest
		case digits > 0:
			if len(in) < digits || !code(in[:digits]) {
				return ""
			}
			in = in[digits:]
		default:
			flush()
			if at := strings.IndexByte("nrtbfv0", c); at >= 0 {
				c = "\n\r\t\b\f\v\x00"[at]
			}
			b.WriteByte(c)
		}
	}
	flush()
	return b.String()
}
