//go:build linux

package llmstxt_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/share"
)

// BenchmarkHostileDocuments tells the processor time and the memory of each hostile
// document at its largest.
func BenchmarkHostileDocuments(b *testing.B) {
	for name, d := range hostile {
		size := 8 << 20
		switch {
		case strings.HasPrefix(name, "site map"):
			size = 10 << 20
		case strings.HasPrefix(name, "robots.txt"):
			size = robots.MaxBytes
		case strings.HasPrefix(name, "an answer"):
			size = 256 << 10
		}
		b.Run(name, func(b *testing.B) {
			body := d.make(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began := cpu(b)
			for b.Loop() {
				d.read(b, body)
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
		})
	}
}

// readPackedPage does with a page that is packed what a crawl does. It is unpacked into a
// buffer that is used again, which is as large here as the largest page has made it.
func readPackedPage(t testing.TB, body []byte) {
	const most = 8 << 20
	unpacked, err := decode.Body(t.Context(), body, "gzip", most, share.SmallBody, func(large bool) (*bytes.Buffer, error) {
		if !large {
			return bytes.NewBuffer(make([]byte, 0, share.SmallBody+2*bytes.MinRead)), nil
		}
		return bytes.NewBuffer(make([]byte, 0, most+2*bytes.MinRead)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	readPage("text/html")(t, unpacked)
}

// letters are bytes of an encoding that has one a letter, each of which takes two as UTF-8.
func letters(size int) []byte {
	b := make([]byte, size)
	for i, x := 0, uint32(1); i < size; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x>>24) | 0x80
	}
	return append([]byte("<p>"), b...)
}
