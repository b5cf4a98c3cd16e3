package request_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/upstream"
)

// FuzzConnectMessage gives the relay anything as a connect message. One that
// it takes must mean to encoding/json what it means to us, and the request to
// the target must hold what was asked for and nothing else.
func FuzzConnectMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte) {
		a, err := request.ParseConnect(message)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		var top map[string]json.RawMessage
		if err := json.Unmarshal(message, &top); err != nil || top == nil {
			t.Fatalf("accepted input that is not a JSON object: %v", err)
		}
		want := struct {
			key, other, url    *string
			headers, cookies   map[string]*string
			subprotocols       []string
			idle               *float64
			proxy, geo, agents *string
		}{}
		for name, into := range map[string]any{
			"apiKey": &want.key, "key": &want.other, "url": &want.url, "headers": &want.headers, "cookies": &want.cookies,
			"subprotocols": &want.subprotocols, "idle_timeout": &want.idle, "proxy": &want.proxy, "geo": &want.geo, "agent": &want.agents,
		} {
			if raw, ok := top[name]; ok {
				if err := json.Unmarshal(raw, into); err != nil {
					t.Fatalf("took %s of the wrong type: %s", name, raw)
				}
			}
		}
		key := text(want.key)
		if key == "" {
			key = text(want.other)
		}
		if a.Key != key {
			t.Fatalf("key %q, want %q", a.Key, key)
		}
		if (want.idle == nil || *want.idle == 0) != (a.Idle == 0) || a.Idle < 0 {
			t.Fatalf("idle_timeout %s became %v", top["idle_timeout"], a.Idle)
		}
		if (text(want.proxy) == "") != (a.Proxy == "") {
			t.Fatalf("proxy %q became %q", text(want.proxy), a.Proxy)
		}
		if strings.Join(a.Subprotocols, "\n") != strings.Join(want.subprotocols, "\n") {
			t.Fatalf("subprotocols %q became %q", want.subprotocols, a.Subprotocols)
		}
		r := sent(t, a)
		checkURL(t, r, text(want.url), "")
		checkHeaders(t, r, text(want.url), want.headers, want.cookies)
	})
}

// FuzzDirectQuery does the same with the query of the direct form, whose
// parameters that are not ours go to the target as they were written.
func FuzzDirectQuery(f *testing.F) {
	f.Fuzz(func(t *testing.T, query, authorization string) {
		// What the server's reader of requests would not let in cannot come.
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' || r == utf8.RuneError }) ||
			strings.ContainsFunc(authorization, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return
		}
		a, err := request.ParseDirectQuery(query, strings.TrimSpace(authorization), nil)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		theirs := []string{}
		target := ""
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if name, err = url.QueryUnescape(name); err != nil {
				t.Fatalf("took a query that cannot be parsed: %v", err)
			}
			switch name {
			case "url":
				if target, err = url.QueryUnescape(value); err != nil {
					t.Fatalf("took a url that cannot be parsed: %v", err)
				}
			case "", "api_key", "token", "geo", "agent", "fw_session", "idle_timeout", "proxy", "header":
				if name == "" && pair != "" {
					theirs = append(theirs, pair)
				}
			default:
				theirs = append(theirs, pair)
			}
		}
		checkURL(t, sent(t, a), target, strings.Join(theirs, "&"))
	})
}

// FuzzTarget tries the checks of URL, proxy, header and cookie one by one.
func FuzzTarget(f *testing.F) {
	f.Fuzz(func(t *testing.T, target, proxy, header, value, cookie, cookieValue string) {
		// They come out of JSON and queries that were checked to be UTF-8.
		if !utf8.ValidString(target + proxy + header + value + cookie + cookieValue) {
			return
		}
		a, err := request.AskFor(target, proxy, header, value, cookie, cookieValue)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		r := sent(t, a)
		checkURL(t, r, target, "")
		checkHeaders(t, r, target, map[string]*string{header: &value}, map[string]*string{cookie: &cookieValue})
		if a.Proxy != "" {
			checkAddr(t, a.Proxy)
		}
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// checkRefusal holds every refusal to what may be said on a socket.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	s := err.Error()
	if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
		t.Fatalf("a refusal that cannot be shown: %q", s)
	}
	if len(s) > 600 {
		t.Fatalf("a refusal of %d bytes", len(s))
	}
}

// sent reads the request as a target would and expects one, well-formed in
// every line, with nothing behind it.
func sent(t *testing.T, a *request.Asked) *http.Request {
	t.Helper()
	head, rest, ok := bytes.Cut(a.Request, []byte("\r\n\r\n"))
	if !ok || len(rest) > 0 {
		t.Fatalf("not one request: %q", a.Request)
	}
	lines := strings.Split(string(head), "\r\n")
	for i, line := range lines {
		if strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line %q holds what ends lines", line)
		}
		if i > 0 && (line == "" || line[0] == ' ' || line[0] == '\t') {
			t.Fatalf("line %q goes on another", line)
		}
	}
	if n := strings.Count(lines[0], " "); n != 2 {
		t.Fatalf("request line %q has %d spaces", lines[0], n)
	}
	br := bufio.NewReader(bytes.NewReader(a.Request))
	r, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("the target cannot read %q: %v", a.Request, err)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Fatalf("bytes behind the request: %q", a.Request)
	}
	if r.Method != "GET" || r.Proto != "HTTP/1.1" || r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.Host == "" {
		t.Fatalf("the target reads %s %s, host %q, of %d bytes: %q", r.Method, r.Proto, r.Host, r.ContentLength, a.Request)
	}
	for name, want := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version": "13"} {
		if got := r.Header[name]; len(got) != 1 || got[0] != want {
			t.Fatalf("%s is %q", name, got)
		}
	}
	checkAddr(t, a.Addr)
	return r
}

// checkAddr expects something that a dialer takes as one host and one port.
func checkAddr(t *testing.T, addr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		t.Fatalf("dials %q: %v", addr, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		t.Fatalf("dials port %q", port)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\@?#"<>`, r) }) {
		t.Fatalf("dials host %q", host)
	}
}

// checkURL expects the request to ask for what the URL does, with more at the
// end of its query.
func checkURL(t *testing.T, r *http.Request, target, more string) {
	t.Helper()
	target = strings.Trim(target, " \t\r\n\f") // which people paste around it
	scheme, rest, _ := strings.Cut(target, "://")
	switch strings.ToLower(scheme) {
	case "ws", "wss", "http", "https":
	default:
		t.Fatalf("took the url %q", target)
	}
	written := ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		written = rest[i:]
	}
	path, query, hasQuery := strings.Cut(written, "?")
	if query = inRequestLine(query); query != "" && more != "" {
		query += "&"
	}
	query += more
	want := inRequestLine(path)
	if want == "" {
		want = "/"
	}
	if query != "" || hasQuery {
		want += "?" + query
	}
	if r.RequestURI != want {
		t.Fatalf("asks for %q, want %q", r.RequestURI, want)
	}
	if strings.Contains(r.Host, "@") {
		t.Fatalf("host %q holds credentials", r.Host)
	}
}

// inRequestLine is what was written, byte for byte but for what no request line can hold.
func inRequestLine(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// checkHeaders expects the headers and cookies that were given and no other.
func checkHeaders(t *testing.T, r *http.Request, target string, headers, cookies map[string]*string) {
	t.Helper()
	left := r.Header.Clone()
	for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol"} {
		left.Del(name)
	}
	take := func(name, value string) {
		name = http.CanonicalHeaderKey(name)
		for i, v := range left[name] {
			if v == strings.Trim(value, " \t") {
				left[name] = append(left[name][:i:i], left[name][i+1:]...)
				return
			}
		}
		t.Fatalf("%s: %q is not in %q", name, value, r.Header[name])
	}
	cookie := left.Get("Cookie")
	if n := len(left["Cookie"]); n > 1 {
		t.Fatalf("%d Cookie lines", n)
	}
	left.Del("Cookie")
	given := false
	for name, value := range headers {
		if value == nil {
			continue
		}
		if upstream.OfHop(strings.ToLower(name)) {
			continue // it was left out
		}
		switch strings.ToLower(name) {
		case "host":
			if r.Host != *value {
				t.Fatalf("host %q, want %q", r.Host, *value)
			}
		case "cookie":
			if !strings.Contains(cookie, strings.Trim(*value, " \t")) {
				t.Fatalf("cookie %q is not in %q", *value, cookie)
			}
		case "authorization":
			given = true
			take(name, *value)
		default:
			take(name, *value)
		}
	}
	if u, err := url.Parse(target); err == nil && u.User != nil && !given {
		password, _ := u.User.Password()
		user, pass, ok := r.BasicAuth()
		if name := u.User.Username(); ok && !strings.Contains(name, ":") && (user != name || pass != password) {
			t.Fatalf("credentials %q %q, want those of %q", user, pass, target)
		}
		left.Del("Authorization")
	}
	for name, value := range cookies {
		// The end of a line loses its spaces on the way.
		if value != nil && !strings.Contains("; "+cookie, strings.TrimRight("; "+name+"="+*value, " ")) {
			t.Fatalf("cookie %s=%q is not in %q", name, *value, cookie)
		}
	}
	for name, values := range left {
		if len(values) > 0 {
			t.Fatalf("%s: %q was not asked for", name, values)
		}
	}
}
