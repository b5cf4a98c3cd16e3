// Package mention finds the addresses that a text mentions.
package mention

import (
	"html"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Addresses in a text: whatever a reader, a Markdown parser or a program that
// makes links of words might take for one. It is better to find too much than
// too little, because what an answer has in common with its source is found in
// both. So each text is looked at as it is and as Markdown and HTML would show it,
// and what is found is written in one way, as a browser would read it.

// Set are the addresses in a text, and the runes in it that nobody sees.
type Set struct {
	found  map[string]bool
	Hidden map[rune]bool
}

// Within reports whether all of the addresses are among those of others.
func (s Set) Within(others []Set) bool {
next:
	for f := range s.found {
		for _, o := range others {
			if o.found[f] {
				continue next
			}
		}
		return false
	}
	return true
}

// label is a piece of a host: letters and digits, ringed and boxed ones too.
const label = `[\p{L}\p{M}\p{N}_\-\x{2460}-\x{24ff}\x{1f100}-\x{1f1ff}]+`

var (
	// A scheme with a slash, either way, up to white space; behind the host a
	// wide script's punctuation ends it too.
	schemed = regexp.MustCompile(`(?i)(?:[a-z][a-z0-9+.-]*[:：][/\\]|[:：]//)[^\s<>"/?#]*(?:[/?#\\][^\s<>"，。、；！？「」『』（）【】《》]*)*`)
	// Any scheme without a slash: programs of the reader's machine register theirs
	// (slack:, vscode:, sip:). Behind a wide colon, which prose of wide scripts has,
	// only those that everybody knows.
	other = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]+:[^\s<>":/\\][^\s<>"]*`)
	bare  = regexp.MustCompile(`(?i)\b(?:https?|wss?|ftps?|javascript|vbscript|data|mailto|tel|sms|file|blob|about|view-source|magnet|intent|urn)[:：][^\s<>"]+`)
	// A target in Markdown: of a link or an image, and of a reference.
	target = regexp.MustCompile(`\]\(\s*<?([^\s<>)]*)|(?m:^\s*\[[^\]\n]+\]:[ \t]*\n?[ \t]*<?([^\s<>]+))`)
	// A tag, a comment, a declaration: raw HTML.
	tag = regexp.MustCompile(`<[A-Za-z/!?][^<>\n]*>?`)
	// Names with dots, of any script and with any of the signs that browsers
	// take for a dot, with what may stand before and behind them.
	dotted = regexp.MustCompile(`(?:[^\s<>()\[\]"'@/]+@)?` + label + `(?:[.。．｡․﹒]` + label + `)+(?::\d+)?(?:[/?#][^\s<>"]*)?`)
	local  = regexp.MustCompile(`(?i)\blocalhost(?::\d+)?(?:/[^\s<>"]*)?`)
)

// Find looks for addresses in a text.
func Find(text string) Set {
	s := Set{map[string]bool{}, map[rune]bool{}}
	for _, r := range text {
		if plain.IsHidden(r) {
			s.Hidden[r] = true
		}
	}
	shown := html.UnescapeString(text)
	shown = strings.Map(func(r rune) rune {
		switch {
		case plain.IsHidden(r):
			return -1
		case r == '／', '０' <= r && r <= '９', 'Ａ' <= r && r <= 'Ｚ', 'ａ' <= r && r <= 'ｚ':
			return r - 'Ａ' + 'A'
		}
		return r
	}, plain.UnescapeTitle(shown))
	s.find(shown)
	// Emphasis and code leave the words that they mark joined.
	plain := emphasis.Replace(shown)
	if plain != shown {
		s.find(plain)
	}
	// So do underscores at a word's edge. What is marked may be linked alone, too.
	if apart := replaceEdges(shown, " "); apart != shown {
		s.find(apart)
		s.find(emphasis.Replace(replaceEdges(shown, "")))
	}
	return s
}

// replaceEdges replaces the underscores that can mark emphasis: all but those with a
// letter or a digit on both sides, which belong to a name (CommonMark, section 6.2).
func replaceEdges(text, by string) string {
	var b strings.Builder
	rest := text
	before := ' '
	for {
		at := strings.IndexByte(rest, '_')
		if at < 0 {
			b.WriteString(rest)
			return b.String()
		}
		if at > 0 {
			before, _ = utf8.DecodeLastRuneInString(rest[:at])
		}
		b.WriteString(rest[:at])
		run := rest[at:]
		rest = strings.TrimLeft(run, "_")
		run = run[:len(run)-len(rest)]
		behind, _ := utf8.DecodeRuneInString(rest)
		if inWord(before) && inWord(behind) {
			b.WriteString(run)
		} else {
			b.WriteString(by)
		}
	}
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r))
}

func (s Set) find(text string) {
	for _, m := range schemed.FindAllString(text, -1) {
		s.add(m)
	}
	for _, pattern := range []*regexp.Regexp{bare, other} {
		for _, m := range pattern.FindAllString(text, -1) {
			s.add(m)
		}
	}
	for _, m := range target.FindAllStringSubmatch(text, -1) {
		// A whole address counts as such, wherever it stands.
		if t := m[1] + m[2]; !schemed.MatchString(t) {
			s.found["]("+t] = true
		}
	}
	for _, m := range tag.FindAllString(text, -1) {
		if !autolink.MatchString(m) {
			s.found[m] = true
		}
	}
	for _, m := range dotted.FindAllString(text, -1) {
		s.addDotted(m)
	}
	for _, m := range local.FindAllString(text, -1) {
		s.add(m)
	}
}

var autolink = regexp.MustCompile(`^<[A-Za-z][A-Za-z0-9+.-]*:/[^\s<>]*>$`)

// add keeps an address in one spelling, and its host as a name of its own: a
// host that is given may be named.
func (s Set) add(m string) {
	m = strings.TrimRight(m, ".,;:!?…'*_)]}>`\"’”»。，、；！？")
	scheme, rest, ok := cutScheme(m)
	if ok && strings.Trim(rest, `/\`) == "" {
		return // "https://" alone names no place
	}
	rest = strings.ReplaceAll(rest, `\`, "/")
	slashes := rest[:len(rest)-len(strings.TrimLeft(rest, "/"))]
	rest = rest[len(slashes):]
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := foldHost(rest[:end])
	if tail := rest[end:]; ok {
		s.found[scheme+":"+slashes+host+tail] = true
	} else {
		s.found[host+strings.TrimSuffix(tail, "/")] = true
	}
	if slashes != "" || !ok {
		s.found[host] = true
		if name, _, ok := strings.Cut(host, ":"); ok && !strings.Contains(host, "@") {
			s.found[name] = true
		}
	}
}

func cutScheme(m string) (scheme, rest string, ok bool) {
	i := strings.IndexAny(m, ":：/?#@")
	if i < 0 || m[i] != ':' && !strings.HasPrefix(m[i:], "：") {
		return "", m, false
	}
	_, n := utf8.DecodeRuneInString(m[i:])
	rest = m[i+n:]
	if digits := strings.TrimLeft(rest, "0123456789"); !strings.HasPrefix(rest, "/") && digits != rest {
		return "", m, false // a port
	}
	return strings.ToLower(m[:i]), rest, true
}

// addDotted keeps a name with dots that may be a host's, so not "Node.js" and
// not "3.11".
func (s Set) addDotted(m string) {
	end := strings.IndexAny(m, "/?#")
	if end < 0 {
		end = len(m)
	}
	name, tail := m[:end], m[end:]
	before, host, mail := strings.Cut(name, "@")
	if !mail {
		before, host = "", name
	}
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && before == "" {
		tail, host = host[colon:]+tail, host[:colon]
	}
	host = foldHost(host)
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := netip.ParseAddr(host)
	switch {
	case err == nil, strings.HasPrefix(host, "www."), topLevel(last), foreignTop(m[:end]):
	case strings.Contains(host, "_www."): // a link begins there (GitHub Flavored Markdown, section 6.9)
	case (strings.HasPrefix(tail, "/") || strings.HasPrefix(tail, ":")) && len(last) > 1 && strings.Trim(last, "0123456789") != "":
		// A domain that is younger than our list.
	default:
		return
	}
	s.add(m)
}

// foreignTop reports a Latin name with a dot and letters of another script behind
// it. No list has all of the top-level domains that come, and words of a script that
// is written without spaces may stand right behind one.
func foreignTop(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(name[:dot])
	behind, _ := utf8.DecodeRuneInString(name[dot+1:])
	latin := func(r rune) bool { return unicode.Is(unicode.Latin, r) }
	return (latin(before) || '0' <= before && before <= '9') && unicode.IsLetter(behind) && !latin(behind)
}

// topLevel reports a name that hosts end in: one of the public list, or one
// that is kept for tests and for networks at home.
func topLevel(label string) bool {
	switch label {
	case "test", "example", "invalid", "localhost", "local", "internal", "onion", "lan", "home", "corp", "intranet", "eth", "i2p":
		return true
	}
	if ascii, err := idna.ToASCII(label); err == nil {
		label = ascii
	}
	_, listed := publicsuffix.PublicSuffix("a." + label)
	return listed
}

var (
	emphasis = strings.NewReplacer("*", "", "`", "", "~", "")
	oddDots  = strings.NewReplacer("․", ".", "﹒", ".")
)

// browsers reads hosts as browsers do, but goes on where they would give up.
var browsers = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// foldHost writes a host in one way: lower case, plain signs for wide and
// ornate ones, dots for all that count as one.
func foldHost(host string) string {
	host = oddDots.Replace(host)
	folded, err := browsers.ToUnicode(host)
	if err != nil && folded == "" {
		folded = strings.ToLower(host)
	}
	return strings.TrimRight(folded, ".")
}
