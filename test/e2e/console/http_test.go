package console

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// api answers HTTP requests as the tests of the panel want it.
func api(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Of-The-Target", "seen")
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.RequestURI, "body": string(body), "header": r.Header})
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo?moved=1", http.StatusFound) })
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0xff, 0xfe, 0, 'h', 'i'}) })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<script>parent.document.title='owned'</script><img src=x onerror="document.title='owned'">`)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: the first\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func TestHTTP_Answer_ShownAsText(t *testing.T) {
	t.Parallel()
	url := api(t)
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/#http"))
	p.enter(g.Key)
	p.choose("#http-through", "agent:local")
	p.choose("#http-method", "POST")
	p.click("#http .more summary")
	p.fill("#http-headers", "X-Mine: one\nAuthorization: Bearer of-the-target")
	p.fill("#http-session", "basket-1")
	p.fill("#http-text", `{"a": 1}`)
	p.fill("#http-url", url+"/echo?q=a%2Fb")
	p.click("#http-send")
	p.says("#http-status", "Done.")
	p.says("#http-code-line", "201 Created through farwire-local")
	p.says("#http-times", "Whole after")
	var seen struct {
		Method, URI, Body string
		Header            http.Header
	}
	if err := json.Unmarshal([]byte(p.text("#http-body pre")), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Method != http.MethodPost || seen.URI != "/echo?q=a%2Fb" || seen.Body != `{"a": 1}` ||
		seen.Header.Get("X-Mine") != "one" || seen.Header.Get("Authorization") != "Bearer of-the-target" || seen.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the target saw %+v", seen)
	}
	if seen.Header.Get("X-Api-Key") != "" {
		t.Error("the target saw the key")
	}
	p.click("#http-headers-count")
	p.says("#http-head", "x-of-the-target\nseen")
	p.shot("http-headers")
	// On a phone a value has the width of the screen, not what a long name leaves of it.
	p.use(phone)
	p.await(`((list) => [...list.querySelectorAll('dd')].every((value) => value.clientWidth > 0.9 * list.clientWidth))(document.querySelector('#http-head dl'))`)
	p.use(desktop)

	// A redirect is followed through the agent, and said.
	p.choose("#http-method", "GET")
	p.fill("#http-url", url+"/moved")
	p.click("#http-send")
	p.says("#http-moved", "Redirected to "+url+"/echo?moved=1")

	// Bytes are shown as bytes, and a page as its text.
	p.click("#view-body")
	p.fill("#http-url", url+"/bytes")
	p.click("#http-send")
	p.says("#http-body pre", "ff fe 00 68 69")
	p.fill("#http-url", url+"/page")
	p.click("#http-send")
	p.says("#http-body pre", "<script>parent.document.title='owned'</script>")
	if title := eval[string](p, `document.title`); title != "HTTP · Farwire" {
		t.Errorf("an answer has changed the page: %s", title)
	}

	// An answer without an end is shown as it comes, until the person has enough.
	p.fill("#http-url", url+"/slow")
	p.click("#http-send")
	p.says("#http-body pre", "data: the first")
	p.says("#http-send", "Stop")
	p.click("#http-send")
	p.says("#http-status", "Stopped.")
	if got := p.download("#http-download", "slow"); got != "data: the first\n\n" {
		t.Errorf("of what was stopped, the download is %q", got)
	}

	// The addresses of before are offered again.
	offered := eval[[]string](p, `[...document.querySelectorAll('#http-targets option')].map((o) => o.value)`)
	if len(offered) != 5 || offered[0] != url+"/slow" || offered[4] != url+"/echo?q=a%2Fb" {
		t.Errorf("offered are %q", offered)
	}
}

func TestHTTP_Refusals_NamedWithTheirField(t *testing.T) {
	t.Parallel()
	url := api(t)
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/#http"))
	p.expect("(Forbidden)", "(Bad Gateway)")
	p.enter(g.Key)
	at := func() string { return eval[string](p, `document.activeElement.id`) }
	for _, c := range []struct{ url, header, title, field string }{
		{"", "", "Enter the address to ask.", "http-url"},
		{"api.example.com", "", "An address begins with http:// or https://.", "http-url"},
		{"http://user:secret@api.example.com/", "", "An address with a password is not sent.", "http-url"},
		{"http://echo.farwire.alt/", "no colon", "“no colon” is not a valid header.", "http-headers"},
		{"http://echo.farwire.alt/", "Host: elsewhere.example", "A browser lets no page send the header Host.", "http-headers"},
		{"http://echo.farwire.alt/", "Authorization: Basic dTpw", "The gateway sends no Basic password of a browser on.", "http-headers"},
	} {
		p.fill("#http-url", c.url)
		if c.header != "" {
			eval[any](p, `void (document.querySelector('#http .more').open = true)`)
			p.fill("#http-headers", c.header)
		}
		p.click("#http-send")
		p.says("#http-notice", c.title)
		if got := at(); got != c.field {
			t.Errorf("%s: the focus is on %q, want %s", c.title, got, c.field)
		}
		if !eval[bool](p, fmt.Sprintf(`document.getElementById(%q).getAttribute('aria-invalid') === 'true'`, c.field)) {
			t.Errorf("%s: the field is not marked", c.title)
		}
	}
	p.fill("#http-headers", "")
	p.fill("#http-url", url+"/echo")
	p.click("#http-send")
	p.says("#http-notice", "The agent does not go to that address.")
	if title := p.text("#http-code-line"); title != "" {
		t.Errorf("a refusal is shown as an answer: %s", title)
	}
}

// Of an answer that breaks off there is what has come; and one of before does not stand
// beside a refusal as if it were the answer to it.
func TestHTTP_NoAnswerOrHalfOfOne_IsNotTakenForOne(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half")
		http.NewResponseController(w).Flush()
		select {
		case <-seen:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(func() {
		broken.CloseClientConnections()
		broken.Close()
	})
	url := api(t)
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/#http"))
	p.expect("(Bad Gateway)", "net::ERR_")
	p.enter(g.Key)
	shown := func() bool {
		return eval[bool](p, `['#http-answer', '#http-download', '#http-code-line *'].some((css) => document.querySelector(css)?.checkVisibility())`)
	}
	if shown() {
		t.Error("before any request there is something of an answer")
	}
	p.fill("#http-url", broken.URL+"/cut")
	p.click("#http-send")
	p.says("#http-body", "half")
	close(seen)
	p.says("#http-status", "The answer is not whole.")
	p.says("#http-notice", "The answer broke off.")
	p.says("#http-body", "half")
	if got := p.download("#http-download", "cut"); got != "half" {
		t.Errorf("the download is %q", got)
	}
	p.fill("#http-url", url+"/echo")
	p.click("#http-send")
	p.says("#http-status", "Done.")
	p.fill("#http-url", "http://127.0.0.1:1/")
	p.click("#http-send")
	p.says("#http-status", "There is no answer.")
	if shown() {
		t.Errorf("beside a refusal stands the answer of before: %s", p.text("#http-code-line"))
	}
}

// The other panels name what is missing, too.
func TestPanels_FieldEmpty_IsNamedAndFocused(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	for _, c := range []struct{ tab, button, notice, title, field string }{
		{"#tab-relay", "#relay-connect", "#relay-notice", "Enter the target to connect to.", "relay-url"},
		{"#tab-amqp", "#amqp-start", "#amqp-notice", "Enter the broker to read from.", "amqp-host"},
		{"#tab-crawl", "#crawl-start", "#crawl-notice", "Enter the site to crawl.", "crawl-url"},
		{"#tab-crawl", "#crawl-code", "#crawl-notice", "Enter the site to crawl.", "crawl-url"},
	} {
		p.click(c.tab)
		p.click(c.button)
		p.says(c.notice, c.title)
		if got := eval[string](p, `document.activeElement.id`); got != c.field {
			t.Errorf("%s: the focus is on %q, want %s", c.button, got, c.field)
		}
	}
	p.click("#tab-amqp")
	p.fill("#amqp-host", "broker.example.com")
	p.choose("#amqp-source", "existing")
	p.click("#amqp-start")
	p.says("#amqp-notice", "Enter the name of the queue.")
	p.click("#tab-relay")
	p.fill("#relay-url", "ws://echo.farwire.alt")
	eval[any](p, `void (document.querySelector('#relay-more').open = true)`)
	p.fill("#relay-session", "two words")
	p.click("#relay-connect")
	p.says("#relay-notice", "A session is a name")
	if marked := strings.Join(eval[[]string](p, `[...document.querySelectorAll('#relay [aria-invalid]')].map((e) => e.id)`), " "); marked != "relay-session" {
		t.Errorf("marked are %q", marked)
	}
}
