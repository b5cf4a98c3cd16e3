package redislimit_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// BenchmarkTake counts requests of a thousand callers, one after the other and
// from many at once, in Redis on this machine and in memory.
func BenchmarkTake(b *testing.B) {
	callers := make([]farwire.Principal, 1000)
	for i := range callers {
		callers[i] = farwire.Principal{Subject: fmt.Sprintf("subject-%d", i), KeyID: "0123456789abcdef", Limits: farwire.Limits{Rate: 10, Burst: 10}}
	}
	for name, l := range map[string]farwire.Limiter{
		"redis":  open(b, harness.Redis(b), redislimit.Options{}),
		"memory": farwire.NewLimiter(),
	} {
		b.Run(name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				take(b, l, callers[i%len(callers)])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "takes/s")
		})
		b.Run(name+"/many", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					take(b, l, callers[next.Add(1)%int64(len(callers))])
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "takes/s")
		})
	}
}
