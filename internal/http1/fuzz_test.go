package http1_test

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/http1"
)

// FuzzRoundTrip compares what comes of an answer with what net/http reads.
func FuzzRoundTrip(f *testing.F) {
	for _, text := range []string{
		ok + "Content-Length: 4\r\n\r\nbody", ok + "Content-Length: 4\r\n\r\nbody" + ok, chunked + "Trailer: X-T\r\n\r\n4;a=b\r\nbody\r\n0\r\nX-T: 1\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + ok + "Connection: close, X\r\n\r\nbody", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nb",
		chunked + "Content-Length: 3\r\n\r\n0\r\n\r\n", ok + "X-A: 1\r\n\tfolded\r\nPragma: no-cache\r\n\r\n", "HTTP/1.1 304 Same\nContent-Length: 4\n\n",
		"HTTP/1.1 101 Switching\r\n\r\nx", "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		f.Add(text, false, 0)
		f.Add(text, true, 3)
	}
	f.Fuzz(func(t *testing.T, text string, head bool, size int) {
		method := map[bool]string{true: "HEAD", false: "GET"}[head]
		s := &script{text: text, size: max(size, 0)}
		conn, kept := over(s)
		got, err := conn.RoundTrip(request(t, method), http1.Options{})
		br := bufio.NewReader(strings.NewReader(text))
		want, wantErr := http.ReadResponse(br, request(t, method))
		for wantErr == nil && want.StatusCode/100 == 1 && want.StatusCode != 101 {
			want, wantErr = http.ReadResponse(br, request(t, method))
		}
		if err != nil {
			if kept.Load() || !s.closed.Load() {
				t.Error("the connection is kept after an error")
			}
			// A status has no sign, and HTTP/0.9 no head.
			if wantErr == nil && !strings.Contains(text, "HTTP/0.") && !strings.HasPrefix(want.Status, "+") && !strings.HasPrefix(want.Status, "-") {
				t.Errorf("%v; net/http has none", err)
			}
			return
		}
		if wantErr != nil && strings.Contains(strings.ToLower(wantErr.Error()), "\"identity\"") {
			return // which net/http does not read any more
		}
		if wantErr != nil {
			t.Fatalf("%s; net/http: %v", got.Status, wantErr)
		}
		body, err := io.ReadAll(got.Body)
		wantBody, wantErr := io.ReadAll(want.Body)
		if wantErr != nil && strings.Contains(wantErr.Error(), "trailer") {
			return // which net/http wants to be short, and to end with more than a line feed
		}
		if kept.Load() && (err != nil || want.Close || wantErr != nil) {
			t.Errorf("the connection is kept: %v; net/http: close %v, %v", err, want.Close, wantErr)
		}
		if kept.Load() && s.size == 0 && br.Buffered() > 0 && s.text == "" {
			t.Errorf("the connection is kept, and %d bytes are left", br.Buffered())
		}
		coded := strings.Contains(strings.ToLower(text), "transfer-encoding")
		if head && coded { // besides a length, which net/http keeps
			want.ContentLength = got.ContentLength
		}
		if got.Status != want.Status || got.StatusCode != want.StatusCode || got.Proto != want.Proto || string(body) != string(wantBody) || got.ContentLength != want.ContentLength {
			t.Errorf("%s %s, %q of %d; net/http: %s %s, %q of %d", got.Proto, got.Status, body, got.ContentLength, want.Proto, want.Status, wantBody, want.ContentLength)
		}
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%v; net/http: %v", err, wantErr)
		}
		if want.Close {
			delete(got.Header, "Connection") // which net/http takes out
			delete(want.Header, "Connection")
		}
		if coded && (head || !want.ProtoAtLeast(1, 1) || want.StatusCode < 200 || want.StatusCode == 204 || want.StatusCode == 304) {
			delete(got.Header, "Content-Length")
			delete(want.Header, "Content-Length")
		}
		if got.Header["Pragma"] != nil && got.Header["Cache-Control"] == nil {
			delete(want.Header, "Cache-Control") // which net/http adds
		}
		if !reflect.DeepEqual(got.Header, want.Header) && len(got.Header)+len(want.Header) > 0 {
			t.Errorf("%v; net/http: %v", got.Header, want.Header)
		}
		if err == nil && wantErr == nil && !maps.EqualFunc(got.Trailer, want.Trailer, slices.Equal) {
			t.Errorf("trailers %v; net/http: %v", got.Trailer, want.Trailer)
		}
	})
}
