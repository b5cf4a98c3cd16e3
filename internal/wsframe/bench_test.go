//go:build unix

package wsframe_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// relay carries bytes between two pairs of connections until both far ends are
// closed; the pipe is measured beside io.Copy, which knows no frames.
type relay struct {
	name string
	run  func(client, target net.Conn)
}

var relays = []relay{
	{"pipe", func(client, target net.Conn) {
		New(Config{Client: client, Target: target, Idle: time.Hour}).Run()
	}},
	{"copy", func(client, target net.Conn) {
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(target, client); target.(*net.TCPConn).CloseWrite() })
		io.Copy(client, target)
		client.(*net.TCPConn).CloseWrite()
		wg.Wait()
		client.Close()
		target.Close()
	}},
}

func sides(b *testing.B, r relay) (client, target net.Conn, stop func()) {
	near1, client := tcpPair(b)
	near2, target := tcpPair(b)
	done := make(chan struct{})
	go func() { defer close(done); r.run(near1, near2) }()
	return client, target, func() {
		client.Close()
		target.Close()
		<-done
	}
}

// BenchmarkPipe measures both relays in the same run. The far ends cost the
// same in both and are part of every figure.
func BenchmarkPipe(b *testing.B) {
	for _, size := range []int{128, 64 << 10} {
		name := map[int]string{128: "small", 64 << 10: "bulk"}[size]
		msg := frame(true, OpBinary, make([]byte, size), true)
		batch := bytes.Repeat(msg, max(1, (32<<10)/len(msg)))
		for _, r := range relays {
			b.Run(name+"/"+r.name, func(b *testing.B) {
				client, target, stop := sides(b, r)
				defer stop()
				b.ReportAllocs()
				b.SetBytes(int64(len(batch)))
				var wg sync.WaitGroup
				wg.Go(func() {
					for range b.N {
						client.Write(batch)
					}
				})
				buf := make([]byte, 256<<10)
				b.ResetTimer()
				start := cpu()
				for left := b.N * len(batch); left > 0; {
					n, err := target.Read(buf)
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
				wg.Wait()
				b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(len(batch)/len(msg)), "messages/op")
			})
		}
	}
	for _, r := range relays {
		b.Run("lockstep/"+r.name, func(b *testing.B) {
			client, target, stop := sides(b, r)
			defer stop()
			b.ReportAllocs()
			up, down := frame(true, OpText, make([]byte, 128), true), frame(true, OpText, make([]byte, 128), false)
			var wg sync.WaitGroup
			wg.Go(func() {
				buf := make([]byte, len(up))
				for range b.N {
					io.ReadFull(target, buf)
					target.Write(down)
				}
			})
			buf := make([]byte, len(down))
			b.ResetTimer()
			start := cpu()
			for range b.N {
				client.Write(up)
				if _, err := io.ReadFull(client, buf); err != nil {
					b.Fatal(err)
				}
			}
			wg.Wait()
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkIdle reports what a session that has carried something and now
// waits holds in Go's memory, its connections and goroutines included.
func BenchmarkIdle(b *testing.B) {
	const sessions = 200
	for _, r := range relays {
		b.Run(r.name, func(b *testing.B) {
			for b.Loop() {
				var near, far []net.Conn
				for range 2 * sessions {
					n, f := tcpPair(b)
					near, far = append(near, n), append(far, f)
				}
				before := memory()
				var wg sync.WaitGroup
				for i := range sessions {
					wg.Go(func() { r.run(near[2*i], near[2*i+1]) })
					for a, z := range map[net.Conn]net.Conn{far[2*i]: far[2*i+1], far[2*i+1]: far[2*i]} {
						msg := frame(true, OpText, make([]byte, 128), a == far[2*i])
						a.Write(msg)
						io.ReadFull(z, msg)
					}
				}
				used := memory() - before
				b.ReportMetric(float64(used)/sessions, "bytes/session")
				for _, c := range far {
					c.Close()
				}
				wg.Wait()
			}
		})
	}
}

func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
