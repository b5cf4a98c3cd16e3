package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestCrawl_ThreePages_StreamsLogsAndResult(t *testing.T) {
	w, s := newWorld(t), newSite(t, threePages)
	h := w.crawl(fmt.Sprintf(`{"url":%q,"maxPages":50,"descLength":500,"enableAutoUpdate":false}`, s.URL)).receive()
	if h.code != 1000 || h.reason != "" {
		t.Errorf("closed with %d %q", h.code, h.reason)
	}
	if m := h.messages[len(h.messages)-1]; m.Type != "result" {
		t.Errorf("the last message is %v", m)
	}
	for n := 1; n <= 3; n++ {
		if want := fmt.Sprintf("Crawling page %d/50...", n); strings.Count(h.logs(), want) != 1 {
			t.Errorf("%q is not in the logs once:\n%s", want, h.logs())
		}
	}
	r := h.one(t, "result")
	want := "# Home of Examples\n\n> " + s.URL + "/\n\n## Home of Examples\n\n> " + s.URL + "/\n\nThis site shows what a crawl makes of three small pages with a little prose."
	if !strings.HasPrefix(r.Content, want) || !strings.Contains(r.Content, "## The Second Page\n\n> "+s.URL+"/b\n\nThe second page says something else entirely") {
		t.Errorf("result:\n%s", r.Content)
	}
	if r.Stats == nil || r.Stats.Pages != 3 || r.Stats.Limited {
		t.Errorf("stats: %+v", r.Stats)
	}
	w.wantLog(`kind=crawl subject=alice key_id=[0-9a-f]{16} client=127\.0\.0\.1 agent=farwire-de1 target=127\.0\.0\.1:\d+ ended_by=gateway code=1000 .*frames_to_client=3 bytes_to_target=0 bytes_to_client=` + fmt.Sprint(len(r.Content)))
}

// wantLog waits for a line of the log, which is written behind the client's
// back.
func (w *world) wantLog(pattern string) {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(testTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if re.MatchString(w.log.String()) {
			return
		}
	}
	w.t.Errorf("no line of the log matches %s:\n%s", pattern, w.log)
}

func TestCrawl_FormatIndex_ResultIsAnIndex(t *testing.T) {
	w, s := newWorld(t), newSite(t, threePages)
	h := w.crawl(fmt.Sprintf(`{"url":%q,"format":"index"}`, s.URL)).receive()
	r := h.one(t, "result").Content
	if !strings.HasPrefix(r, "# Home of Examples\n\n> This site shows") || !strings.Contains(r, "- [The First Page]("+s.URL+"/a): The first page") {
		t.Errorf("result:\n%s", r)
	}
}

func TestCrawl_KeysInEachPlace_AreRead(t *testing.T) {
	w := newWorld(t)
	token := w.token(t, testKey)
	header, rest, _ := strings.Cut(token, ".")
	for name, c := range map[string]struct {
		path, line, reason string
	}{
		"none":                  {"/ws/crawl", "", "Unauthorized"},
		"empty":                 {"/ws/crawl?api_key=&token=", "", "Unauthorized"},
		"wrong key":             {"/ws/crawl?api_key=" + testKey + "x", "", "Unauthorized"},
		"wrong key in header":   {"/ws/crawl", "X-API-Key: " + testKey + "x", "Unauthorized"},
		"wrong bearer":          {"/ws/crawl", "Authorization: Bearer " + testKey + "x", "Unauthorized"},
		"wrong token":           {"/ws/crawl?token=nonsense", "", "Invalid or expired token"},
		"tampered token":        {"/ws/crawl?token=" + header + "." + strings.ToUpper(rest), "", "Invalid or expired token"},
		"bad token as key":      {"/ws/crawl?api_key=" + token[:len(token)-4] + "AAAA", "", "Invalid or expired token"},
		"bad token in a header": {"/ws/crawl", "X-API-Key: " + token[:len(token)-4] + "AAAA", "Invalid or expired token"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			if c.line != "" {
				lines = append(lines, c.line)
			}
			p := w.in(t).open(c.path, lines...)
			p.text(`{"apiKey":"` + testKey + `","url":"http://127.0.0.1/"}`) // never read from here
			p.wantClose(1008, c.reason)
			p.close(1008, "")
			p.wantEnd()
		})
	}
	s := newSite(t, threePages)
	for name, c := range map[string]struct{ path, line string }{
		"key":           {"/ws/crawl?api_key=" + testKey, ""},
		"key as token":  {"/ws/crawl?token=" + testKey, ""},
		"token":         {"/ws/crawl?token=" + token, ""},
		"token as key":  {"/ws/crawl?api_key=" + token, ""},
		"key in header": {"/ws/crawl", "X-API-Key: " + testKey},
		"bearer":        {"/ws/crawl", "Authorization: Bearer " + token},
		"header wins":   {"/ws/crawl?api_key=nonsense", "X-API-Key: " + testKey},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			if c.line != "" {
				lines = append(lines, c.line)
			}
			p := w.in(t).open(c.path, lines...)
			p.text(fmt.Sprintf(`{"url":%q,"maxPages":1}`, s.URL))
			if h := p.receive(); h.code != 1000 {
				t.Errorf("got %+v", h)
			}
		})
	}
}

func TestCrawl_BadRequest_IsRefused(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Crawl.MaxPages = 40 })
	const u = `"url":"http://127.0.0.1:1/"`
	for request, want := range map[string]string{
		`nonsense`:                                    "the message is not valid JSON",
		`[]`:                                          "the message is not a JSON object",
		`{}`:                                          "Invalid URL format",
		`{"url":null}`:                                "Invalid URL format",
		`{"url":""}`:                                  "Invalid URL format",
		`{"url":"example.com"}`:                       "Invalid URL format",
		`{"url":"ftp://example.com/"}`:                "Invalid URL format",
		`{"url":"http://"}`:                           "Invalid URL format",
		`{"url":"http://exa mple.com/"}`:              "Invalid URL format",
		`{"url":"http://example.com:99999/"}`:         "Invalid URL format",
		`{"url":"http://[::1/"}`:                      "Invalid URL format",
		`{"url":7}`:                                   "url must be a string",
		`{` + u + `,"url":"http://b/"}`:               `"url" is given twice`,
		`{` + u + `,"agent":","}`:                     "agent names no agent; write it as de1,at5 or leave it out",
		`{` + u + `,"maxPages":0}`:                    "maxPages must be a whole number, at least 1",
		`{` + u + `,"maxPages":"5"}`:                  "maxPages must be a whole number, at least 1",
		`{` + u + `,"maxPages":1.5}`:                  "maxPages must be a whole number, at least 1",
		`{` + u + `,"maxPages":41}`:                   "Maximum pages limit reached",
		`{` + u + `,"maxPages":1001}`:                 "Maximum pages limit reached",
		`{` + u + `,"descLength":99}`:                 "descLength must be a whole number from 100 to 2000",
		`{` + u + `,"descLength":2001}`:               "descLength must be a whole number from 100 to 2000",
		`{` + u + `,"enableAutoUpdate":"yes"}`:        "enableAutoUpdate must be true or false",
		`{` + u + `,"enableAutoUpdate":true}`:         "enableAutoUpdate is not available: this gateway keeps no sites or hosts no files",
		`{` + u + `,"recrawlIntervalMinutes":0}`:      "recrawlIntervalMinutes must be a whole number, at least 1",
		`{` + u + `,"llmEnhance":1}`:                  "llmEnhance must be true or false",
		`{` + u + `,"useBrightdata":1}`:               "useBrightdata must be true or false",
		`{` + u + `,"format":"xml"}`:                  `format must be "pages" or "index"`,
		`{` + u + `,"geo":["DE"]}`:                    "geo must be a string",
		`{` + u + `,"agent":1}`:                       "agent must be a string",
		`{"a":"` + strings.Repeat("x", 64<<10) + `"}`: "the first message is larger than 65536 bytes",
	} {
		t.Run(request[:min(len(request), 60)], func(t *testing.T) {
			p := w.in(t).crawl(request)
			p.t = t
			p.receive().wantError(t, 1008, want)
		})
	}
	t.Run("binary", func(t *testing.T) {
		p := w.in(t).open("/ws/crawl?api_key=" + testKey)
		p.frame(opBinary, true, []byte(`{`+u+`}`))
		p.receive().wantError(t, 1008, "the first message must be text")
	})
}

// TestCrawl_NotAnUpgrade_IsRefused never become sockets.
func TestCrawl_NotAnUpgrade_IsRefused(t *testing.T) {
	w := newWorld(t)
	wantDetail(t, w.do("GET", "/ws/crawl?api_key="+testKey), 426,
		"this is a WebSocket endpoint: connect with a WebSocket client over HTTP/1.1")
}

func TestCrawl_Fails_SendsTheError(t *testing.T) {
	site, moved := newSite(t, nil), newSite(t, nil)
	moved.Config.Handler = http.RedirectHandler("http://private.test:1/", http.StatusFound)
	for name, c := range map[string]struct {
		url  string
		more string
		edit func(*farwire.Options)
		code int
		want string
	}{
		"no such page": {newSite(t, nil).URL, "", nil, 1011, "Failed to fetch page: HTTP 404 Not Found"},
		"refused":      {"http://" + harness.FreeAddr(t), "", nil, 1011, "Failed to fetch page: Connection refused"},
		"robots.txt": {newSite(t, map[string]string{"/": "x", "/robots.txt": "User-agent: *\nDisallow: /"}).URL, "", nil, 1011,
			"robots.txt forbids crawling this site"},
		"guard": {site.URL, "", func(o *farwire.Options) { o.Agents = direct(t, agent.DirectOptions{}) }, 1008,
			`Failed to fetch page: Target "127.0.0.1" is private: this agent reaches private addresses only with --allow-private`},
		"no agent that fits": {site.URL, `,"agent":"us1","geo":"US"`, nil, 1011, "no agent is attached that fits agent us1 geo US"},
		"agent fails":        {site.URL, "", func(o *farwire.Options) { o.Agents = failingExit(agent.FaultAgent) }, 1011, "agent lost"},
		"time is over": {newSite(t, map[string]string{"/": "hang"}).URL, "",
			func(o *farwire.Options) { o.Crawl.Timeout = 200 * time.Millisecond }, 1011, "Crawl timeout exceeded"},
		"internal error of the selector": {site.URL, "", func(o *farwire.Options) {
			o.Agents = selector(func(agent.Query) (agent.Exit, error) {
				return agent.Exit{}, errors.New("the database of agents is away")
			})
		}, 1011, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			var edits []func(*farwire.Options)
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			w := newWorld(t, edits...)
			h := w.crawl(fmt.Sprintf(`{"url":%q%s}`, c.url, c.more)).receive()
			m := h.one(t, "error")
			if h.code != c.code || !strings.HasPrefix(m.Content, c.want) {
				t.Errorf("got %+v, want %d %q", h, c.code, c.want)
			}
		})
	}
}

func failingExit(f agent.Fault) agent.Exit {
	return agent.Exit{ID: "farwire-bad", Slug: "bad", Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &agent.DialError{Fault: f, Err: errors.New("tunnel 10.1.2.3 is gone")}
	}}
}

// TestCrawl_ClientLeaves_Stops stops the crawl within a second, asserted at twice that.
func TestCrawl_ClientLeaves_Stops(t *testing.T) {
	for name, leave := range map[string]func(*peer){
		"with a close frame": func(p *peer) { p.close(1000, "enough") },
		"without a word":     func(p *peer) { p.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := newSite(t, map[string]string{"/": threePages["/"], "/a": "hang"})
			p := w.crawl(fmt.Sprintf(`{"url":%q}`, s.URL))
			s.wait(t, s.hung)
			leave(p)
			left := time.Now()
			select {
			case <-s.gone:
			case <-time.After(testTimeout):
			}
			if d := time.Since(left); d > 2*time.Second {
				t.Errorf("the crawl goes on for %v", d)
			}
			w.wantLog(`kind=crawl .* ended_by=client`)
		})
	}
}

func TestCrawl_Ping_IsAnswered(t *testing.T) {
	w := newWorld(t)
	s := newSite(t, map[string]string{"/": "hang"})
	p := w.crawl(fmt.Sprintf(`{"url":%q}`, s.URL))
	p.text(`{"a second message": "is nobody's"}`)
	for i := range 3 {
		p.frame(opPing, true, []byte{byte('a' + i)})
		p.want(frame{op: opPong, fin: true, payload: []byte{byte('a' + i)}})
	}
	p.close(1000, "")
	p.wantClose(1000, "")
}

func TestCrawl_Drain_Closes1001(t *testing.T) {
	w := newWorld(t)
	s := newSite(t, map[string]string{"/": "hang"})
	waiting := w.open("/ws/crawl?api_key=" + testKey)
	running := w.crawl(fmt.Sprintf(`{"url":%q}`, s.URL))
	running.frame(opPing, true, nil)
	running.want(frame{op: opPong, fin: true}) // it runs
	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		done <- w.gw.Shutdown(ctx)
	}()
	for _, p := range []*peer{waiting, running} {
		p.receive().wantError(t, 1001, "the gateway is draining")
		p.conn.Close()
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if p := w.try("/ws/crawl?api_key=" + testKey); p.resp.StatusCode != 503 {
		t.Errorf("a new crawl got %s", p.resp.Status)
	}
}

// TestCrawl_ExitLost_GoesOnThroughAnother loses its exit in the middle.
func TestCrawl_ExitLost_GoesOnThroughAnother(t *testing.T) {
	pages := map[string]string{}
	var links []string
	for i := range 20 {
		path := fmt.Sprintf("/p%02d", i)
		links = append(links, path)
		pages[path] = page("Page "+path, "What is written on "+path+" is not written anywhere else on this small site.")
	}
	pages["/p09"] = "once " + pages["/p09"] // so that the exit dies under it
	pages["/"] = page("Home", "A home page with a good number of links to other pages.", links...)
	run := func(t *testing.T, more string) (heard, *killableAgent) {
		s := newSite(t, pages)
		first, second := newKillableAgent(t, "de1"), newKillableAgent(t, "at5")
		w := newWorld(t, func(o *farwire.Options) {
			o.Crawl.Workers = 2
			o.Agents = selector(func(q agent.Query) (agent.Exit, error) {
				for _, m := range []*killableAgent{first, second} {
					if q.Fits(m.exit) && !m.dead.Load() {
						return m.exit, nil
					}
				}
				return agent.Exit{}, agent.ErrNoAgent
			})
		})
		p := w.crawl(fmt.Sprintf(`{"url":%q,"maxPages":21%s}`, s.URL, more))
		s.wait(t, s.hung)
		first.kill()
		return p.receive(), second
	}
	t.Run("through another", func(t *testing.T) {
		h, second := run(t, "")
		if n := strings.Count(h.one(t, "result").Content, "\n## "); h.code != 1000 || n != 21 {
			t.Errorf("got %d pages and code %d; logs:\n%s", n, h.code, h.logs())
		}
		if second.dials.Load() == 0 || !strings.Contains(h.logs(), "The exit was lost; going on through farwire-at5") {
			t.Errorf("the second exit had %d dials; logs:\n%s", second.dials.Load(), h.logs())
		}
	})
	t.Run("unless one was pinned", func(t *testing.T) {
		h, second := run(t, `,"agent":"de1"`)
		h.wantError(t, 1011, "agent lost")
		if second.dials.Load() != 0 {
			t.Error("a pinned exit was replaced")
		}
	})
}

// TestCrawl_InvalidFrame_IsReportedOnce breaks the frame format in every phase and is told so once.
func TestCrawl_InvalidFrame_IsReportedOnce(t *testing.T) {
	w := newWorld(t)
	s := newSite(t, map[string]string{"/": "hang"})
	breach := func(t *testing.T, p *peer) {
		p.raw([]byte{0xC1, 0x80, 0, 0, 0, 0}) // reserved bit
		p.t = t
		p.wantClose(1002, "a frame broke the format")
		p.close(1002, "")
		p.wantEnd()
	}
	t.Run("before the message", func(t *testing.T) { breach(t, w.in(t).open("/ws/crawl?api_key="+testKey)) })
	t.Run("behind it", func(t *testing.T) {
		p := w.in(t).crawl(fmt.Sprintf(`{"url":%q}`, s.URL))
		s.wait(t, s.hung)
		breach(t, p)
		s.wait(t, s.gone)
	})
}
