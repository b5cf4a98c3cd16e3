package http1_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/http1"
)

// A script is a connection whose target sends some text, whatever it is asked, in pieces
// of some size, and closes. With 0 it is one piece.
type script struct {
	text   string
	size   int
	mu     sync.Mutex
	asked  strings.Builder
	read   int
	closed atomic.Bool
}

func (s *script) Read(b []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	if s.text == "" {
		return 0, io.EOF
	}
	if s.size > 0 {
		b = b[:min(len(b), s.size)]
	}
	n := copy(b, s.text)
	s.text = s.text[n:]
	s.read += n
	return n, nil
}

func (s *script) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked.Write(b)
}

func (s *script) request() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked.String()
}

func (s *script) Close() error                     { s.closed.Store(true); return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// over returns a Conn over conn, and whether it was kept after an answer.
func over(conn net.Conn) (c *http1.Conn, kept *atomic.Bool) {
	kept = new(atomic.Bool)
	return http1.NewConn(conn, nil, func() { conn.Close() }, func() { kept.Store(true) }), kept
}

func request(t testing.TB, method string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://a.example/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// An outcome is what comes of an answer.
type outcome struct {
	status int // 0: no answer came
	body   string
	failed bool // the answer, or its body, has an error
	kept   bool // the connection
}

// ask returns what comes of what a target sends.
func ask(t testing.TB, method string, s *script) (outcome, *http.Response) {
	t.Helper()
	conn, kept := over(s)
	resp, err := conn.RoundTrip(request(t, method), http1.Options{})
	if err != nil {
		return outcome{failed: true, kept: kept.Load()}, nil
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !kept.Load() && !s.closed.Load() {
		t.Error("the connection is neither kept nor closed")
	}
	return outcome{resp.StatusCode, string(b), err != nil, kept.Load()}, resp
}

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	chunked = ok + "Transfer-Encoding: chunked\r\n"
)

// An answer ends where it says so, or is one that has an error; and only a connection of
// which nothing can be left is used again.
func TestRoundTrip_Answers_EndWhereTheySay(t *testing.T) {
	whole := outcome{200, "body", false, true}
	last := outcome{200, "body", false, false} // whole, on a connection that ends with it
	cut := outcome{200, "bo", true, false}
	none := outcome{failed: true}
	for name, tt := range map[string]struct {
		method, text string
		want         outcome
	}{
		"a length":                         {"GET", ok + "Content-Length: 4\r\n\r\nbody", whole},
		"a length twice":                   {"GET", ok + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody", whole},
		"chunks":                           {"GET", chunked + "\r\n4\r\nbody\r\n0\r\n\r\n", whole},
		"chunks with extensions":           {"GET", chunked + "\r\n2;a=b\r\nbo\r\n2;c=\"d\"\r\ndy\r\n0;e\r\n\r\n", whole},
		"chunks with a trailer":            {"GET", chunked + "\r\n4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n", whole},
		"up to the end":                    {"GET", ok + "\r\nbody", last},
		"no body":                          {"GET", ok + "Content-Length: 0\r\n\r\n", outcome{200, "", false, true}},
		"bare line feeds":                  {"GET", "HTTP/1.1 200 OK\nContent-Length: 4\n\nbody", whole},
		"a folded field":                   {"GET", ok + "X-A: 1\r\n Content-Length: 9\r\nContent-Length: 4\r\n\r\nbody", whole},
		"interim answers":                  {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody", whole},
		"HEAD":                             {"HEAD", ok + "Content-Length: 4\r\n\r\n", outcome{200, "", false, true}},
		"HEAD in chunks":                   {"HEAD", chunked + "\r\n", outcome{200, "", false, true}},
		"204":                              {"GET", "HTTP/1.1 204 None\r\n\r\n", outcome{204, "", false, true}},
		"304 with a length":                {"GET", "HTTP/1.1 304 Same\r\nContent-Length: 4\r\n\r\n", outcome{304, "", false, true}},
		"close":                            {"GET", ok + "Connection: X-A, Close\r\nContent-Length: 4\r\n\r\nbody", last},
		"HTTP/1.0":                         {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", last},
		"HTTP/1.0 that goes on":            {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody", whole},
		"HTTP/1.0 with chunks":             {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody", last},
		"no coding, by its name":           {"GET", ok + "Transfer-Encoding: Identity\r\nContent-Length: 4\r\n\r\nbody", last},
		"no coding, up to the end":         {"GET", ok + "Transfer-Encoding: identity\r\n\r\nbody", last},
		"both lengths":                     {"GET", chunked + "Content-Length: 9\r\n\r\n4\r\nbody\r\n0\r\n\r\n", last},
		"HEAD, both lengths":               {"HEAD", chunked + "Content-Length: 9\r\n\r\n", outcome{200, "", false, false}},
		"204 with a length":                {"GET", "HTTP/1.1 204 None\r\nContent-Length: 4\r\n\r\n", outcome{204, "", false, false}},
		"204 in chunks":                    {"GET", "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", outcome{204, "", false, false}},
		"304 in chunks":                    {"GET", "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", outcome{304, "", false, false}},
		"an interim answer in chunks":      {"GET", "HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody", last},
		"an interim answer with a length":  {"GET", "HTTP/1.1 103 Hints\r\nContent-Length: 4\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody", last},
		"another protocol":                 {"GET", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", outcome{101, "", false, false}},
		"more than its length":             {"GET", ok + "Content-Length: 4\r\n\r\nbody!", last},
		"another answer behind":            {"GET", ok + "Content-Length: 4\r\n\r\nbody" + ok + "Content-Length: 0\r\n\r\n", last},
		"something behind chunks":          {"GET", chunked + "\r\n4\r\nbody\r\n0\r\n\r\nx", last},
		"something behind HEAD":            {"HEAD", ok + "Content-Length: 4\r\n\r\nbody", outcome{200, "", false, false}},
		"cut within its length":            {"GET", ok + "Content-Length: 4\r\n\r\nbo", cut},
		"cut within a chunk":               {"GET", chunked + "\r\n4\r\nbo", cut},
		"cut behind a chunk":               {"GET", chunked + "\r\n2\r\nbo\r\n", cut},
		"cut before the end of the chunks": {"GET", chunked + "\r\n2\r\nbo\r\n0\r\n", cut},
		"cut within the trailer":           {"GET", chunked + "\r\n2\r\nbo\r\n0\r\nX-T: 1\r\n", cut},
		"cut within a size":                {"GET", chunked + "\r\n2\r\nbo\r\n1", cut},
		"an invalid size":                  {"GET", chunked + "\r\n2\r\nbo\r\n-1\r\nx", cut},
		"a size without digits":            {"GET", chunked + "\r\n2\r\nbo\r\n;a=b\r\n\r\n", cut},
		"a size of too many digits":        {"GET", chunked + "\r\n2\r\nbo\r\n" + strings.Repeat("0", 16) + "2\r\ndy\r\n0\r\n\r\n", cut},
		"a chunk longer than its size":     {"GET", chunked + "\r\n2\r\nbody\r\n0\r\n\r\n", cut},
		"an invalid trailer":               {"GET", chunked + "\r\n2\r\nbo\r\n0\r\nno field\r\n\r\n", cut},
		"nothing":                          {"GET", "", none},
		"a part of a head":                 {"GET", ok + "Content-Le", none},
		"a head without an end":            {"GET", ok + "Content-Length: 0\r\n", none},
		"different lengths":                {"GET", ok + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", none},
		"lengths in a list":                {"GET", ok + "Content-Length: 4, 4\r\n\r\nbody", none},
		"a length below zero":              {"GET", ok + "Content-Length: -1\r\n\r\nbody", none},
		"a length with a sign":             {"GET", ok + "Content-Length: +4\r\n\r\nbody", none},
		"a length that is empty":           {"GET", ok + "Content-Length: \r\n\r\nbody", none},
		"a length that is too large":       {"GET", ok + "Content-Length: 9223372036854775808\r\n\r\nbody", none},
		"chunks in gzip":                   {"GET", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", none},
		"another coding":                   {"GET", ok + "Transfer-Encoding: xchunked\r\n\r\n", none},
		"chunks twice":                     {"GET", chunked + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", none},
		"a blank before the colon":         {"GET", ok + "Content-Length : 2\r\n\r\nbody", last}, // it is no length
		"a trailer that names a length":    {"GET", chunked + "Trailer: Content-Length\r\n\r\n0\r\n\r\n", none},
		"another protocol from the start":  {"GET", "220 ready\r\n\r\n", none},
		"a status of two digits":           {"GET", "HTTP/1.1 20 OK\r\n\r\n", none},
		"a status with a sign":             {"GET", "HTTP/1.1 +20 OK\r\n\r\n", none},
		"an invalid version":               {"GET", "HTTP/1.x 200 OK\r\n\r\n", none},
	} {
		for _, size := range []int{0, 1, 3} {
			got, _ := ask(t, tt.method, &script{text: tt.text, size: size})
			if size > 0 && tt.want == last && strings.HasSuffix(name, "behind") || size > 0 && strings.HasPrefix(name, "something behind") || size > 0 && name == "more than its length" {
				got.kept = tt.want.kept // it has not come yet, and is found before the next request
			}
			if got != tt.want {
				t.Errorf("%s, in pieces of %d: %+v, want %+v", name, size, got, tt.want)
			}
		}
	}
}

// What a target can have us keep has a bound; the number of answers before the one that
// counts has none, like the length of a body.
func TestRoundTrip_LongHeads_HaveABound(t *testing.T) {
	long := strings.Repeat("X-A: "+strings.Repeat("a", 1<<10)+"\r\n", http1.MaxHead>>10+9)
	endless := strings.Repeat("a", 2*http1.MaxHead)
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"long lines":                {ok + long + "\r\n", 0},
		"a line without end":        {ok + "X-A: " + endless, 0},
		"a first line without end":  {"HTTP/1.1 200 " + endless, 0},
		"an interim answer's lines": {"HTTP/1.1 103 Hints\r\n" + long + "\r\n" + ok + "\r\n", 0},
		"a trailer's lines":         {chunked + "\r\n0\r\n" + long + "\r\n", 200},
		"a trailer without end":     {chunked + "\r\n0\r\nX-A: " + endless, 200},
	} {
		s := &script{text: tt.text}
		got, _ := ask(t, "GET", s)
		if !got.failed || got.status != tt.status || got.kept {
			t.Errorf("%s: %+v", name, got)
		}
		if s.read > http1.MaxHead+64<<10 {
			t.Errorf("%s: %d bytes were read", name, s.read)
		}
	}

	const many = 20_000
	s := &script{text: strings.Repeat("HTTP/1.1 103 Hints\r\nLink: </a>; rel=preload\r\n\r\n", many) + ok + "Content-Length: 4\r\n\r\nbody"}
	conn, kept := over(s)
	came := 0
	req := request(t, "GET")
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code == 103 && h.Get("Link") != "" {
			came++
		}
		return nil
	}}))
	resp, err := conn.RoundTrip(req, http1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); string(b) != "body" || err != nil || came != many || !kept.Load() {
		t.Errorf("%q, %v, %d answers before", b, err, came)
	}

	refused := errors.New("enough")
	s = &script{text: "HTTP/1.1 103 Hints\r\n\r\n" + ok + "\r\n"}
	conn, _ = over(s)
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { return refused }}))
	if _, err := conn.RoundTrip(req, http1.Options{}); !errors.Is(err, refused) || !s.closed.Load() {
		t.Errorf("%v", err)
	}
}

// An error goes into the log: it quotes little of what a target sends.
func TestRoundTrip_LongInvalidText_ErrorIsShort(t *testing.T) {
	long := strings.Repeat("a", 200_000)
	for name, text := range map[string]string{
		"first line": "HTTX/" + long + " 200\r\n\r\n", "no blank": long + "\r\n\r\n", "version": "HTTP/1.1" + long + " 200 OK\r\n\r\n",
		"status": "HTTP/1.1 20" + long + "\r\n\r\n", "header": ok + long + "\r\n\r\n",
		"coding": ok + "Transfer-Encoding: " + long + "\r\n\r\n", "length": ok + "Content-Length: " + long + "\r\n\r\n",
		"lengths": ok + "Content-Length: 1\r\nContent-Length: " + long + "\r\n\r\n", "trailer": chunked + "\r\n0\r\n" + long + "\r\n\r\n",
	} {
		conn, _ := over(&script{text: text})
		resp, err := conn.RoundTrip(request(t, "GET"), http1.Options{})
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil || len(err.Error()) > 300 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

func TestRoundTrip_Fields_AreAsTheyCame(t *testing.T) {
	_, resp := ask(t, "GET", &script{text: chunked + "Trailer: X-T, ,x-u,\r\nConnection: close, X-Hop\r\nX-A: 1\r\nX-A: 2\r\nPragma: no-cache\r\n\r\n0\r\nX-T: 3\r\nX-More: 4\r\n\r\n"})
	for name, want := range map[string]string{"Connection": "close, X-Hop", "X-A": "1|2", "Cache-Control": "", "Pragma": "no-cache", "Trailer": "", "Transfer-Encoding": ""} {
		if got := strings.Join(resp.Header[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := resp.Trailer; len(got) != 3 || got.Get("X-T") != "3" || got.Get("X-More") != "4" || got["X-U"] != nil {
		t.Errorf("trailers %v", got)
	}
}
