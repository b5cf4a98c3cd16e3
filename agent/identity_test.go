package agent_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

func sha(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func TestNewPool_BadOptions_NamesTheField(t *testing.T) {
	t.Setenv("AGENT_SECRET_OF_NOBODY", "")
	good := agent.Record{Slug: "de1", Country: "DE", TokenSHA256: sha("a token of de1")}
	with := func(change func(*agent.Record)) []agent.Record {
		r := good
		change(&r)
		return []agent.Record{good, r}
	}
	for name, o := range map[string]agent.PoolOptions{
		"nothing":           {},
		"short secret":      {Secret: "0123456789abcde"},
		"line end":          {Secret: secret + "\n"},
		"local with secret": {LocalOnly: true, Secret: secret},
		"local and records": {LocalOnly: true, Records: []agent.Record{good}},
		"empty token":       {Records: with(func(r *agent.Record) { r.TokenSHA256 = sha("") })},
		"no hash":           {Records: with(func(r *agent.Record) { r.TokenSHA256 = "" })},
		"upper-case hash":   {Records: with(func(r *agent.Record) { r.TokenSHA256 = strings.ToUpper(sha("x")) })},
		"half a hash":       {Records: with(func(r *agent.Record) { r.TokenSHA256 = sha("x")[:32] })},
		"the same token":    {Records: with(func(r *agent.Record) { r.Slug = "de2" })},
		"the secret":        {Secret: "a token of de1 too", Records: with(func(r *agent.Record) { r.TokenSHA256 = sha("a token of de1 too") })},
		"bad slug":          {Records: with(func(r *agent.Record) { r.Slug, r.TokenSHA256 = "a b", sha("x") })},
		"bad country":       {Records: with(func(r *agent.Record) { r.Country, r.TokenSHA256 = "Germany", sha("x") })},
		"bad peer":          {Secret: secret, Peers: []string{"ftp://example.com"}},
		"bad prefix":        {Secret: secret, Policy: agent.Rules{Deny: make([]netip.Prefix, 1)}},
	} {
		if _, err := agent.NewPool(o); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "agent: PoolOptions.") {
			t.Errorf("%s: %v does not name the option", name, err)
		}
	}
	for name, o := range map[string]agent.PoolOptions{
		"local": {LocalOnly: true}, "secret": {Secret: secret}, "records": {Records: []agent.Record{good}},
	} {
		if _, err := agent.NewPool(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRun_BadOptions_NamesTheField(t *testing.T) {
	good := agent.RunOptions{Gateways: []string{"http://localhost"}, Secret: secret, Slug: "de1", Country: "DE"}
	for name, change := range map[string]func(*agent.RunOptions){
		"no gateway":      func(o *agent.RunOptions) { o.Gateways = nil },
		"no URL":          func(o *agent.RunOptions) { o.Gateways = []string{"localhost:8080"} },
		"query":           func(o *agent.RunOptions) { o.Gateways = []string{"http://localhost/?a=b"} },
		"password":        func(o *agent.RunOptions) { o.Gateways = []string{"http://a:b@localhost"} },
		"port":            func(o *agent.RunOptions) { o.Gateways = []string{"http://localhost:99999"} },
		"no secret":       func(o *agent.RunOptions) { o.Secret = "" },
		"blank secret":    func(o *agent.RunOptions) { o.Secret = " " },
		"line in secret":  func(o *agent.RunOptions) { o.Secret = "a\nb" },
		"no slug":         func(o *agent.RunOptions) { o.Slug = "" },
		"no country":      func(o *agent.RunOptions) { o.Country = "" },
		"wrong country":   func(o *agent.RunOptions) { o.Country = "Germany" },
		"negative number": func(o *agent.RunOptions) { o.MaxSessions = -1 },
	} {
		o := good
		change(&o)
		if err := agent.Run(t.Context(), o); err == nil || strings.Contains(err.Error(), "a:b") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Clients of HTTP/2 take an answer with these fields for a broken one (RFC 9113, section
// 8.2.2).
func TestPool_AttachOverHTTP2_IsRefusedWithoutUpgrade(t *testing.T) {
	p, _, _ := newPool(t, agent.PoolOptions{Secret: secret})
	srv := httptest.NewUnstartedServer(p)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 426 || resp.ProtoMajor != 2 || resp.Header["Upgrade"] != nil || resp.Header["Connection"] != nil {
		t.Errorf("%s %d %v", resp.Proto, resp.StatusCode, resp.Header)
	}
}

func TestAttach_BadRequest_IsRefused(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret})
	local, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	closed := httptest.NewServer(local)
	defer closed.Close()
	ask := func(method, url, auth string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if reason := resp.Header.Get("Farwire-Refused"); reason == "" || !strings.Contains(string(body), `{"detail":"`+reason) {
			t.Errorf("%s %s: reason %q, body %q", method, auth, reason, body)
		}
		if from := resp.Header.Get("X-Farwire-From"); from != "gateway" {
			t.Errorf("%s %s: X-Farwire-From is %q", method, auth, from)
		}
		return resp
	}
	for _, tc := range []struct {
		method, url, auth string
		status            int
	}{
		{"GET", srv.URL, "", 401},
		{"GET", srv.URL, "Bearer", 401},
		{"GET", srv.URL, "Bearer ", 401},
		{"GET", srv.URL, "Bearer wrong", 401},
		{"GET", srv.URL, "Basic " + secret, 401},
		{"GET", srv.URL, secret, 401},
		{"POST", srv.URL, "Bearer " + secret, 405},
		{"GET", srv.URL, "Bearer " + secret, 426},
		{"GET", srv.URL, "bearer  " + secret + " ", 426},
		{"GET", closed.URL, "Bearer " + secret, 403},
	} {
		if resp := ask(tc.method, tc.url, tc.auth); resp.StatusCode != tc.status {
			t.Errorf("%s %q: %d, want %d", tc.method, tc.auth, resp.StatusCode, tc.status)
		}
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if resp := ask("GET", srv.URL, "Bearer "+secret); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("after Shutdown: %d, %v", resp.StatusCode, resp.Header)
	}
	if _, err := p.SelectAgent(t.Context(), agent.Query{}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("selecting after Shutdown: %v", err)
	}
}

// A request that is not wholly one of the two ways to attach is told of them.
func TestAttach_UpgradeOfAnotherKind_IsToldOfOurs(t *testing.T) {
	_, srv, _ := newPool(t, agent.PoolOptions{})
	for _, fields := range []http.Header{
		{}, {"Connection": {"Upgrade"}}, {"Upgrade": {"farwire-agent"}},
		{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}},
		{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"chat"}},
		{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}, "Sec-Websocket-Protocol": {"farwire-agent"}},
		{"Connection": {"keep-alive"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"farwire-agent"}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = fields.Clone()
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "farwire-agent" || !strings.Contains(resp.Header.Get("Farwire-Refused"), "WebSocket") {
			t.Errorf("%v: %s, %v", fields, resp.Status, resp.Header)
		}
	}
}

// A body that does not come would keep the request, and with it a shutdown, waiting.
func TestAttach_Body_IsRefused(t *testing.T) {
	_, srv, _ := newPool(t, agent.PoolOptions{})
	for _, framing := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(30 * time.Second))
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+secret+"\r\nConnection: Upgrade\r\nUpgrade: farwire-agent\r\n"+framing+"\r\n\r\n")
		c.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(resp.Header.Get("Farwire-Refused"), "body") {
			t.Errorf("%s: %v, %v", framing, resp, err)
		}
	}
}

func TestRun_Refused_LogsWhyOnce(t *testing.T) {
	_, srv, _ := newPool(t, agent.PoolOptions{})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "not the secret at all"})
	eventually(t, "refused", 30*time.Second, func() bool { return book.Count("secret or token missing or wrong") > 0 })
	if n := book.Count("level=WARN"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if strings.Contains(book.String(), "not the secret") {
		t.Error("the log shows the secret")
	}
}

// A gateway that refuses an agent is left alone for a while, by every way there
// is to attach.
func TestRun_Refused_PausesForEachCarrier(t *testing.T) {
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	type attempt struct {
		carrier string
		at      time.Time
	}
	came := make(chan attempt, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- attempt{r.Header.Get("Upgrade"), time.Now()}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "not the secret at all"})
	tried, last, end := map[string]bool{}, time.Time{}, time.After(30*time.Second)
	for {
		select {
		case next := <-came:
			if tried[next.carrier] { // refused, and it begins again
				if gap := next.at.Sub(last); gap < 2500*time.Millisecond {
					t.Errorf("it comes back after %v", gap)
				}
				if book.Count("level=WARN") != 1 || book.Count("level=ERROR") != 0 {
					t.Errorf("it says so %d times", book.Count("level=WARN"))
				}
				return
			}
			tried[next.carrier], last = true, next.at
		case <-end:
			t.Fatal("it does not come back")
		}
	}
}

func TestRecord_AgentClaimsAnother_RecordWins(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Secret: secret, Records: []agent.Record{
		{Slug: "at5", Country: "at", TokenSHA256: sha("the token of at5")},
	}})
	_, book := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Secret: "the token of at5", Slug: "us1", Country: "US"})
	attached(t, p, 1)
	if in := p.Agents()[0]; in.ID != "farwire-at5" || in.Slug != "at5" || in.Country != "AT" {
		t.Errorf("info is %+v", in)
	}
	eventually(t, "told who it is", 30*time.Second, func() bool {
		return book.Count("agent=farwire-at5") > 0 && book.Count("country=AT") > 0
	})

	// The shared secret does not make anyone at5.
	_, other := run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "AT5", Country: "AT"})
	eventually(t, "refused", 30*time.Second, func() bool { return other.Count("has a token of its own") == 1 })
	if n := p.Agents()[0].Links; n != 1 {
		t.Errorf("%d links", n)
	}
}

func TestRecord_Exclusive_ReplacesTheOlderLink(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{Records: []agent.Record{
		{Slug: "de1", Country: "DE", TokenSHA256: sha("the token of de1"), Exclusive: true},
	}})
	addr := target(t, echo)
	o := agent.RunOptions{Gateways: []string{srv.URL}, Secret: "the token of de1", AllowPrivate: true, Version: "old"}
	_, book := run(t, o)
	attached(t, p, 1)
	c := dial(t, selectOne(t, p, agent.Query{}), addr)
	wantEcho(t, c, "before")

	o.Version = "new"
	run(t, o)
	eventually(t, "replaced", 30*time.Second, func() bool { return p.Agents()[0].Version == "new" })
	wantEcho(t, c, "the old one finishes what it has")
	for range 10 {
		wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), addr), "new sessions go to the new one")
	}
	c.Close()
	eventually(t, "told why", 30*time.Second, func() bool { return book.Count("another agent has attached with the exclusive slug de1") == 1 })
	eventually(t, "one link", 30*time.Second, func() bool { return p.Agents()[0].Links == 1 })
}
