package http1_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/internal/http1"
)

// What has come of a chunk is read at once, whatever it is followed by.
func TestRoundTrip_ChunksDrip_BodyDoesNotWait(t *testing.T) {
	const last = "!\r\n0\r\nX-T: 1\r\n\r\n"
	for i := range 4 * (len(last) - 1) {
		size := []int{1, 5, 4 << 10, 64 << 10}[i%4] // that is read at once, at most
		end := 1 + i/4                              // of what comes with the last byte of the body
		synctest.Test(t, func(t *testing.T) {
			steps := []struct{ wire, body string }{
				{chunked + "\r\n5\r\nhe", "he"}, {"l", "l"}, {"lo", "lo"}, {"\r\n", ""}, {"6;a=b", ""}, {"\r\n", ""}, {", worl", ", worl"}, {"\r", ""},
				{"\n1\r\nd\r\n2\r\n!", "d!"}, {last[:end], "!"}, {last[end:], ""},
			}
			next := make(chan string)
			c, kept, ended := pipe(func(target net.Conn, br *bufio.Reader) {
				if _, err := http.ReadRequest(br); err != nil {
					t.Error(err)
				}
				for wire := range next {
					io.WriteString(target, wire)
				}
			})
			var got strings.Builder
			go func() {
				resp, err := c.RoundTrip(request(t, "GET"), http1.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, resp.Body, make([]byte, size)); err != nil || resp.Trailer.Get("X-T") != "1" {
					t.Errorf("%v, trailers %v", err, resp.Trailer)
				}
			}()
			var want string
			for _, step := range steps {
				next <- step.wire
				synctest.Wait()
				if want += step.body; got.String() != want {
					t.Fatalf("after %q, %d at once: %q, want %q", step.wire, size, got.String(), want)
				}
			}
			if !kept.Load() {
				t.Error("the connection is not kept")
			}
			close(next)
			<-ended
			c.Cut()
		})
	}
}

// Chunks of a byte each are a body; extensions that are far longer than it are refused.
func TestRoundTrip_MoreBetweenChunksThanInThem_IsBounded(t *testing.T) {
	const many = 10_000
	got, _ := ask(t, "GET", &script{text: chunked + "\r\n" + strings.Repeat("1;a=b\r\nx\r\n", many) + "0\r\n\r\n"})
	if got.body != strings.Repeat("x", many) || got.failed || !got.kept {
		t.Errorf("small chunks: %d bytes, failed %v", len(got.body), got.failed)
	}
	for _, size := range []int{100, 4000, 5000} {
		s := &script{text: chunked + "\r\n" + strings.Repeat("1;"+strings.Repeat("a", size)+"\r\nx\r\n", many) + "0\r\n\r\n"}
		if got, _ := ask(t, "GET", s); !got.failed || got.kept || s.read > 64<<10 {
			t.Errorf("extensions of %d bytes: %d bytes of the body, %d were read", size, len(got.body), s.read)
		}
	}
}
