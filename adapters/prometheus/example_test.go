package prometheus_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"strings"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/prometheus"
)

// Metrics of a gateway in a registry of the host's own.
func Example() {
	metrics := prometheus.New(prometheus.Options{Version: "1.2.3"})
	gw, err := farwire.New(farwire.Options{Trace: metrics.Trace(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	metrics.Watch(gw)
	registry := client.NewRegistry()
	registry.MustRegister(metrics)
	scraped := promhttp.HandlerFor(registry, promhttp.HandlerOpts{}) // at /metrics

	// The guard refuses an address of this machine: a dial that failed.
	_, err = gw.Open(context.Background(), farwire.OpenOptions{Addr: "127.0.0.1:80", Principal: farwire.Principal{Subject: "alice"}})
	fmt.Println(err != nil)
	w := httptest.NewRecorder()
	scraped.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, `farwire_dials_total{class="policy",kind="tunnel"}`) || strings.HasPrefix(line, "farwire_draining") {
			fmt.Print(line)
		}
	}
	// Output:
	// true
	// farwire_dials_total{class="policy",kind="tunnel"} 1
	// farwire_draining 0
}
