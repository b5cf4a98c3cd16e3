package robots_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/robots"
)

// The cases that Google publishes for its own parser, and those of RFC 9309,
// in our words: a file, a crawler, and what it may fetch.
func TestRobots_EachRule_AllowsOrForbids(t *testing.T) {
	for name, tt := range map[string]struct {
		file  string
		agent string
		yes   []string
		no    []string
		delay time.Duration
	}{
		"empty file":             {file: "", yes: []string{"/", "/x"}},
		"nothing understood":     {file: "foo: FooBot\nbar: /\n", yes: []string{"/x"}},
		"rules without a group":  {file: "Disallow: /x\nuser-agent: FooBot\nallow: /", yes: []string{"/x"}},
		"simple group":           {file: "User-Agent: FooBot\nDisallow: /\n", no: []string{"/x"}},
		"other agent":            {file: "User-Agent: BarBot\nDisallow: /\n", yes: []string{"/x"}},
		"keys in any case":       {file: "USER-AGENT: FooBot\nALLOW: /x/\nDISALLOW: /\n", yes: []string{"/x/y"}, no: []string{"/a"}},
		"agents in any case":     {file: "user-agent: FOObot\nallow: /x/\ndisallow: /\n", yes: []string{"/x/y"}, no: []string{"/a"}},
		"paths in their case":    {file: "user-agent: FooBot\ndisallow: /X/\n", yes: []string{"/x/y"}, no: []string{"/X/y"}},
		"no space after colon":   {file: "user-agent:FooBot\ndisallow:/x\n", no: []string{"/x"}},
		"spaces before colon":    {file: "user-agent : FooBot\ndisallow\t:\t/x\n", no: []string{"/x"}},
		"several agents":         {file: "user-agent: Other\nuser-agent: FooBot\ndisallow: /x\n", no: []string{"/x"}},
		"groups come together":   {file: "user-agent: FooBot\ndisallow: /a\n\nuser-agent: Other\ndisallow: /b\n\nuser-agent: FooBot\ndisallow: /c\n", yes: []string{"/b"}, no: []string{"/a", "/c"}},
		"own group beats star":   {file: "user-agent: *\ndisallow: /\nuser-agent: FooBot\nallow: /\n", yes: []string{"/x"}},
		"own empty group":        {file: "user-agent: *\ndisallow: /\nuser-agent: FooBot\ndisallow:\n", yes: []string{"/x"}},
		"star for the rest":      {file: "user-agent: Other\nallow: /\nuser-agent: *\ndisallow: /\n", no: []string{"/x"}},
		"star with more":         {file: "user-agent: * baz\ndisallow: /x\n", no: []string{"/x"}},
		"token is a prefix":      {file: "user-agent: Foo\ndisallow: /\n", yes: []string{"/x"}},
		"version in the file":    {file: "user-agent: FooBot/2.1\ndisallow: /\n", no: []string{"/x"}},
		"unknown between agents": {file: "user-agent: FooBot\nnoindex: /y\nuser-agent: Other\ndisallow: /x\n", no: []string{"/x"}},
		"delay between agents":   {file: "user-agent: FooBot\ncrawl-delay: 5\nuser-agent: *\ndisallow: /x\n", no: []string{"/x"}, delay: 5 * time.Second},
		"delay for all between":  {file: "user-agent: *\ncrawl-delay: 5\nuser-agent: Other\ndisallow: /x\n", no: []string{"/x"}, delay: 5 * time.Second},
		"delay above our name":   {file: "user-agent: Other\ncrawl-delay: 5\nuser-agent: FooBot\ndisallow: /x\n", no: []string{"/x"}, delay: 5 * time.Second},
		"delay above everyone":   {file: "user-agent: Other\r\ncrawl-delay: 5\r\nuser-agent: *\r\ndisallow: /x\r\n", no: []string{"/x"}, delay: 5 * time.Second},
		"delay above and below":  {file: "user-agent: Other\ncrawl-delay: 5\nuser-agent: FooBot\ncrawl-delay: 2\ndisallow: /x\n", no: []string{"/x"}, delay: 2 * time.Second},
		"delay of another group": {file: "user-agent: Other\ncrawl-delay: 5\ndisallow: /y\nuser-agent: FooBot\ndisallow: /x\n", yes: []string{"/y"}, no: []string{"/x"}},
		"delay and a blank line": {file: "user-agent: *\ncrawl-delay: 10\n\nuser-agent: BadBot\ndisallow: /\n", yes: []string{"/x"}, delay: 10 * time.Second},
		"delay alone, then ours": {file: "user-agent: *\ncrawl-delay: 10\n \t\nuser-agent: FooBot\ndisallow: /x\n", yes: []string{"/y"}, no: []string{"/x"}},
		"delay, CR, blank":       {file: "user-agent: *\rcrawl-delay: 10\r\ruser-agent: BadBot\rdisallow: /\r", yes: []string{"/x"}, delay: 10 * time.Second},
		"delay, CRLF, blank":     {file: "user-agent: *\r\ncrawl-delay: 10\r\n\r\nuser-agent: BadBot\r\ndisallow: /\r\n", yes: []string{"/x"}, delay: 10 * time.Second},
		"delay, CR, no blank":    {file: "user-agent: FooBot\rcrawl-delay: 5\ruser-agent: Other\rdisallow: /x", no: []string{"/x"}, delay: 5 * time.Second},
		"delay, CRLF, no blank":  {file: "user-agent: FooBot\r\ncrawl-delay: 5\r\nuser-agent: Other\r\ndisallow: /x\r\n", no: []string{"/x"}, delay: 5 * time.Second},
		"delay, comment":         {file: "user-agent: FooBot\ncrawl-delay: 5\n# and\nuser-agent: Other\ndisallow: /x\n", no: []string{"/x"}, delay: 5 * time.Second},
		"delay, comment, blank":  {file: "user-agent: *\ncrawl-delay: 5 # s\n# bad ones\n\n# more\nuser-agent: BadBot\ndisallow: /\n", yes: []string{"/x"}, delay: 5 * time.Second},
		"delay, blank, rules":    {file: "user-agent: *\ncrawl-delay: 5\n\ndisallow: /x\n", no: []string{"/x"}, delay: 5 * time.Second},
		"blank between agents":   {file: "user-agent: Other\ncrawl-delay: 5\nuser-agent: FooBot\n\nuser-agent: Third\ndisallow: /x\n", no: []string{"/x"}, delay: 5 * time.Second},
		"blank line in a group":  {file: "user-agent: FooBot\n\n\ndisallow: /x\n", no: []string{"/x"}},
		"crawl-delay is no end":  {file: "user-agent: FooBot\ncrawl-delay: 3\ndisallow: /x\n", no: []string{"/x"}, delay: 3 * time.Second},
		"longest match":          {file: "user-agent: FooBot\ndisallow: /x/page.html\nallow: /x/\n", yes: []string{"/x/", "/x/page.htm"}, no: []string{"/x/page.html"}},
		"allow wins a tie":       {file: "user-agent: FooBot\ndisallow: /x\nallow: /x\n", yes: []string{"/x"}},
		"order is nothing":       {file: "user-agent: FooBot\nallow: /p\ndisallow: /\n", yes: []string{"/page"}, no: []string{"/x"}},
		"disallow empty":         {file: "user-agent: FooBot\ndisallow:\n", yes: []string{"/"}},
		"star inside":            {file: "user-agent: FooBot\ndisallow: /a*b\n", yes: []string{"/a", "/ca/b"}, no: []string{"/ab", "/axxb", "/a/b/c"}},
		"stars":                  {file: "user-agent: FooBot\ndisallow: /*/a/*.gif\n", yes: []string{"/a/x.gif", "/b/a/x.png"}, no: []string{"/b/a/x.gif", "/b/c/a/d/e.gif?f"}},
		"star at the end":        {file: "user-agent: FooBot\ndisallow: /fish*\n", yes: []string{"/Fish", "/catfish"}, no: []string{"/fish", "/fish.html", "/fishheads/yummy.html"}},
		"dollar":                 {file: "user-agent: FooBot\ndisallow: /*.php$\n", yes: []string{"/index.php?x", "/index.php/", "/windows.PHP"}, no: []string{"/index.php", "/a/index.php"}},
		"dollar alone":           {file: "user-agent: FooBot\ndisallow: /\nallow: /$\n", yes: []string{"/"}, no: []string{"/x"}},
		"dollar inside":          {file: "user-agent: FooBot\ndisallow: /a$b\n", yes: []string{"/a"}, no: []string{"/a$bc"}},
		"query":                  {file: "user-agent: FooBot\ndisallow: /*?*session=\n", yes: []string{"/a?x=1"}, no: []string{"/a?x=1&session=2"}},
		"escapes":                {file: "user-agent: FooBot\ndisallow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par\n", no: []string{"/foo/bar?qux=taz&baz=http://foo.bar?tar&par"}},
		"escaped and raw":        {file: "user-agent: FooBot\ndisallow: /foo/bar/ツ\nallow: /\n", no: []string{"/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84"}, yes: []string{"/foo/bar/%E3"}},
		"escaped letter":         {file: "user-agent: FooBot\ndisallow: /foo/%62%61%7A\n", no: []string{"/foo/baz"}},
		"escaped star":           {file: "user-agent: FooBot\ndisallow: /a%2Ab\ndisallow: /c%2a*d\n", no: []string{"/a*b", "/a%2Ab", "/c*xd"}, yes: []string{"/axb", "/cxd"}},
		"comment":                {file: "user-agent: FooBot # us\ndisallow: /x # here\n# disallow: /y\n", yes: []string{"/y"}, no: []string{"/x"}},
		"byte order mark":        {file: "\ufeffuser-agent: FooBot\ndisallow: /x\n", no: []string{"/x"}},
		"carriage returns":       {file: "user-agent: FooBot\rdisallow: /x\r\rdisallow: /y", no: []string{"/x", "/y"}},
		"line feeds after them":  {file: "user-agent: FooBot\r\ndisallow: /x\r\n", no: []string{"/x"}},
		"robots.txt itself":      {file: "user-agent: FooBot\ndisallow: /\n", yes: []string{"/robots.txt"}},
		"index is no directory":  {file: "user-agent: FooBot\ndisallow: /\nallow: /allowed-slash/index.html\n", no: []string{"/allowed-slash/"}, yes: []string{"/allowed-slash/index.html"}},
	} {
		t.Run(name, func(t *testing.T) {
			agent := tt.agent
			if agent == "" {
				agent = "FooBot/2.1 (+https://foo.test)"
			}
			r := robots.Parse([]byte(tt.file), agent)
			if r.Delay != tt.delay {
				t.Errorf("delay %v, want %v", r.Delay, tt.delay)
			}
			for want, paths := range map[bool][]string{true: tt.yes, false: tt.no} {
				for _, p := range paths {
					u, err := url.Parse("http://foo.test" + p)
					if err != nil {
						t.Fatal(err)
					}
					if got := r.Allowed(u); got != want {
						t.Errorf("%s allowed: %t, want %t", p, got, want)
					}
				}
			}
		})
	}
}

func TestRobots_DelaySitemapsAndSize_AreRead(t *testing.T) {
	r := robots.Parse([]byte("Sitemap: http://a.test/1.xml\nUser-agent: *\nCrawl-delay: 1.5\nUser-agent: FooBot\nCrawl-delay: 0.25\nSitemap: /2.xml # second\nCrawl-delay: x"), "foobot")
	if r.Delay != 250*time.Millisecond || len(r.Sitemaps) != 2 || r.Sitemaps[1] != "/2.xml" {
		t.Errorf("%+v", r)
	}
	// A file may be large; a rule cut in half must not count.
	big := "user-agent: *\n" + strings.Repeat("# filler line\n", 40_000) + "disallow: /late\n"
	if u, _ := url.Parse("http://a.test/late"); !robots.Parse([]byte(big), "x").Allowed(u) {
		t.Error("a rule behind the first 500 KiB counts")
	}
	cut := "user-agent: *\nallow: /only" + strings.Repeat("x", 500<<10) + "\n"
	if u, _ := url.Parse("http://a.test/"); !robots.Parse([]byte(cut), "x").Allowed(u) {
		t.Error("half a line counts")
	}
}

// A pattern of many stars must not take exponential time.
func TestRobots_ManyStars_TakeLinearTime(t *testing.T) {
	file := "user-agent: *\ndisallow: /" + strings.Repeat("*a", 2000) + "*b$\n"
	u, _ := url.Parse("http://a.test/" + strings.Repeat("a", 1900))
	if !robots.Parse([]byte(file), "x").Allowed(u) {
		t.Error("matched")
	}
}

func FuzzRobots(f *testing.F) {
	f.Add("user-agent: *\ndisallow: /a*b$\nallow: /a\n", "farwire", "/a/b")
	f.Add("User-agent: farwire\r\nCrawl-delay: 1\r\nDisallow: /%7Ex\r\n", "farwire/1", "/~x")
	f.Fuzz(func(t *testing.T, file, agent, path string) {
		u, err := url.Parse("http://foo.test/" + strings.TrimLeft(path, "/"))
		if err != nil || u.Host != "foo.test" {
			return
		}
		r := robots.Parse([]byte(file), agent)
		r.Allowed(u)
		if r.Delay < 0 {
			t.Errorf("delay %v", r.Delay)
		}
		// What is forbidden to all stays so behind any file without groups of ours.
		if !strings.Contains(strings.ToLower(file), "agent") && !r.Allowed(u) {
			t.Errorf("%q forbids %s without naming anyone", file, u)
		}
	})
}

// Of rules with more wildcards than are matched the rest never allows what it forbids.
func TestRobots_RulesOfManyStars_ForbidNoLess(t *testing.T) {
	many := strings.Repeat("*a", 9000)
	r := robots.Parse([]byte("User-agent: *\nDisallow: /x"+many+"$\nDisallow: /y/*b"+many+"$\nAllow: /y/c*"+many+"\nDisallow: /z*q\n"), "farwire")
	for path, want := range map[string]bool{
		"/x" + strings.Repeat("a", 9000): false,
		"/x" + strings.Repeat("a", 10):   true,
		"/y/ba":                          false,
		"/y/ca":                          false,
		"/za":                            true,
		"/zaq":                           false,
	} {
		if got := r.Allowed(&url.URL{Scheme: "http", Host: "a.test", Path: path}); got != want {
			t.Errorf("%.20s: allowed %v, want %v", path, got, want)
		}
	}
}

// A thousand rules with wildcards are matched, with 16 000 wildcards together; further
// ones count up to their first.
func TestRobots_ManyRulesWithWildcards_FurtherOnesForbidMore(t *testing.T) {
	var many strings.Builder
	for i := range 1002 {
		fmt.Fprintf(&many, "Disallow: /%d/*q\n", i)
	}
	stars := "Disallow: /a/" + strings.Repeat("*q", 15_990) + "\nDisallow: /b/" + strings.Repeat("*q", 10) + "\nDisallow: /c/*q\n"
	for rules, paths := range map[string]map[string]bool{
		many.String(): {"/0/x": true, "/0/xq": false, "/999/x": true, "/999/xq": false, "/1000/x": false, "/1001/x": false, "/1002/x": true},
		stars:         {"/a/x": true, "/b/x": true, "/b/qqqqqqqqqq": false, "/c/x": false, "/d/x": true},
	} {
		r := robots.Parse([]byte("User-agent: *\n"+rules), "farwire")
		for path, want := range paths {
			if got := r.Allowed(&url.URL{Scheme: "http", Host: "a.test", Path: path}); got != want {
				t.Errorf("%s: allowed %v, want %v", path, got, want)
			}
		}
	}
}
