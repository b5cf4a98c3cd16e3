package farwire_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// An oddTarget answers each connection with these bytes, and tells the head and the
// body that it was sent as they came.
type oddTarget struct {
	addr  string
	heads chan string
}

func newOddTarget(t *testing.T, answer string) *oddTarget {
	o := &oddTarget{heads: make(chan string, 1)}
	o.addr = newTCPTarget(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			line, err := br.ReadString('\n')
			if head.WriteString(line); err != nil {
				break
			}
		}
		o.heads <- head.String()
		io.WriteString(c, answer)
		c.CloseWrite()
		io.Copy(io.Discard, br)
	})
	return o
}

// speak sends a request to a server and returns what it says until it ends the connection.
func speak(t *testing.T, addr, head string) string {
	t.Helper()
	answer, err := untilEnd(t, addr, head)
	if err != nil {
		t.Errorf("%.200q: %v", head, err)
	}
	return answer
}

const plainOK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

// Whatever HTTP can hold of a method, a path and a query arrives as it is.
func TestPathForm_OddRequestLines_ArriveAsTheyAre(t *testing.T) {
	target := newOddTarget(t, plainOK)
	w := newPathWorld(t, http.NotFoundHandler())
	front := w.server.Listener.Addr().String()
	for line, want := range map[string]string{
		"GET ": "GET /", "GET ?": "GET /?", "GET ?q": "GET /?q", "GET /?#": "", "GET //": "", "GET //x//y": "", "GET /..": "", "GET /../../a/./b": "",
		"GET /%2e%2E/": "", "GET /%2f%2F": "", "GET /;a": "", "GET /a;b=c;d?e;f": "", "GET /*": "", "GET /a%00b": "", `GET /\x`: "", `GET /"<>{}|^`: "",
		"GET /ä": "", "GET /#": "", "GET /?%zz&%": "", "GET /to/-/http/other.test/": "", "GET /http://other.test/": "", "GET /@:/": "",
		"TRACE /m": "", "get /m": "", "PRI /m": "", "CONNECT /m": "", "OPTIONS /m": "", "X!#$%&'*+-.^_`|~1 /m": "", "M-SEARCH /m": "",
	} {
		method, path, _ := strings.Cut(line, " ")
		got := speak(t, front, fmt.Sprintf("%s /to/key=%s/http/%s%s HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", method, testKey, target.addr, path))
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
			t.Errorf("%q: %.300s", line, got)
			continue
		}
		if want == "" {
			want = line
		}
		if head := <-target.heads; head != want+" HTTP/1.1\r\nHost: "+target.addr+"\r\n\r\n" {
			t.Errorf("%q arrives as %q", line, head)
		}
	}
}

func TestPathForm_OddHosts_AreReachedOrRefused(t *testing.T) {
	dialled := make(chan string, 1)
	w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) {
		o.Agents = agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled <- addr
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				if req, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
					fmt.Fprintf(far, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(req.Host), req.Host)
				}
			}()
			return near, nil
		}}
	})
	front := w.server.Listener.Addr().String()
	for host, want := range map[string]struct{ dialled, host string }{
		"[2001:db8::1]": {"[2001:db8::1]:80", "[2001:db8::1]"}, "[2001:DB8::1]:8080": {"[2001:db8::1]:8080", "[2001:db8::1]:8080"},
		"ä.test": {"xn--4ca.test:80", "xn--4ca.test"}, "%C3%84.test:81": {"xn--4ca.test:81", "xn--4ca.test:81"}, "xn--4ca.test": {"xn--4ca.test:80", "xn--4ca.test"},
		"%E4%BE%8B%E3%81%88.%E3%83%86%E3%82%B9%E3%83%88": {"xn--r8jz45g.xn--zckzah:80", "xn--r8jz45g.xn--zckzah"},
		"A_b.Test.": {"a_b.test.:80", "a_b.test."}, "a.test:80": {"a.test:80", "a.test"}, "a.test:65535": {"a.test:65535", "a.test:65535"},
	} {
		got := speak(t, front, fmt.Sprintf("GET /to/key=%s/http/%s/ HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", testKey, host))
		if !strings.HasSuffix(got, "\r\n\r\n"+want.host) {
			t.Errorf("%q: %.600s", host, got)
			continue
		}
		if addr := <-dialled; addr != want.dialled {
			t.Errorf("%q is dialled as %q", host, addr)
		}
	}
	for _, host := range []string{
		"", ":80", "[::1", "::1", "[::1%25lo]", "a.test:", "a.test:0", "a.test:65536", "a.test:http", "a.test:80:80", "me@a.test", "%61.test", "a.test%2Fb", "%C3%A4.test%2Fb",
		"%C3%A4%40a.test", "a%0d%0ab.test", "\xff.test", "%FF.test", "xn--a\xc3\xa4.test",
	} {
		got := speak(t, front, fmt.Sprintf("GET /to/key=%s/http/%s/ HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", testKey, host))
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%q: %.100s", host, got)
		}
	}
	select {
	case addr := <-dialled:
		t.Errorf("%q was dialled", addr)
	default:
	}
}

// What an answer's head may not say to a browser, its 1xx answers and its trailers may
// not say either.
func TestPathForm_InterimAnswersAndTrailers_AreConfined(t *testing.T) {
	const acting = "Set-Cookie: sid=1; Path=/\r\nX-Farwire-From: gateway\r\nAccess-Control-Allow-Origin: *\r\nContent-Security-Policy: default-src *\r\n" +
		"Clear-Site-Data: \"*\"\r\nStrict-Transport-Security: max-age=1\r\nService-Worker-Allowed: /\r\n"
	target := newOddTarget(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n"+acting+"\r\nHTTP/1.1 200 OK\r\nTrailer: X-Sum, Set-Cookie, X-Farwire-From\r\n"+
		"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2;ext=\"a;b\"\r\nok\r\n0\r\nX-Sum: 1\r\n"+acting+"Location: /x\r\nContent-Length: 9\r\nHost: b\r\n\r\n")
	w := newPathWorld(t, http.NotFoundHandler())
	got := speak(t, w.server.Listener.Addr().String(), fmt.Sprintf("GET /to/key=%s/http/%s/ HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", testKey, target.addr))
	early, rest, _ := strings.Cut(got, "\r\n\r\n")
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	if lines := strings.Split(early, "\r\n"); len(lines) != 3 || lines[0] != "HTTP/1.1 103 Early Hints" || lines[1] != "Link: </a.css>" ||
		!strings.HasPrefix(lines[2], "Set-Cookie: fw.") || !strings.HasSuffix(lines[2], ".sid=1; Path=/to/; HttpOnly") {
		t.Errorf("before the answer comes\n%s", early)
	}
	if !strings.Contains(head, "\r\nTrailer: X-Sum\r\n") || body != "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n" {
		t.Errorf("the answer is\n%s\n\n%s", head, body)
	}
}

func TestPathForm_InvalidAnswer_IsTheTargetsFault(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw",
		"HTTP/1.1 1000 High\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("v", 300_000) + "\r\n\r\n",
	} {
		target := newOddTarget(t, answer)
		w := newPathWorld(t, http.NotFoundHandler())
		resp, body := w.fetch(mustRequest(t, "GET", w.server.URL+"/to/key="+testKey+"/http/"+target.addr+"/"))
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("X-Farwire-From") != "gateway" || !strings.Contains(body, `"code":"target_`) {
			t.Errorf("%.60q: %d %.300s", answer, resp.StatusCode, body)
		}
	}
}

func mustRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// A body that breaks HTTP is the client's fault, and what stands behind it is no request.
func TestPathForm_InvalidBody_IsTheClientsFault(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) {
		for br := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	const invalid = `400 {"detail":"the body of the request is not valid","code":"bad_request"}`
	for name, c := range map[string]struct {
		chunks string
		limit  int64 // of a middleware of the host's
		want   string
	}{
		"size":            {"3\r\nabc\r\nzz\r\n", 100, invalid},
		"first size":      {"zz\r\n", 100, invalid},
		"no end of chunk": {"3\r\nabcX", 100, invalid},
		"long extension":  {"3;" + strings.Repeat("e", 20_000) + "\r\n", 100, invalid},
		"trailer":         {"3\r\nabc\r\n0\r\nno colon\r\n\r\n", 100, invalid},
		"too large":       {"3\r\nabc\r\n0\r\n\r\n", 2, `413 {"detail":"the body of the request is larger than 2 bytes","code":"bad_request"}`},
		"valid":           {"3\r\nabc\r\n0\r\n\r\n", 3, "200 ok"},
	} {
		w := newPathWorld(t, http.NotFoundHandler())
		server := httptest.NewServer(http.MaxBytesHandler(w.gw.ForwardProxy(w.gw.PathForm()), c.limit))
		for _, head := range []string{
			"POST /to/key=" + testKey + "/http/" + target + "/ HTTP/1.1\r\nHost: gw\r\n",
			"PUT /to/key=" + testKey + "/http/" + target + "/ HTTP/1.1\r\nHost: gw\r\n", // may be repeated
			"POST http://" + target + "/ HTTP/1.1\r\nHost: gw\r\nProxy-Authorization: " + proxyBasic("any", testKey) + "\r\n",
		} {
			got, err := untilEnd(t, server.Listener.Addr().String(), head+"Transfer-Encoding: chunked\r\n\r\n"+c.chunks+
				"GET /to/behind HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n")
			answers := 1
			if c.want == "200 ok" {
				answers = 2
			}
			status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), " ")
			_, body, _ := strings.Cut(got, "\r\n\r\n")
			if !strings.HasPrefix(status+" "+body, c.want) || strings.Count(got, "HTTP/1.1 ") != answers {
				t.Errorf("%s, %s: %v behind\n%s", name, head, err, got)
			}
		}
		server.Close()
		if said := w.log.String(); c.want != "200 ok" && strings.Contains(said, "ended_by=target") {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// What is left of a body when its answer comes is nobody's request, valid or not, and not
// read beside one.
func TestPathForm_AnswerBeforeTheEndOfTheBody_EndsTheConnection(t *testing.T) {
	target := newTCPTarget(t, func(c *net.TCPConn) {
		readRawHead(c)
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		io.Copy(io.Discard, c)
	})
	w := newPathWorld(t, http.NotFoundHandler())
	var errors harness.Log
	w.server.Config.ErrorLog = log.New(&errors, "", 0)
	for range 3 {
		for fields, c := range map[string]struct{ begin, rest string }{
			"Transfer-Encoding: chunked\r\nX-Rest: invalid": {"3\r\nabc\r\n", "zz\r\n"},
			"Transfer-Encoding: chunked":                    {"3\r\nabc\r\n", "3\r\nabc\r\n0\r\n\r\n"},
			"Content-Length: 6":                             {"abc", "abc"},
		} {
			conn := must(net.Dial("tcp", w.server.Listener.Addr().String()))
			conn.SetDeadline(time.Now().Add(testTimeout))
			fmt.Fprintf(conn, "POST /to/key=%s/http/%s/ HTTP/1.1\r\nHost: gw\r\n%s\r\n\r\n%s", testKey, target, fields, c.begin)
			br := bufio.NewReader(conn)
			resp := must(http.ReadResponse(br, nil))
			body := string(must(io.ReadAll(resp.Body)))
			if resp.StatusCode != http.StatusRequestEntityTooLarge || body != "big" || !resp.Close {
				t.Errorf("%s: %d %q, close %v", fields, resp.StatusCode, body, resp.Close)
			}
			io.WriteString(conn, c.rest+"GET /to/behind HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n")
			if rest, _ := io.ReadAll(br); len(rest) > 0 {
				t.Errorf("%s: behind the answer comes %q", fields, rest)
			}
			conn.Close()
		}
	}
	if said := errors.String(); said != "" {
		t.Errorf("net/http says %s", said)
	}
}

// A credential, a cookie and what a proxy adds do not reach the target as a trailer, though
// they were announced, or were not; nor does what says where a message ends.
func TestForwarding_RequestTrailers_GoOnAsTheHeadDoes(t *testing.T) {
	came := make(chan string, 1)
	target := newTCPTarget(t, func(c *net.TCPConn) {
		var request strings.Builder
		for br, blank := bufio.NewReader(c), 0; blank < 2; { // behind the head, and behind the trailers
			line, err := br.ReadString('\n')
			if request.WriteString(line); err != nil {
				return
			}
			if line == "\r\n" {
				blank++
			}
		}
		came <- request.String()
		io.WriteString(c, plainOK)
	})
	w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.StripHeaders = []string{"x-corp-*"} })
	server := httptest.NewServer(w.gw.ForwardProxy(w.gw.PathForm()))
	defer server.Close()
	front := server.Listener.Addr().String()
	for _, form := range []struct{ line, key, escaped string }{
		{"/to/-/http/" + target + "/", "X-API-Key: " + testKey, "X-Api-Key Authorization Cookie Origin Referer X-Forwarded-For X-Corp-User"},
		{"/to/key=" + testKey + "/http/" + target + "/", "X-A: b", "X-Api-Key Authorization Cookie X-Real-Ip Remote-User"},
		{"http://" + target + "/", "Proxy-Authorization: " + proxyBasic("any", testKey), "Proxy-Authorization Authorization"},
	} {
		for _, framing := range []string{"Host", "Content-Type", "Content-Range", "Keep-Alive"} {
			names := append(strings.Fields(form.escaped), framing)
			lines := ""
			for _, name := range names {
				lines += name + ": " + testKey + "\r\n"
			}
			for _, announced := range []string{"X-Sum", "X-Sum, " + strings.Join(names, ", ")} {
				got := speak(t, front, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: gw\r\n%s\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n"+
					"2\r\nhi\r\n0\r\nX-Sum: 1\r\n%s\r\n", form.line, form.key, announced, lines))
				if !strings.HasPrefix(got, "HTTP/1.1 200 ") {
					t.Fatalf("%s: %.300s", form.line, got)
				}
				if head, body, _ := strings.Cut(<-came, "\r\n\r\n"); !strings.Contains(head, "\r\nTrailer: X-Sum\r\n") && !strings.HasSuffix(head, "\r\nTrailer: X-Sum") ||
					body != "2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n" {
					t.Errorf("%s, announced %s: the target gets\n%s\n\n%s", form.line, announced, head, body)
				}
			}
		}
	}
}
