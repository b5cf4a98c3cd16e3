//go:build linux

package llmstxt_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/robots"
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

// letters are bytes of an encoding that has one a letter, each of which takes two as UTF-8.
func letters(size int) []byte {
	b := make([]byte, size)
	for i, x := 0, uint32(1); i < size; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x>>24) | 0x80
	}
	return append([]byte("<p>"), b...)
}
