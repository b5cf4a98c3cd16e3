package preauth_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/farwire/farwire/internal/preauth"
	"github.com/farwire/farwire/internal/upgrade"
)

// A framed client speaks HTTP/2 by hand and gives no stream a window.
type framed struct {
	t      *testing.T
	framer *http2.Framer
	head   bytes.Buffer
	enc    *hpack.Encoder
	next   uint32
}

func dialFramed(t *testing.T, s *httptest.Server) *framed {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(conn, http2.ClientPreface)
	f := &framed{t: t, framer: http2.NewFramer(conn, bufio.NewReader(conn)), next: 1}
	f.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.enc = hpack.NewEncoder(&f.head)
	f.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	f.framer.WriteSettingsAck()
	return f
}

// ask opens a stream. A POST's body is withheld.
func (f *framed) ask(method string, fields ...string) uint32 {
	f.t.Helper()
	f.head.Reset()
	for i, fields := 0, append([]string{":method", method, ":scheme", "https", ":authority", "x", ":path", "/"}, fields...); i < len(fields); i += 2 {
		f.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	id := f.next
	f.next += 2
	block := f.head.Bytes()
	n := min(len(block), 16<<10)
	err := f.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:n], EndStream: method != "POST", EndHeaders: n == len(block)})
	for block = block[n:]; len(block) > 0 && err == nil; block = block[n:] {
		n = min(len(block), 16<<10)
		err = f.framer.WriteContinuation(id, n == len(block), block[:n])
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// refused waits until each of some streams has begun its answer or is reset, and returns
// how many are reset.
func (f *framed) refused(ids ...uint32) (resets int) {
	f.t.Helper()
	open := make(map[uint32]bool)
	for _, id := range ids {
		open[id] = true
	}
	for len(open) > 0 {
		frame, err := f.framer.ReadFrame()
		if err != nil {
			f.t.Fatal(err)
		}
		if _, ok := frame.(*http2.RSTStreamFrame); ok && open[frame.Header().StreamID] {
			resets++
		}
		delete(open, frame.Header().StreamID)
	}
	return resets
}

// fieldsOf are many short fields, which take many times their length.
func fieldsOf(n, values int) (fields []string) {
	for i := range n {
		fields = append(fields, fmt.Sprint("x", i%max(1, n/values)), "v")
	}
	return fields
}

// serveSmall answers at once, with what fits into a buffer.
func serveSmall(t *testing.T, o preauth.Options) *httptest.Server {
	t.Helper()
	p := listen(t, o)
	s := httptest.NewUnstartedServer(p.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Key") != "" {
			upgrade.KeyShown(r.Context())()
		}
		if r.Header.Get("Own") != "" { // a deadline of the handler's, for a part of the answer
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(time.Hour))
			rc.SetWriteDeadline(time.Time{})
		}
		if r.Method == "POST" {
			w.WriteHeader(http.StatusAccepted)
			http.NewResponseController(w).Flush()
			io.Copy(io.Discard, r.Body)
		}
		io.WriteString(w, "answer")
	})))
	s.Listener.Close()
	s.Listener = p.ln
	s.Config.ConnContext, s.Config.ConnState = p.guard.ConnContext, p.guard.ConnState
	s.Config.MaxHeaderBytes = 64 << 10
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// The requests of one connection over HTTP/2 that show no key hold a bounded memory
// together, whether their bodies do not come or their answers are not read. Those that
// have shown a key do not count, nor a trusted proxy's, and what a request held is free when its stream is over.
func TestHandler_HeadsOfStreams_AreBoundedInSum(t *testing.T) {
	const streams = 60
	for name, fields := range map[string][]string{
		"names":          fieldsOf(800, 1),
		"values":         fieldsOf(1600, 16),
		"one long field": {"x", strings.Repeat("v", 60<<10)},
	} {
		for _, method := range []string{"GET", "POST", "PRI"} { // one of them is that of the preface
			for _, who := range []string{"unknown", "known", "trusted"} {
				t.Run(fmt.Sprintf("%s, %s, %s", name, method, who), func(t *testing.T) {
					t.Parallel()
					o := preauth.Options{}
					if who == "trusted" {
						o.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
					}
					f, fields := dialFramed(t, serveSmall(t, o)), fields
					if who == "known" { // by an earlier request
						f.refused(f.ask("GET", "key", "a"))
					}
					var ids []uint32
					for range streams {
						ids = append(ids, f.ask(method, fields...))
					}
					resets := f.refused(ids...)
					if who != "unknown" {
						if resets > 0 {
							t.Errorf("%d of %d requests are reset", resets, streams)
						}
						return
					}
					if served := streams - resets; served < 4 || served > 20 {
						t.Errorf("%d of %d requests without a key are served at once", served, streams)
					}
					for _, id := range ids {
						f.framer.WriteRSTStream(id, http2.ErrCodeCancel)
					}
					for try := 0; f.refused(f.ask("GET", fields...)) > 0; try++ {
						if try > 10_000 {
							t.Fatal("what the streams held is not free when they are over")
						}
					}
				})
			}
		}
	}
}

// A hundred requests of an ordinary client at a time are served.
func TestHandler_OrdinaryStreams_AreServedTogether(t *testing.T) {
	f := dialFramed(t, serveSmall(t, preauth.Options{}))
	fields := []string{"authorization", "Bearer " + strings.Repeat("t", 500), "user-agent", strings.Repeat("u", 120)}
	for i := range 15 {
		fields = append(fields, fmt.Sprint("sec-fetch-", i), "same-origin")
	}
	var ids []uint32
	for range 100 {
		ids = append(ids, f.ask("GET", fields...))
	}
	if n := f.refused(ids...); n > 0 {
		t.Errorf("%d are reset", n)
	}
}

// What is left of an answer when its handler has returned holds a stream for a while only,
// of a request with a key as well.
func TestHandler_EndOfAnswerUnread_IsReset(t *testing.T) {
	for _, fields := range [][]string{nil, {"key", "a"}, {"own", "a"}, {"key", "a", "own", "a"}} {
		f := dialFramed(t, serveSmall(t, preauth.Options{StallTimeout: 100 * time.Millisecond}))
		id := f.ask("GET", fields...)
		for {
			frame, err := f.framer.ReadFrame()
			if err != nil {
				t.Fatalf("%q: %v", fields, err)
			}
			if _, ok := frame.(*http2.RSTStreamFrame); ok && frame.Header().StreamID == id {
				break
			}
		}
	}
}

// A head that takes many times its length once it is read is refused, over both versions.
func TestHandler_HeadOfManyFields_Refused(t *testing.T) {
	s := serveSmall(t, preauth.Options{})
	for _, c := range []struct {
		names, values, length, want int
	}{
		{400, 1, 20, 200}, {200, 1, 250, 200}, {1, 1, 60 << 10, 200}, {1000, 1, 1, 431}, {100, 25, 1, 431},
	} {
		for _, proto := range []string{"http/1.1", "h2"} {
			if proto == "h2" && c.values > 1 {
				continue // the same fields take more than the server reads of a head there
			}
			req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.names {
				for range c.values {
					req.Header.Add(fmt.Sprint("x", i), strings.Repeat("v", c.length))
				}
			}
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: proto == "h2"}
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatalf("%s, %+v: %v", proto, c, err)
			}
			var said struct{ Detail, Code string }
			if resp.StatusCode == 431 {
				if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Code != "bad_request" || said.Detail == "" {
					t.Errorf("%s, %+v: %+v, %v", proto, c, said, err)
				}
			}
			resp.Body.Close()
			tr.CloseIdleConnections()
			if resp.StatusCode != c.want || (resp.ProtoMajor == 2) != (proto == "h2") {
				t.Errorf("%s, %+v: %s %d", proto, c, resp.Proto, resp.StatusCode)
			}
		}
	}
}

// What is read of the bodies of requests that show no key counts as well: a handler that
// looks for a key in them keeps it. Those that have shown a key do not count, and what a
// body held is free when its stream is over.
func TestHandler_BodiesOfStreams_AreBoundedInSum(t *testing.T) {
	const streams, size = 90, 60 << 10 // more than twice what may be held
	for _, piece := range []int{1 << 10, 10 << 10, 15 << 10} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, known %v", piece, known), func(t *testing.T) {
				t.Parallel()
				f := dialFramed(t, serveSmall(t, preauth.Options{}))
				if known { // by an earlier request
					f.refused(f.ask("GET", "key", "a"))
				}
				window, reset := 1<<16-1, map[uint32]bool{}
				upTo := func(reached func(http2.Frame) bool) {
					for {
						frame, err := f.framer.ReadFrame()
						if err != nil {
							t.Fatal(err)
						}
						switch frame := frame.(type) {
						case *http2.WindowUpdateFrame:
							if frame.StreamID == 0 {
								window += int(frame.Increment)
							}
						case *http2.RSTStreamFrame:
							reset[frame.StreamID] = true
						}
						if reached(frame) {
							return
						}
					}
				}
				send := func() (served int) {
					var ids []uint32
					for range streams {
						id := f.ask("POST")
						ids = append(ids, id)
						for sent := 0; sent < size && !reset[id]; sent += piece {
							for window < piece {
								upTo(func(http2.Frame) bool { return window >= piece })
							}
							if err := f.framer.WriteData(id, false, make([]byte, piece)); err != nil {
								t.Fatal(err)
							}
							window -= piece
						}
					}
					f.framer.WritePing(false, [8]byte{1})
					upTo(func(frame http2.Frame) bool { return frame.Header().Type == http2.FramePing })
					for _, id := range ids {
						if !reset[id] {
							served++
						}
						f.framer.WriteRSTStream(id, http2.ErrCodeCancel)
					}
					return served
				}
				switch served := send(); {
				case known && served < streams:
					t.Errorf("%d of %d requests with a key are reset", streams-served, streams)
				case !known && served*size > 2<<20: // held, and in the window
					t.Errorf("%d bodies of %d bytes are held", served, size)
				}
				for try := 0; f.refused(f.ask("POST")) > 0; try++ {
					if try > 10_000 {
						t.Fatal("what the streams held is not free when they are over")
					}
				}
			})
		}
	}
}
