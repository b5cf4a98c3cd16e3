package farwire_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A generated exchange: what a client sends and what a target answers, as bytes.
type exchange struct {
	head   string // of the request, behind its first line, without Host
	method string
	path   string
	body   string // as it is on the wire
	answer string
}

type generator struct{ *rand.Rand }

func (g generator) one(list ...string) string { return list[g.IntN(len(list))] }
func (g generator) some(list ...string) (out []string) {
	for _, s := range list {
		if g.IntN(3) == 0 {
			out = append(out, s)
		}
	}
	return out
}

// framed returns the headers and the bytes of a body in one of its spellings.
func (g generator) framed(text string, trailers bool) (head []string, body string) {
	if g.IntN(2) == 0 && !trailers {
		return []string{fmt.Sprintf("Content-Length: %d", len(text))}, text
	}
	head = []string{"Transfer-Encoding: chunked"}
	var b strings.Builder
	for text != "" {
		n := min(len(text), 1+g.IntN(5000))
		fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, g.one("", "", ";ext", ";a=1;b=\"x;y\""), text[:n])
		text = text[n:]
	}
	b.WriteString("0\r\n")
	if trailers {
		head = append(head, "Trailer: X-Sum, X-More")
		b.WriteString("X-Sum: 1234\r\nX-More: a b\r\n")
	}
	return head, b.String() + "\r\n"
}

func (g generator) text() string {
	return strings.Repeat(g.one("a", "{\"x\":1}", "\x00\xff\r\n", "line\n"), g.IntN(2000))
}

func (g generator) exchange(host string) exchange {
	e := exchange{method: g.one("GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "PURGE", "TRACE", "query", "X!#~")}
	e.path = "/" + strings.TrimPrefix(strings.Join(g.some("a", "b%2Fc", "", "%2e%2e", "d;e=1", "ä", "f+g", "h%20i", "|", "~j", "'k'", "[l]"), "/"), "/") +
		g.one("", "?", "?q=1", "?a=b&a=c%26", "?url=http://x.test/?y", "?%zz", "?|<>", "?api_key=theirs&token=theirs")
	head := g.some("User-Agent: probe/1", "Accept: text/html, */*;q=0.1", "Accept-Encoding: gzip, br", "Range: bytes=0-99", `If-None-Match: "x", W/"y"`,
		"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT", "X-Twice: 1", "X-Twice: 2", "X-Empty:", "x-lower: Case", "X-Long: "+strings.Repeat("v", 5000),
		"Authorization: Bearer of-the-target", "X-API-Key: of-the-target", "TE: trailers", "Content-Language: de", "Prefer: wait=1", "DNT: 1", "Priority: u=1",
		"X-Large: "+strings.Repeat("l", 60_000), "X-Odd!#$%&'*+.^_`|~: 1", "Range: bytes=0-1, 5-9, -3", "Cookie: "+strings.Repeat("c=1; ", 400)+"d=2", "Upgrade: h2c", "Content-MD5: x",
		"Max-Forwards: 5", "X-Latin: \xe4\xf6", "Last-Event-ID: 7", "X-Requested-With: XMLHttpRequest", "Accept-Language: de-AT", "If-Range: \"x\"",
		// What the contract takes away or changes.
		"Cookie: host=secret; b=c", "X-Forwarded-For: 1.2.3.4", "Forwarded: for=x", "Via: 1.1 front", "CF-Ray: 1", "Origin: http://gw.test",
		"Referer: http://gw.test/page", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Authorization: Basic eA==")
	if e.method != "GET" && e.method != "HEAD" && g.IntN(3) > 0 {
		more, body := g.framed(g.text(), g.IntN(4) == 0)
		head = append(head, more...)
		head = append(head, g.some("Content-Type: application/json", "Content-Encoding: gzip", "Expect: 100-continue")...)
		e.body = body
	}
	g.Shuffle(len(head), func(i, j int) { head[i], head[j] = head[j], head[i] })
	for _, line := range head {
		e.head += line + "\r\n"
	}
	e.answer = g.answer(e.method, host)
	return e
}

func (g generator) answer(method, host string) string {
	status := g.one("200 OK", "200 OK", "200 Fine By Me", "201 Created", "202 Accepted", "204 No Content", "206 Partial Content", "301 Moved", "302 Found", "304 Not Modified",
		"307 Temporary Redirect", "400 Bad Request", "401 Unauthorized", "404 Not Found", "407 Proxy Authentication Required", "418 Teapot", "429 Too Many", "500 Oops", "503 Later", "599 Odd")
	head := append([]string{"Date: Sat, 01 Jan 2000 00:00:00 GMT"}, g.some("Content-Type: text/html; charset=x", "ETag: W/\"1\"", "Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT", "Server: theirs/1",
		"X-Twice: 1", "X-Twice: 2", "X-Empty:", "Accept-Ranges: bytes", "Content-Range: bytes 0-9/100", "Content-Type: multipart/byteranges; boundary=B", "X-Large: "+strings.Repeat("l", 60_000), "Retry-After: 7", "Link: </style.css>; rel=preload", "Allow: GET, X", "Age: 3",
		"Content-Disposition: attachment; filename=\"a b\"", "Content-Language: de", "X-Latin: \xe4", "Warning: 199 - \"x\"", "Pragma: no-cache", "Expires: 0", "X-RateLimit-Remaining: 3",
		"Cache-Control: public, max-age=60, s-maxage=5", "Vary: Accept", "Set-Cookie: sid=1; Path=/a; Domain=test", "Location: /moved?x#y", "Location: http://"+host+"/abs", "Refresh: 5; url=/r",
		"Strict-Transport-Security: max-age=1", "Content-Security-Policy: default-src *", "Access-Control-Allow-Origin: *", "Alt-Svc: h3", "X-Frame-Options: DENY",
		"Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=1", "Proxy-Authenticate: Basic", "WWW-Authenticate: Basic realm=x")...)
	body := ""
	if s := status[:3]; s != "204" && s != "304" {
		text := g.text()
		if g.IntN(3) == 0 {
			var zipped bytes.Buffer
			z := gzip.NewWriter(&zipped)
			io.WriteString(z, text)
			z.Close()
			text = zipped.String()
			head = append(head, "Content-Encoding: gzip")
		}
		if g.IntN(5) > 0 {
			var more []string
			more, body = g.framed(text, g.IntN(4) == 0 && method != "HEAD")
			head = append(head, more...)
		} else {
			body = text // to the end of the connection
		}
	} else if s == "304" {
		head = append(head, "Content-Length: 1234")
	}
	if method == "HEAD" {
		body = ""
	}
	interim := ""
	for range g.IntN(3) {
		interim += "HTTP/1.1 " + g.one("103 Early Hints\r\nLink: </a.css>", "102 Processing\r\nX-Progress: 1") + "\r\n\r\n"
	}
	// net/http forgets what a Connection header names besides "close".
	if i := slices.Index(head, "Connection: X-Hop"); i < 0 || !strings.Contains(strings.Join(head[i:], "\n"), "Content-Length") {
		head = append(slices.DeleteFunc(head, func(l string) bool { return l == "Connection: X-Hop" }), "Connection: close")
	}
	return interim + "HTTP/1.1 " + status + "\r\n" + strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

// A view is what one end saw of the other, in an order of its own.
type view struct {
	first   string
	header  http.Header
	body    string
	trailer http.Header
	interim []string
}

func (v view) lines() (out []string) {
	out = append(out, "first: "+v.first, fmt.Sprintf("body: %q", v.body), fmt.Sprintf("interim: %q", v.interim))
	for name, h := range map[string]http.Header{"header": v.header, "trailer": v.trailer} {
		for _, n := range slices.Sorted(maps.Keys(h)) {
			out = append(out, fmt.Sprintf("%s %s: %q", name, n, h[n]))
		}
	}
	slices.Sort(out)
	return out
}

// newScriptedTarget answers each connection with the bytes that answer has, and says
// what it was sent.
func newScriptedTarget(t *testing.T, answer *string) (addr string, seen chan view) {
	seen = make(chan view, 1)
	return newTCPTarget(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		req, err := http.ReadRequest(br)
		if err != nil {
			seen <- view{first: err.Error()}
			return
		}
		if req.Header.Get("Expect") != "" {
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			seen <- view{first: err.Error()}
			return
		}
		if len(req.TransferEncoding) > 0 {
			req.Header["Transfer-Encoding"] = req.TransferEncoding
		}
		seen <- view{fmt.Sprintf("%s %s %s", req.Method, req.RequestURI, req.Host), req.Header, string(body), req.Trailer, nil}
		io.WriteString(c, *answer)
		c.CloseWrite()
		io.Copy(io.Discard, br)
	}), seen
}

// send sends an exchange's request by hand, and reads the answer.
func (e exchange) send(t *testing.T, addr, path string) (v view) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", e.method, path, addr, e.head, e.body)
	br := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: e.method})
		if err != nil {
			t.Fatalf("%s %s\n%s: %v", e.method, path, e.head, err)
		}
		if resp.StatusCode == http.StatusContinue {
			continue // the hop's own
		}
		if resp.StatusCode < 200 {
			v.interim = append(v.interim, fmt.Sprintf("%d %v", resp.StatusCode, resp.Header))
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		v.first, v.header, v.body, v.trailer = resp.Status[:3], resp.Header, string(body), resp.Trailer
		return v
	}
}

// What differs between a request and its answer through the path form and the same
// without a gateway is what the contract names, and nothing else.
func TestPathForm_GeneratedExchanges_DifferOnlyWhereTheContractSaysSo(t *testing.T) {
	answer := ""
	addr, seen := newScriptedTarget(t, &answer)
	w := newPathWorld(t, http.NotFoundHandler())
	front := w.server.Listener.Addr().String()
	for seed := range uint64(200) {
		e := generator{rand.New(rand.NewPCG(seed, 1))}.exchange(addr)
		answer = e.answer
		direct := e.send(t, addr, e.path)
		directSeen := <-seen
		// Each has connections of its own: the target ends each without a word.
		prefix := fmt.Sprintf("/to/key=%s;session=s%d/http/%s", testKey, seed, addr)
		through := e.send(t, front, prefix+e.path)
		throughSeen := <-seen
		for name := range directSeen.header {
			switch lower := strings.ToLower(name); {
			case lower == "origin":
				directSeen.header[name] = []string{"http://" + addr}
			case lower == "referer":
				directSeen.header[name] = []string{"http://" + addr + "/"}
			case lower == "x-hop" && strings.Contains(e.head, "Connection: X-Hop"), strings.HasPrefix(lower, "x-forwarded-"), strings.HasPrefix(lower, "cf-"),
				slices.Contains([]string{"cookie", "forwarded", "via", "connection", "keep-alive", "proxy-authorization", "upgrade"}, lower):
				delete(directSeen.header, name)
			}
		}
		if e.body == "" && throughSeen.header.Get("Content-Length") == "0" { // so is the framing of no body
			delete(throughSeen.header, "Content-Length")
		}
		for name := range direct.header {
			switch lower := strings.ToLower(name); {
			case lower == "location":
				direct.header[name] = through.header[name]
				for _, to := range through.header[name] {
					if !strings.HasPrefix(to, prefix+"/") {
						t.Errorf("seed %d: Location %s", seed, to)
					}
				}
			case lower == "refresh":
				direct.header[name] = []string{"5; url=" + prefix + "/r"}
			case lower == "set-cookie":
				direct.header[name] = through.header[name]
				if c := strings.Join(through.header[name], ""); !strings.HasPrefix(c, "fw.") || !strings.HasSuffix(c, ".sid=1; Path=/to/; HttpOnly") {
					t.Errorf("seed %d: Set-Cookie %s", seed, c)
				}
			case lower == "x-hop" && strings.Contains(e.answer, "Connection: X-Hop"), strings.HasPrefix(lower, "access-control-"),
				slices.Contains([]string{"connection", "keep-alive", "proxy-authenticate", "alt-svc", "strict-transport-security", "x-frame-options"}, lower):
				delete(direct.header, name)
			case lower == "content-length" && (e.method != "HEAD" || direct.first == "304"): // the framing is the hop's
				delete(direct.header, name)
				delete(through.header, name)
			case lower == "content-type" && direct.first == "304": // net/http sends none
				delete(direct.header, name)
			}
		}
		kept := ""                                             // of Cache-Control
		for _, d := range []string{"no-cache", "max-age=60"} { // net/http reads the first one out of Pragma
			if strings.Contains(direct.header.Get("Cache-Control"), d) {
				kept = ", " + d
			}
		}
		maps.Copy(direct.header, http.Header{
			"Cache-Control": {"private" + kept}, "Vary": append(direct.header["Vary"], "Origin, X-API-Key, Authorization, Cookie"), "X-Farwire-From": {"target"},
			"X-Farwire-Node": through.header["X-Farwire-Node"], "Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"},
			"Content-Security-Policy": {"sandbox; default-src 'none'; form-action 'none'; base-uri 'none'"},
		})
		if origin := throughSeen.header.Get("Origin"); origin != "" {
			maps.Copy(direct.header, http.Header{"Access-Control-Allow-Origin": {"http://gw.test"}, "Access-Control-Allow-Credentials": {"true"},
				"Access-Control-Expose-Headers": through.header["Access-Control-Expose-Headers"]})
		}
		if got, want := throughSeen.lines(), directSeen.lines(); !slices.Equal(got, want) {
			t.Errorf("seed %d, %s %s: the target sees%s", seed, e.method, e.path, difference(got, want))
		}
		if got, want := through.lines(), direct.lines(); !slices.Equal(got, want) {
			t.Errorf("seed %d, %s %s: the client sees%s", seed, e.method, e.path, difference(got, want))
		}
	}
}

// difference shows the lines that only one of two lists has.
func difference(got, want []string) string {
	var b strings.Builder
	for _, l := range got {
		if !slices.Contains(want, l) {
			fmt.Fprintf(&b, "\n  got  %.300s", l)
		}
	}
	for _, l := range want {
		if !slices.Contains(got, l) {
			fmt.Fprintf(&b, "\n  want %.300s", l)
		}
	}
	return b.String()
}
