package forward_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/forward"
	"github.com/farwire/farwire/internal/harness"
)

// front serves what is sent on to a target whose connections serve answers. The URL
// it returns is the client's.
func front(t *testing.T, target string, wrap func(http.ResponseWriter) http.ResponseWriter, failed *error) string {
	t.Helper()
	server := httptest.NewServer(forwarding(t, target, wrap, failed))
	t.Cleanup(server.Close)
	return server.URL
}

// A passage leads to a host, and lets no X-Secret pass.
type passage struct {
	http.RoundTripper
	host   string
	modify func(*http.Response) error
	fail   func(error)
}

func (p passage) Rewrite(out *http.Request) {
	out.URL, out.Host = &url.URL{Scheme: "http", Host: p.host, Path: "/"}, p.host
}
func (p passage) Modify(resp *http.Response) error { return p.modify(resp) }
func (p passage) Early(h http.Header)              { h.Del("X-Secret") }
func (p passage) Trailing(h http.Header)           { h.Del("X-Secret") }
func (p passage) Closing(h http.Header)            { h.Del("X-Secret") }
func (p passage) Fail(err error)                   { p.fail(err) }

// forwarding is the handler of front.
func forwarding(t *testing.T, target string, wrap func(http.ResponseWriter) http.ResponseWriter, failed *error) http.Handler {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := passage{
			RoundTripper: transport,
			host:         target,
			modify: func(resp *http.Response) error {
				if resp.Header.Get("X-Refuse") != "" {
					return errors.New("refused")
				}
				return nil
			},
			fail: func(err error) {
				*failed = err
				http.Error(w, "failed", http.StatusBadGateway)
			},
		}
		if !forward.Serve(r.Context(), p, wrap(w), r, r.Header.Clone()) {
			panic(http.ErrAbortHandler)
		}
	})
}

// answering is a target that answers each connection's first request with these bytes
// and ends it, or, after a word of rest, with what that sends.
func answering(t *testing.T, answer string, rest <-chan string) string {
	t.Helper()
	return harness.Conns(t, func(conn net.Conn) {
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.Copy(io.Discard, req.Body)
			io.WriteString(conn, answer)
			if rest != nil {
				io.WriteString(conn, <-rest)
			}
		}
	}).Addr().String()
}

func plain(w http.ResponseWriter) http.ResponseWriter { return w }

func TestServe_HeadComesAlone_IsFlushed(t *testing.T) {
	for _, length := range []string{"Content-Length: 4\r\n", ""} {
		rest := make(chan string, 1)
		var failed error
		at := front(t, answering(t, "HTTP/1.1 200 OK\r\nX-Early: yes\r\n"+length+"\r\n", rest), plain, &failed)
		resp, err := http.Get(at) // returns with the head
		if err != nil || resp.Header.Get("X-Early") != "yes" {
			t.Fatalf("%v %v", resp, err)
		}
		rest <- "late"
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "late" {
			t.Errorf("%q %v", b, err)
		}
		resp.Body.Close()
	}
}

// A writer of a host's middleware that has set a header of its own.
type tagged struct{ http.ResponseWriter }

func (w tagged) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func tag(w http.ResponseWriter) http.ResponseWriter {
	w.Header().Set("X-Request-Id", "7")
	return tagged{w}
}

func TestServe_InterimAnswers_KeepTheHeadersOfTheHost(t *testing.T) {
	var failed error
	at := front(t, answering(t, "HTTP/1.1 103 Early Hints\r\nX-Secret: x\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", nil), tag, &failed)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	early, final, _ := strings.Cut(string(b), "\r\n\r\n")
	if early != "HTTP/1.1 103 Early Hints\r\nLink: </a>" || !strings.HasPrefix(final, "HTTP/1.1 200 OK\r\n") ||
		!strings.Contains(final, "X-Request-Id: 7") || strings.Contains(final, "Link:") {
		t.Errorf("%s", b)
	}
}

// What came of an answer that breaks off goes to the client, and is no whole one.
func TestServe_AnswerBreaksOff_IsCut(t *testing.T) {
	big := strings.Repeat("x", 3000)
	for answer, came := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf":                             "half",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n":            "half",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf":                "half",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + big:           big,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n9\r\n" + big: "half" + big[:9],
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n":                         "",
	} {
		var failed error
		resp, err := http.Get(front(t, answering(t, answer, nil), plain, &failed))
		if err != nil {
			t.Errorf("%.100q: %v", answer, err)
			continue
		}
		if b, err := io.ReadAll(resp.Body); err == nil || string(b) != came {
			t.Errorf("of %.100q come %.100q: %v", answer, b, err)
		}
		resp.Body.Close()
		if failed != nil {
			t.Errorf("an error after the head: %v", failed)
		}
	}
}

func TestServe_NoAnswer_Fails(t *testing.T) {
	for _, answer := range []string{"", "HTTP/1.1 200 OK\r\nX-Refuse: yes\r\nContent-Length: 2\r\n\r\nok"} {
		var failed error
		resp, err := http.Get(front(t, answering(t, answer, nil), plain, &failed))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway || failed == nil || resp.Header["X-Refuse"] != nil {
			t.Errorf("%q: %d %v %v", answer, resp.StatusCode, resp.Header, failed)
		}
	}
}

// Bodies of every size around those of the buffers arrive whole, with trailers and
// without, with a length and without.
func TestServe_Bodies_ArriveWhole(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 65535, 65536, 65537 + 4096, 200_000} {
		text := strings.Repeat("x", size)
		chunks := ""
		if size > 0 {
			chunks = fmt.Sprintf("%x\r\n%s\r\n", size, text)
		}
		for name, answer := range map[string]string{
			"length":  fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, text),
			"to end":  "HTTP/1.1 200 OK\r\n\r\n" + text,
			"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n",
			"trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Secret\r\n\r\n" + chunks + "0\r\nX-Sum: 9\r\nX-Secret: x\r\n\r\n",
			"unnamed": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\nX-Sum: 9\r\nX-Secret: x\r\n\r\n",
		} {
			var failed error
			resp, err := http.Get(front(t, answering(t, answer, nil), plain, &failed))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			want := int64(-1)
			if name == "length" {
				want = int64(size)
			}
			if err != nil || string(b) != text || resp.ContentLength != want && size > 0 {
				t.Errorf("%s of %d: %d bytes, length %d, %v", name, size, len(b), resp.ContentLength, err)
			}
			if sum := resp.Trailer.Get("X-Sum"); (name == "trailer" || name == "unnamed") != (sum == "9") {
				t.Errorf("%s of %d: trailer %q", name, size, sum)
			}
			if _, told := resp.Trailer["X-Secret"]; told {
				t.Errorf("%s of %d: trailers %v", name, size, resp.Trailer)
			}
		}
	}
}

// A trailer may have the name of a field of the head, and one that is announced need not
// come.
func TestServe_TrailersNamedAsFieldsOfTheHead_AreKeptApart(t *testing.T) {
	for trailers, want := range map[string]string{
		"X-Sum: 9\r\n":              "map[X-Never:[] X-Sum:[9]]",
		"X-Sum: 9\r\nX-Sum: 10\r\n": "map[X-Never:[] X-Sum:[9 10]]",
		"X-Sum: 9\r\nX-More: 1\r\n": "map[X-More:[1] X-Never:[] X-Sum:[9]]",
		"X-More: 1\r\n":             "map[X-More:[1] X-Never:[] X-Sum:[]]",
		"":                          "map[X-Never:[] X-Sum:[]]",
	} {
		target := answering(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Never\r\nX-Sum: head\r\nX-Never: head\r\n\r\n"+
			"2\r\nok\r\n0\r\n"+trailers+"\r\n", nil)
		for _, major := range []int{1, 2} {
			var failed error
			server := httptest.NewUnstartedServer(forwarding(t, target, plain, &failed))
			server.EnableHTTP2 = major == 2
			server.StartTLS()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			head := fmt.Sprint(resp.Header["X-Sum"], resp.Header["X-Never"])
			if got := fmt.Sprint(resp.Trailer); err != nil || resp.ProtoMajor != major || got != want || head != "[head] [head]" {
				t.Errorf("%q over %s: head %s, trailers %s, want %s; %v", trailers, resp.Proto, head, got, want, err)
			}
			server.Close()
		}
	}
}
