package farwire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rawExchange sends bytes to the gateway, and returns all that it answers until it
// closes the connection.
func rawExchange(t *testing.T, addr, request string) string {
	t.Helper()
	answer, err := untilEnd(t, addr, request)
	if err != nil && answer == "" {
		t.Fatal(err)
	}
	return answer
}

// untilEnd is rawExchange, and returns what ended the connection too early.
func untilEnd(t *testing.T, addr, request string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(conn, request) // it may be refused before its end
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// Of a request whose length can be read in two ways the target sees one request, or
// none: what stands behind it is never taken for another one.
func TestPathForm_AmbiguousRequests_SmuggleNothing(t *testing.T) {
	seen := make(chan string, 10)
	target := newTCPTarget(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			seen <- req.Method + " " + req.RequestURI + " " + string(body)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	w := newPathWorld(t, http.NotFoundHandler())
	front := w.server.Listener.Addr().String()
	to := "/to/key=" + testKey + "/http/" + target
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct{ head, body string }{
		"two lengths":                   {"Content-Length: 5\r\nContent-Length: 0\r\n", smuggled},
		"a list of lengths":             {"Content-Length: 0, 55\r\n", smuggled},
		"a length and chunks":           {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + smuggled},
		"chunks and a length":           {"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n", "0\r\n\r\n" + smuggled},
		"a signed length":               {"Content-Length: +0\r\n", smuggled},
		"an unknown coding":             {"Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + smuggled},
		"two codings":                   {"Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + smuggled},
		"chunked twice":                 {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + smuggled},
		"a blank before the colon":      {"Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + smuggled},
		"a tab in the coding":           {"Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n" + smuggled},
		"a folded line":                 {"X-A: b\r\n Transfer-Encoding: chunked\r\n", smuggled},
		"a bare LF in the head":         {"X-A: b\nTransfer-Encoding: chunked\nX-B: c\r\n", "0\r\n\r\n" + smuggled},
		"a bare CR in the head":         {"X-A: b\rTransfer-Encoding: chunked\r\n", smuggled},
		"a bare LF behind a chunk size": {"Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n" + smuggled},
		"a chunk size with a prefix":    {"Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n" + smuggled},
		"a chunk that is too long":      {"Transfer-Encoding: chunked\r\n", "3\r\nabcGET /smuggled HTTP/1.1\r\n\r\n0\r\n\r\n"},
		"a NUL in a value":              {"X-A: a\x00b\r\n", smuggled},
		"a header without a name":       {": x\r\n", smuggled},
	} {
		answer := rawExchange(t, front, "POST "+to+"/first HTTP/1.1\r\nHost: gw.test\r\nConnection: keep-alive\r\n"+c.head+"\r\n"+c.body)
		for len(seen) > 0 {
			if got := <-seen; !strings.HasPrefix(got, "POST /first") {
				t.Errorf("%s: the target sees %q", name, got)
			} else if strings.Contains(got, "HTTP/1.1") && !strings.Contains(c.head, "Content-Length: 5") {
				t.Errorf("%s: the body is %q", name, got)
			}
		}
		// What follows is a request of its own to the gateway, where it needs a key.
		if strings.Count(answer, "HTTP/1.1 200") > 1 {
			t.Errorf("%s: answered twice: %s", name, answer)
		}
	}
	for _, path := range []string{"/a b", "/a\tb", "/a\x00", "/a\x7f"} {
		if answer := rawExchange(t, front, "GET "+to+path+" HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 400") {
			t.Errorf("%q: %.100s", path, answer)
		}
	}
	if len(seen) > 0 {
		t.Errorf("the target sees %q", <-seen)
	}
}

// An answer whose length can be read in two ways ends with its connection: the next
// request gets nothing of it.
func TestPathForm_AmbiguousAnswers_ReachOneRequestAlone(t *testing.T) {
	const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
	answers := map[string]string{
		"/two-lengths":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\nok" + smuggled,
		"/too-much":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggled,
		"/both":          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + smuggled,
		"/204":           "HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nok" + smuggled,
		"/304":           "HTTP/1.1 304 x\r\n\r\nok" + smuggled,
		"/head":          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggled,
		"/bare-lf":       "HTTP/1.1 200 OK\nContent-Length: 2\n\nok" + smuggled,
		"/bad-status":    "HTTP/1.1 2000 OK\r\n\r\n" + smuggled,
		"/bad-header":    "HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"/nul-in-header": "HTTP/1.1 200 OK\r\nX-A: b\x00c\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"/many-1xx":      strings.Repeat("HTTP/1.1 103 x\r\nX: "+strings.Repeat("y", 1000)+"\r\n\r\n", 1000) + smuggled,
		"/fine":          "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
	}
	target := newTCPTarget(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			io.WriteString(c, answers[req.URL.Path])
		}
	})
	w := newPathWorld(t, http.NotFoundHandler())
	front := w.server.Listener.Addr().String()
	ask := func(method, path string) string {
		return rawExchange(t, front, method+" /to/key="+testKey+"/http/"+target+path+" HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n")
	}
	for path := range answers {
		method := "GET"
		if path == "/head" {
			method = "HEAD"
		}
		first := ask(method, path)
		got := ask("GET", "/fine")
		if !strings.HasSuffix(got, "\r\n\r\nfine") || strings.Contains(got, "smuggled") {
			t.Errorf("behind %s: %.300s\nwhich was answered %.300s", path, got, first)
		}
	}
}

// A redirect with a password in it stays below /to/ and loses the password, whatever
// its spelling; the key of the request stays where it was.
func TestPathForm_LocationWithUserinfo_LosesIt(t *testing.T) {
	location := make(chan string, 1)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header()["Location"] = []string{<-location}
		rw.WriteHeader(http.StatusFound)
	}))
	for to, want := range map[string]string{
		"http://user:pass@other.test/x":             "http/other.test/x",
		"https://user@other.test:8443/x?a=b@c#d":    "https/other.test:8443/x?a=b@c#d",
		"//user:pass@other.test/x":                  "http/other.test/x",
		`\\user:pass@other.test\x`:                  "http/other.test/x",
		"https:user:pass@other.test/x":              "https/other.test/x",
		"http:user:pass@other.test/x":               "http/" + w.host() + "/a/user:pass@other.test/x", // relative, to browsers
		"http://a@b@other.test/":                    "http/other.test/",
		"http://other.test%2f@evil.test/":           "http/evil.test/",
		"HTTP://%75ser:p%40ss@other.test/../../etc": "http/other.test/etc",
		"/../../../-/http/other.test/":              "http/" + w.host() + "/-/http/other.test/",
		"/%2e%2e/%2E./x":                            "http/" + w.host() + "/x",
	} {
		location <- to
		resp, _ := w.fetch(w.request("GET", "/a/b", nil))
		if got := resp.Header.Get("Location"); got != "/to/key="+testKey+"/"+want {
			t.Errorf("%s is %s, want …/%s", to, got, want)
		}
	}
}

// Names in Connection take headers away from the target, and never the caller's key,
// the length of a body or what the gateway itself says.
func TestPathForm_HeadersNamedInConnection_AreOfTheHop(t *testing.T) {
	seen := make(chan *http.Request, 1)
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(string(must(io.ReadAll(r.Body)))))
		seen <- r
		rw.Header().Set("Connection", "X-Hop, X-Farwire-From, Content-Security-Policy")
		rw.Header().Set("X-Hop", "1")
	}))
	req := w.request("POST", "/", strings.NewReader("body"), "X-API-Key: "+testKey, "Connection: X-API-Key, Content-Length, Host, X-A", "X-A: 1", "X-B: 2")
	req.URL.Path = strings.Replace(req.URL.Path, "key="+testKey, "-", 1)
	resp, _ := w.fetch(req)
	if resp.StatusCode != 200 || resp.Header.Get("X-Farwire-From") != "target" || resp.Header.Get("Content-Security-Policy") == "" || resp.Header.Get("X-Hop") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	r := <-seen
	if body := string(must(io.ReadAll(r.Body))); r.Header.Get("X-A") != "" || r.Header.Get("X-B") != "2" || r.Header.Get("X-API-Key") != "" || body != "body" {
		t.Errorf("%v %q", r.Header, body)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-Ip"} {
		if v := r.Header.Get(name); v != "" {
			t.Errorf("the gateway adds %s: %s", name, v)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
