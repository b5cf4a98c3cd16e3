//go:build unix

package agent_test

import (
	"io"
	"net"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// BenchmarkHop dials and echoes through an agent, over the gateway's own link and
// over one hop.
func BenchmarkHop(b *testing.B) {
	d := new(agent.LocalDirectory)
	pools := map[string]*agent.Pool{}
	for _, name := range []string{"own", "hop"} {
		p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		srv := httptest.NewServer(p)
		defer srv.Close()
		defer p.Shutdown(b.Context())
		err = p.Join(agent.ClusterOptions{Name: name, URL: func() string { return srv.URL }, Directory: d,
			Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }})
		if err != nil {
			b.Fatal(err)
		}
		pools[name] = p
		if name == "own" {
			go agent.Run(b.Context(), agent.RunOptions{Gateways: []string{srv.URL}, Secret: secret, Slug: "de1", Country: "DE", AllowPrivate: true, Logger: quiet})
		}
	}
	addr := harness.Conns(b, func(c net.Conn) { io.Copy(c, c) }).Addr().String()
	for _, name := range []string{"own", "hop"} {
		if err := pools[name].WaitReady(b.Context()); err != nil {
			b.Fatal(err)
		}
		exit, err := pools[name].SelectAgent(b.Context(), agent.Query{})
		if err != nil {
			b.Fatal(err)
		}
		open := func(b *testing.B) net.Conn {
			c, err := exit.DialContext(b.Context(), "tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			return c
		}
		b.Run(name+"/dial", func(b *testing.B) {
			cpu := used(b)
			for b.Loop() {
				open(b).Close()
			}
			b.ReportMetric(float64((used(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		})
		for size, what := range map[int]string{64: "message", 64 << 10: "bulk"} {
			b.Run(name+"/"+what, func(b *testing.B) {
				c := open(b)
				defer c.Close()
				out, in := make([]byte, size), make([]byte, size)
				b.SetBytes(int64(size))
				cpu := used(b)
				for b.Loop() {
					if _, err := c.Write(out); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(c, in); err != nil {
						b.Fatal(err)
					}
				}
				spent := used(b) - cpu
				b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/op")
				b.ReportMetric(spent.Seconds()/float64(b.N)/float64(2*size)*1e9, "cpu-s/GB") // both ways
			})
		}
	}
}

// used is the processor time of this process so far: of the gateways, the agent and
// the target together.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
