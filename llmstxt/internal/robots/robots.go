// Package robots reads robots.txt (RFC 9309) and the directives of pages.
package robots

import (
	"bufio"
	"bytes"
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/httphead"
)

// The groups that name us count together, else those for everyone; of the rules that
// match a path the longest one decides, and Allow wins a tie. Crawl-delay and Sitemap
// are not in the standard but in the files. Such a record ends no run of user-agent
// lines (section 2.2.4). A Crawl-delay with a blank line behind it does: many files
// have groups that say nothing else, and would forbid everyone what the next group
// forbids one crawler. Within a run a delay holds for the whole group, except for a
// crawler that has one of its own behind its name:
//
//	User-agent: *            User-agent: FooBot
//	Crawl-delay: 10          Crawl-delay: 10
//	                         User-agent: BarBot
//	User-agent: BadBot       Disallow: /x        for both
//	Disallow: /              for BadBot alone

// MaxBytes of a robots.txt are read.
const MaxBytes = 500 << 10 // section 2.5: at least this much must be read

// Rules are the rules of one robots.txt for one crawler. The zero value
// allows everything. It may be used concurrently.
type Rules struct {
	Sitemaps []string      // as written
	Delay    time.Duration // Crawl-delay, 0 if none
	Signals  []string      // the values of Content-Signal and Content-Usage lines
	Refuse   bool          // everything: the server is in trouble (section 2.3.1.4)
	crawl    patterns      // of Allow and Disallow
	input    patterns      // of the signals that say whether a model may be given a page
}

// Parse reads a robots.txt for the crawler whose User-Agent is agent.
// It never fails: lines that it does not understand are left out (section 2.2).
func Parse(body []byte, agent string) *Rules {
	if len(body) > MaxBytes {
		body = body[:MaxBytes]
		body = body[:bytes.LastIndexAny(body, "\r\n")+1] // half a rule might say the opposite
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	p := parser{token: ProductToken(agent)}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, MaxBytes+1)
	lines.Split(splitLines)
	for lines.Scan() {
		p.line(lines.Text())
	}
	return p.rules()
}

// parser reads a file line by line.
type parser struct {
	token    string // what we are called
	own, all audience
	sitemaps []string

	inGroup  bool          // there has been a user-agent line
	inAgents bool          // a further one belongs to the group being read
	delayed  bool          // behind its last one is a Crawl-delay
	delay    time.Duration // of the group being read
}

// audience is what a file says to some: to us by our name, or to everyone.
type audience struct {
	named   bool // in some group
	inGroup bool // in the one being read
	rules   []rule
	delay   time.Duration // behind the name
	above   time.Duration // in front of the name, in its group
	signals []string
	input   []rule
}

// join notes that the audience is named in the group being read, which has a delay so far.
func (a *audience) join(delay time.Duration) {
	a.named, a.inGroup, a.above = true, true, max(a.above, delay)
}

func (p *parser) line(line string) {
	if strings.TrimSpace(line) == "" && p.delayed {
		p.inAgents = false
	}
	line, _, _ = strings.Cut(line, "#")
	key, value, ok := strings.Cut(line, ":")
	if !ok {
		return
	}
	value = strings.TrimSpace(value)
	switch key = strings.ToLower(strings.TrimSpace(key)); key {
	case "user-agent", "useragent", "user agent":
		p.userAgent(value)
	case "allow", "disallow":
		p.rule(value, key == "allow")
	case "crawl-delay":
		p.crawlDelay(value)
	case "content-signal", "content-usage":
		p.signal(value)
	case "sitemap":
		if value != "" && len(p.sitemaps) < 100 {
			p.sitemaps = append(p.sitemaps, value)
		}
	}
}

func (p *parser) userAgent(value string) {
	if !p.inAgents {
		p.own.inGroup, p.all.inGroup, p.delay = false, false, 0
	}
	p.inAgents, p.inGroup, p.delayed = true, true, false
	if value == "*" || strings.HasPrefix(value, "* ") {
		p.all.join(p.delay)
	} else if t := ProductToken(value); t != "" && t == p.token {
		p.own.join(p.delay)
	}
}

func (p *parser) rule(value string, allow bool) {
	p.inAgents = false
	if value == "" {
		return // "Disallow:" forbids nothing
	}
	ru := rule{pattern: robotsPattern(value), allow: allow}
	for _, a := range []*audience{&p.own, &p.all} {
		if a.inGroup {
			a.rules = append(a.rules, ru)
		}
	}
}

func (p *parser) crawlDelay(value string) {
	p.delayed = true
	seconds, err := strconv.ParseFloat(strings.TrimRight(value, " second"), 64)
	if err != nil || !(seconds > 0 && seconds < 1e6) {
		return
	}
	d := time.Duration(seconds * float64(time.Second))
	p.delay = max(p.delay, d)
	for _, a := range []*audience{&p.own, &p.all} {
		if a.inGroup {
			a.delay = max(a.delay, d)
		}
	}
}

// signal notes what the file says of the use of its content. In front of all groups that
// is said to everyone. Like Allow and Disallow it may hold for a path alone, which stands
// before the signals (draft-ietf-aipref-attach, section 3).
func (p *parser) signal(value string) {
	to := &p.own
	if !p.own.inGroup {
		if to = &p.all; p.inGroup && !p.all.inGroup {
			return
		}
	}
	if len(to.signals) < 20 {
		to.signals = append(to.signals, value)
	}
	path, said := "/", value
	if i := strings.IndexAny(value, " \t"); i > 0 && value[0] == '/' {
		path, said = value[:i], value[i:]
	}
	if stated, refused := httphead.Input(said); stated {
		to.input = append(to.input, rule{pattern: robotsPattern(path), allow: !refused})
	}
}

// rules are those for us, by our name if the file has it, else as for everyone.
func (p *parser) rules() *Rules {
	to, signals, input := p.all, p.all.signals, p.all.input
	if p.own.named {
		to, signals, input = p.own, append(p.own.signals, p.all.signals...), append(p.own.input, p.all.input...)
	}
	r := &Rules{Sitemaps: p.sitemaps, Delay: cmp.Or(to.delay, to.above), Signals: signals, input: patterns{strict: true}}
	r.crawl.index(to.rules)
	r.input.index(input)
	return r
}

// Allowed reports whether u may be fetched. Only its path and query count.
func (r *Rules) Allowed(u *url.URL) bool {
	if r.Refuse {
		return false
	}
	if u.EscapedPath() == "/robots.txt" {
		return true // section 2.2.2
	}
	return r.crawl.allow(requested(u))
}

// RefusesInput reports whether the file says ai-input=no for u. The longest path that ai-input
// is said for counts, and of equal ones one with a no.
func (r *Rules) RefusesInput(u *url.URL) bool { return !r.input.allow(requested(u)) }

// ProductToken is what a crawler is called in robots.txt: letters, "-" and "_"
// up to the first other character (section 2.2.1).
func ProductToken(agent string) string {
	for i := 0; i < len(agent); i++ {
		if c := agent[i] | 0x20; !('a' <= c && c <= 'z' || agent[i] == '-' || agent[i] == '_') {
			agent = agent[:i]
			break
		}
	}
	return strings.ToLower(agent)
}

// splitLines ends lines at CR, LF or both.
func splitLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		switch {
		case data[i] == '\n':
		case i+1 < len(data) && data[i+1] == '\n':
			return i + 2, data[:i], nil
		case i+1 == len(data) && !atEOF:
			return 0, nil, nil // an LF may follow
		}
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// Header reads a value of an X-Robots-Tag header for the crawler whose product token
// is given. What stands behind "otherbot:" is for that crawler alone, up to the next
// name; max-snippet and its like are directives with a value, no names.
func Header(v, token string, noindex, nofollow bool) (bool, bool) {
	forUs := true
	for part := range strings.SplitSeq(v, ",") {
		if name, rest, ok := strings.Cut(part, ":"); ok {
			name = strings.ToLower(strings.TrimSpace(name))
			if valued[name] || name != ProductToken(name) {
				continue // a value, which may be a time of day
			}
			forUs, part = name == token, rest
		}
		if forUs {
			noindex, nofollow = Directives(part, noindex, nofollow)
		}
	}
	return noindex, nofollow
}

var valued = map[string]bool{"max-snippet": true, "max-image-preview": true, "max-video-preview": true, "unavailable_after": true}

// Directives reads the value of a robots meta element.
func Directives(v string, noindex, nofollow bool) (bool, bool) {
	for d := range strings.FieldsFuncSeq(strings.ToLower(v), func(r rune) bool { return r == ',' || r == ' ' }) {
		switch d {
		case "noindex":
			noindex = true
		case "nofollow":
			nofollow = true
		case "none":
			noindex, nofollow = true, true
		}
	}
	return noindex, nofollow
}
