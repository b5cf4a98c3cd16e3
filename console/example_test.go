package console_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/farwire/farwire/console"
)

// The console of a host that has the gateway's handlers below /api/. A real
// host mounts those of a farwire.Gateway there.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/console/", http.StripPrefix("/console", console.Handler(console.Options{
		Gateway: "/api/", // where the page finds /api/ws, /api/amqp and the rest
	})))

	server := httptest.NewServer(mux)
	defer server.Close()
	resp, err := http.Get(server.URL + "/console/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if strings.Contains(line, "farwire-gateway") || strings.Contains(line, "<title>") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// <meta name="farwire-gateway" content="/api/">
	// <title>Farwire</title>
}
