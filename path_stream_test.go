package farwire_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

func TestPathForm_BodiesBothWays_AreStreamed(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(rw)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		rw.WriteHeader(200)
		control.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(rw, "got %s\n", lines.Text())
			control.Flush()
		}
	}))
	in, out := io.Pipe()
	resp, err := plainClient.Do(w.request("POST", "/", in))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers := bufio.NewScanner(resp.Body)
	for i := range 5 { // each line is answered before the next is sent
		fmt.Fprintf(out, "line %d\n", i)
		if !answers.Scan() || answers.Text() != fmt.Sprintf("got line %d", i) {
			t.Fatalf("line %d: %q %v", i, answers.Text(), answers.Err())
		}
	}
	out.Close()
	if answers.Scan() {
		t.Errorf("more: %q", answers.Text())
	}
}

// A head goes on though no byte of its body has come, and what has come of the body with it.
func TestPathForm_BodyComesLater_HeadGoesOn(t *testing.T) {
	for framing, parts := range map[string][3]string{
		"a length":     {"Content-Length: 6\r\n\r\n", "abc", "def"},
		"the end":      {"Connection: close\r\n\r\n", "abc", "def"},
		"chunks":       {"Transfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "3\r\ndef\r\n0\r\n\r\n"},
		"part of size": {"Transfer-Encoding: chunked\r\n\r\n0", "6\r\nabc", "def\r\n0\r\n\r\n"},
	} {
		for before := range 3 { // so many parts of the body come with the head
			t.Run(fmt.Sprintf("%s, %d parts", framing, before), func(t *testing.T) {
				taken := make(chan struct{})
				target := newTCPTarget(t, func(c *net.TCPConn) {
					if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
						return // a connection that is kept for another request
					}
					io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Join(parts[:1+before], ""))
					for _, part := range parts[1+before:] {
						select {
						case <-taken:
						case <-t.Context().Done():
							return
						}
						io.WriteString(c, part)
					}
				})
				w := newPathWorld(t, http.NotFoundHandler())
				req := w.request("GET", "/", nil)
				req.URL.Opaque = "/to/key=" + testKey + "/http/" + target + "/"
				ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
				defer cancel()
				resp, err := plainClient.Do(req.WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body := make([]byte, 6)
				for have := range 3 {
					if have > before {
						taken <- struct{}{}
					}
					if have > 0 {
						if _, err := io.ReadFull(resp.Body, body[3*have-3:3*have]); err != nil {
							t.Fatalf("part %d: %v", have, err)
						}
					}
				}
				if rest, err := io.ReadAll(resp.Body); err != nil || string(body)+string(rest) != "abcdef" {
					t.Errorf("%q %q %v", body, rest, err)
				}
			})
		}
	}
}

func TestPathForm_LargeBodies_ArriveWhole(t *testing.T) {
	const size = 32 << 20
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil || n != size {
			t.Errorf("%d bytes, %v", n, err)
		}
		rw.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
		io.CopyN(rw, zeros{}, size)
	}))
	resp, err := plainClient.Do(w.request("PUT", "/", io.LimitReader(zeros{}, size)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if want := fmt.Sprintf("%x", sha256.Sum256(make([]byte, size))); err != nil || n != size || resp.Header.Get("X-Sum") != want {
		t.Errorf("%d bytes, %v, %v", n, err, resp.Header)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestPathForm_InterimAnswersAndTrailers_Pass(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Link", "</style.css>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		io.Copy(io.Discard, r.Body)
		rw.Header().Set("Trailer", "X-After")
		rw.Header().Set("X-Client-Trailer", r.Trailer.Get("X-Sum"))
		io.WriteString(rw, "body")
		rw.Header().Set("X-After", "done")
	}))
	hints := 0
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints {
			hints++
		}
		return nil
	}}
	req := w.request("POST", "/", io.MultiReader(strings.NewReader("x")))
	req.Trailer = http.Header{"X-Sum": []string{"42"}}
	resp, body := w.fetch(req.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
	if hints != 1 || body != "body" || resp.Trailer.Get("X-After") != "done" || resp.Header.Get("X-Client-Trailer") != "42" {
		t.Errorf("%d hints, %q, trailer %v, %v", hints, body, resp.Trailer, resp.Header)
	}
}

func TestPathForm_Expect_ComesToAnAnswer(t *testing.T) {
	silent := newRawTarget(t, func(conn net.Conn, head string) { // it never says 100
		body := make([]byte, 4)
		if _, err := io.ReadFull(conn, body); err == nil && string(body) == "data" {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(http.StatusExpectationFailed) }))
	for host, want := range map[string]int{strings.TrimPrefix(silent, "ws://"): 200, w.host(): 417} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "PUT /to/key=%s/http/%s/x HTTP/1.1\r\nHost: gw\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", testKey, strings.TrimSuffix(host, "/"))
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err == nil && resp.StatusCode == 100 {
			io.WriteString(conn, "data")
			resp, err = http.ReadResponse(in, nil)
		}
		if err != nil || resp.StatusCode != want {
			t.Errorf("%v %v, want %d", resp, err, want)
		}
	}
}

func TestPathForm_AnswersWithoutBody_StaySo(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("ETag", `"x"`)
		switch {
		case r.Method == http.MethodHead:
			rw.Header().Set("Content-Length", "1234")
		case r.URL.Path == "/304":
			rw.WriteHeader(http.StatusNotModified)
		case r.URL.Path == "/range":
			http.ServeContent(rw, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
		default:
			rw.WriteHeader(http.StatusNoContent)
		}
	}))
	resp, _ := w.fetch(w.request("HEAD", "/", nil))
	if resp.ContentLength != 1234 {
		t.Errorf("HEAD: %d", resp.ContentLength)
	}
	for path, status := range map[string]int{"/204": 204, "/304": 304} {
		if resp, body := w.fetch(w.request("GET", path, nil, `If-None-Match: "x"`)); resp.StatusCode != status || body != "" || resp.Header.Get("ETag") != `"x"` {
			t.Errorf("%s: %d %q %v", path, resp.StatusCode, body, resp.Header)
		}
	}
	if resp, body := w.fetch(w.request("GET", "/range", nil, "Range: bytes=2-4")); resp.StatusCode != 206 || body != "234" || resp.Header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("range: %d %q %v", resp.StatusCode, body, resp.Header)
	}
}

func TestPathForm_Redirect_StaysBelowTo(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Location", r.URL.Query().Get("to"))
		rw.WriteHeader(http.StatusFound)
	}))
	for to, want := range map[string]string{"/x": "/http/" + w.host() + "/x", "https://user:pw@other.test/y": "/https/other.test/y", "//other.test": "/http/other.test/"} {
		resp, _ := w.fetch(w.request("GET", "/a/b?to="+escape(to), nil))
		if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != "/to/key="+testKey+want {
			t.Errorf("%s: %d %s", to, resp.StatusCode, got)
		}
	}
}

func TestPathForm_Preflight_NeedsNoKey(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { t.Error("the target was asked") }))
	req := w.request("OPTIONS", "/", nil, "Origin: https://app.test", "Access-Control-Request-Method: PATCH", "Access-Control-Request-Headers: x-signalr-user-agent")
	req.URL.Opaque = "/to/-/http/" + w.host() + "/hub/negotiate"
	resp, _ := w.fetch(req)
	h := resp.Header
	if resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "https://app.test" || h.Get("Access-Control-Allow-Credentials") != "true" ||
		h.Get("Access-Control-Allow-Methods") != "PATCH" || h.Get("Access-Control-Allow-Headers") != "x-signalr-user-agent" {
		t.Errorf("%d %v", resp.StatusCode, h)
	}
}

func TestPathForm_ManyRequests_HaveARateOfTheirOwn(t *testing.T) {
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {}), func(o *farwire.Options) {
		o.Limits = farwire.Limits{Rate: 1, Burst: 1, HTTPRate: 0.001, HTTPBurst: 3}
	})
	var statuses []int
	for range 4 {
		resp, _ := w.fetch(w.request("GET", "/", nil))
		statuses = append(statuses, resp.StatusCode)
	}
	if !slices.Equal(statuses, []int{200, 200, 200, 429}) {
		t.Errorf("%v", statuses)
	}
}
