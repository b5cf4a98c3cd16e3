// The race detector makes an allocation of 64 KiB cost many times one of 16 KiB, so
// make test runs these once more without it.

//go:build linux && !race

package request_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/request"
)

// hostile are messages of a size that cost much for their length: of clients without
// a key, and of some with one, whose request is read as well.
var hostile = map[string]func(size int) string{
	"one text":          repeated(`{"url":"`, "a", `"}`),
	"escapes":           repeated(`{"url":"`, `\u0041`, `"}`),
	"many names":        counted(`{"a":1`, `,"%x":1`, `}`),
	"many names inside": counted(`{"x":{"a":1`, `,"%x":1`, `}}`),
	"an array":          repeated(`{"a":[1`, ",1", `]}`),
	"objects":           repeated(`{"a":[{}`, ",{}", `]}`),
	"deep arrays":       repeated(`{"a":`, "[", ""),
	"deep objects":      repeated(`{"a":`, `{"a":`, ""),
	"a number":          repeated(`{"idle_timeout":1`, "0", `}`),
	"blanks":            repeated(`{"a":`, " ", "1}"),
	"headers":           counted(`{"url":"ws://a","headers":{"a":"b"`, `,"%x":"v"`, `}}`),
	"cookies":           counted(`{"url":"ws://a","cookies":{"a":"b"`, `,"%x":"v"`, `}}`),
	"subprotocols":      counted(`{"url":"ws://a","subprotocols":["a"`, `,"%x"`, `]}`),
	"slugs":             repeated(`{"url":"ws://a","agent":"a`, ",a", `"}`),
	"countries":         repeated(`{"url":"ws://a","geo":"US`, ",US", `"}`),
	"a proxy":           repeated(`{"url":"ws://a","proxy":"http://`, "a@", `"}`),
	"a path":            repeated(`{"url":"ws://a/`, "%", `"}`),
	"a host":            repeated(`{"url":"ws://`, "a.", `"}`),
	"a certificate":     repeated(`{"url":"ws://a","ca":"`, `-----BEGIN`, `"}`),
	"one cookie":        repeated(`{"url":"ws://a","cookies":{"a":"`, "; ", `"}}`),
}

func repeated(begin, unit, end string) func(int) string {
	return func(size int) string {
		return begin + strings.Repeat(unit, max(0, size-len(begin)-len(end))/len(unit)) + end
	}
}

func counted(begin, unit, end string) func(int) string {
	return func(size int) string {
		var b strings.Builder
		b.WriteString(begin)
		for i := 0x1000; b.Len() < size-len(end)-12; i++ {
			fmt.Fprintf(&b, unit, i)
		}
		return b.String() + end
	}
}

// hostileBodies are bodies of /amqp, and hostileCrawls requests of a crawl, of the
// same kind. Their parts beyond those of every object cost time with a key only.
var hostileBodies = map[string]func(size int) string{
	"many names":       counted(`{"host":"a"`, `,"%x":1`, `}`),
	"a host":           repeated(`{"host":"`, "a.", `"}`),
	"routing keys":     repeated(`{"host":"a","exchange":"e","routing_key":["a"`, `,"a"`, `]}`),
	"bindings":         repeated(`{"host":"a","bindings":[{"exchange":"e"}`, `,{"exchange":"e"}`, `]}`),
	"arguments":        counted(`{"host":"a","bindings":[{"exchange":"e","arguments":{"a":1`, `,"%x":1`, `}}]}`),
	"long arguments":   repeated(`{"host":"a","bindings":[{"exchange":"e","arguments":{"a":["x"`, `,"x"`, `]}}]}`),
	"a long number":    repeated(`{"host":"a","bindings":[{"exchange":"e","arguments":{"a":1`, "0", `}}]}`),
	"a long fraction":  repeated(`{"host":"a","bindings":[{"exchange":"e","arguments":{"a":0.`, "1", `}}]}`),
	"an offset":        repeated(`{"host":"a","queue":"q","offset":1`, "0", `}`),
	"an authority":     repeated(`{"host":"a","ssl":true,"ca":"`, `-----BEGIN CERTIFICATE-----\n`, `"}`),
	"a certificate":    repeated(`{"host":"a","ssl":true,"cert_key":"x","cert":"`, `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, `"}`),
	"a virtual host":   repeated(`{"host":"a","virtual_host":"`, "/", `"}`),
	"user and secrets": repeated(`{"host":"a","username":"`, `\u0000`, `"}`),
}

var hostileCrawls = map[string]func(size int) string{
	"many names":     counted(`{"url":"http://a"`, `,"%x":1`, `}`),
	"globs":          repeated(`{"url":"http://a","include":["a"`, `,"**/*"`, `]}`),
	"stars":          repeated(`{"url":"http://a","exclude":["/`, "*a", `"]}`),
	"double stars":   repeated(`{"url":"http://a","exclude":["/`, "**/", `"]}`),
	"headers":        counted(`{"url":"http://a","headers":{"a":"b"`, `,"%x":"v"`, `}}`),
	"one cookie":     repeated(`{"url":"http://a","cookies":{"a":"`, "; ", `"}}`),
	"a path":         repeated(`{"url":"http://a/`, "%41", `"}`),
	"a query":        repeated(`{"url":"http://a/?`, "a&", `"}`),
	"a host":         repeated(`{"url":"http://`, "xn--a.", `"}`),
	"a wide host":    repeated(`{"url":"http://`, "ü。", `"}`),
	"a user":         repeated(`{"url":"http://`, "a:@", `h/"}`),
	"a language":     repeated(`{"url":"http://a","language":"`, "de-", `"}`),
	"a version":      repeated(`{"url":"http://a","version":"`, "1.", `"}`),
	"slugs":          repeated(`{"url":"http://a","agent":"a`, ",a", `"}`),
	"a long delay":   repeated(`{"url":"http://a","delay":1`, "0", `}`),
	"a fine delay":   repeated(`{"url":"http://a","delay":0.`, "1", `}`),
	"many fractions": repeated(`{"url":"http://a","x":[0.1`, ",1e-9", `]}`),
}

func readConnect(message string) { request.ParseConnect([]byte(message)) }
func readBody(message string)    { request.ParseAMQP([]byte(message)) }
func readCrawl(message string)   { request.ParseCrawl([]byte(message)) }

// threadCPU is the processor time of the thread.
func threadCPU(t testing.TB) time.Duration {
	const thread = 1 // RUSAGE_THREAD, which package syscall does not name
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spent is the processor time of one call, the least of a few means.
func spent(t testing.TB, do func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least := time.Hour
	for range 3 {
		runtime.GC()
		began, runs := threadCPU(t), 0
		for runs == 0 || runs < 5000 && threadCPU(t)-began < 8*time.Millisecond {
			do()
			runs++
		}
		least = min(least, (threadCPU(t)-began)/time.Duration(runs))
	}
	return least
}

// wantLinear holds four times the message to less than six times the processor time.
func wantLinear(t *testing.T, messages map[string]func(int) string, read func(string)) {
	for name, build := range messages {
		t.Run(name, func(t *testing.T) {
			small, large := build(16<<10), build(64<<10)
			for try := 1; ; try++ {
				a, b := spent(t, func() { read(small) }), spent(t, func() { read(large) })
				if b < 6*max(a, 2*time.Microsecond) {
					return
				}
				if try == 10 {
					t.Fatalf("%d bytes cost %v, %d bytes %v", len(small), a, len(large), b)
				}
			}
		})
	}
}

func TestConnectMessage_Hostile_CostIsLinear(t *testing.T) { wantLinear(t, hostile, readConnect) }
func TestAMQPBody_Hostile_CostIsLinear(t *testing.T)       { wantLinear(t, hostileBodies, readBody) }
func TestCrawlRequest_Hostile_CostIsLinear(t *testing.T)   { wantLinear(t, hostileCrawls, readCrawl) }

// benchmark tells the processor time of messages of 64 KiB: at most 5 ms may go by
// before a key is known.
func benchmark(b *testing.B, messages map[string]func(int) string, read func(string)) {
	for name, build := range messages {
		b.Run(name, func(b *testing.B) {
			message := build(64 << 10)
			b.SetBytes(int64(len(message)))
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began := threadCPU(b)
			for b.Loop() {
				read(message)
			}
			b.ReportMetric(float64(threadCPU(b)-began)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
		})
	}
}

func BenchmarkConnectMessage(b *testing.B) { benchmark(b, hostile, readConnect) }
func BenchmarkAMQPBody(b *testing.B)       { benchmark(b, hostileBodies, readBody) }
func BenchmarkCrawlRequest(b *testing.B)   { benchmark(b, hostileCrawls, readCrawl) }
