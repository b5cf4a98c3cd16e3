// Package robots reads robots.txt (RFC 9309) and the directives of pages.
package robots

import (
	"bufio"
	"bytes"
	"cmp"
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
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
	Sitemaps []string        // as written
	Delay    time.Duration   // Crawl-delay, 0 if none
	Signals  []string        // the values of Content-Signal and Content-Usage lines
	plain    map[uint64]rule // rules without wildcards, by their hash
	lengths  []int           // of their patterns, longest first
	wild     []rule          // the others
	Refuse   bool            // everything: the server is in trouble (section 2.3.1.4)
}

type rule struct {
	pattern string // normalised escapes; '*' and a final '$' are special
	allow   bool
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
// is said to everyone.
func (p *parser) signal(value string) {
	if p.own.inGroup && len(p.own.signals) < 20 {
		p.own.signals = append(p.own.signals, value)
	} else if (p.all.inGroup || !p.inGroup) && len(p.all.signals) < 20 {
		p.all.signals = append(p.all.signals, value)
	}
}

// rules are those for us, by our name if the file has it, else as for everyone.
func (p *parser) rules() *Rules {
	to, signals := p.all, p.all.signals
	if p.own.named {
		to, signals = p.own, append(p.own.signals, p.all.signals...)
	}
	r := &Rules{Sitemaps: p.sitemaps, Delay: cmp.Or(to.delay, to.above), Signals: signals}
	r.index(to.rules)
	return r
}

// maxWild is how many rules with wildcards are matched one by one.
const maxWild = 1000

// maxStars is how many wildcards these have together.
const maxStars = 16 * maxWild

// index makes looking a path up cost as much as the path is long, however many
// rules there are. Of too many with wildcards the rest counts up to its first
// one: what is forbidden stays so.
func (r *Rules) index(rules []rule) {
	r.plain = map[uint64]rule{}
	wild := map[string]int{}
	lengths := map[int]bool{}
	stars := 0
	for _, ru := range rules {
		if strings.ContainsAny(ru.pattern, "*$") {
			if at, seen := wild[ru.pattern]; seen {
				r.wild[at].allow = r.wild[at].allow || ru.allow
				continue
			}
			if n := strings.Count(ru.pattern, "*"); len(r.wild) < maxWild && stars+n <= maxStars {
				stars += n
				wild[ru.pattern] = len(r.wild)
				r.wild = append(r.wild, ru)
				continue
			}
			if ru.allow {
				continue
			}
			ru.pattern = strings.TrimSuffix(ru.pattern, "$")
			ru.pattern, _, _ = strings.Cut(ru.pattern, "*")
		}
		h := hash(ru.pattern)
		if was, seen := r.plain[h]; seen && was.pattern == ru.pattern {
			ru.allow = ru.allow || was.allow
		}
		r.plain[h] = ru
		lengths[len(ru.pattern)] = true
	}
	r.lengths = slices.Sorted(maps.Keys(lengths))
	slices.Reverse(r.lengths)
}

var seed = maphash.MakeSeed()

func hash(s string) uint64 { return maphash.String(seed, s) }

// Allowed reports whether u may be fetched. Only its path and query count.
func (r *Rules) Allowed(u *url.URL) bool {
	if r.Refuse {
		return false
	}
	p := strings.ReplaceAll(weburl.Escape(u.EscapedPath()), "*", star)
	if p == "" {
		p = "/"
	}
	if p == "/robots.txt" {
		return true // section 2.2.2
	}
	if u.RawQuery != "" {
		p += "?" + strings.ReplaceAll(weburl.Escape(u.RawQuery), "*", star)
	}
	best, allow := -1, true
	for _, n := range r.lengths {
		if n > len(p) {
			continue
		}
		if ru, ok := r.plain[hash(p[:n])]; ok && ru.pattern == p[:n] {
			best, allow = n, ru.allow
			break
		}
	}
	for _, ru := range r.wild {
		if n := len(ru.pattern); (n > best || n == best && ru.allow) && matchRobots(ru.pattern, p) {
			best, allow = n, ru.allow
		}
	}
	return allow
}

// star stands for a star that is not a wildcard, "%2A" in a rule (section 2.2.3).
const star = "\x00"

func robotsPattern(value string) string {
	parts := strings.Split(value, "*")
	for i := range parts {
		parts[i] = strings.ReplaceAll(weburl.Escape(parts[i]), "*", star)
	}
	return strings.Join(parts, "*")
}

// matchRobots matches from the start of the path, in time linear in both for
// each star and without going back more than to the last one.
func matchRobots(pattern, p string) bool {
	anchored := strings.HasSuffix(pattern, "$")
	if anchored {
		pattern = pattern[:len(pattern)-1]
	}
	head, rest, starred := strings.Cut(pattern, "*")
	if !strings.HasPrefix(p, head) {
		return false
	}
	p = p[len(head):]
	if !starred {
		return !anchored || p == ""
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			if anchored {
				return strings.HasSuffix(p, part)
			}
			return strings.Contains(p, part)
		}
		i := strings.Index(p, part)
		if i < 0 {
			return false
		}
		p, rest = p[i+len(part):], more
	}
}

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
