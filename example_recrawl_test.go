package farwire_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/farwire/farwire"
)

// A site that is due is crawled and its file hosted, and again whenever it is
// due. Clients enrol sites with enableAutoUpdate; here the host does so itself.
// The SiteStore of the example is in memory; adapters/sqlstore has one that
// lasts.
func ExampleGateway_Recrawl() {
	dir, err := os.MkdirTemp("", "farwire-example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	files, err := farwire.NewFolderStorage(dir, "https://gw.example.com/files/")
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
	sites, worked := &memorySites{}, make(chan struct{}, 1)
	gw, err := farwire.New(farwire.Options{
		Agents: mustDirect(), Logger: quiet, Storage: files, Sites: sites,
		Trace: &farwire.Trace{SessionEnd: func(_ context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			fmt.Printf("%s for %s: %d pages, error %v\n", i.Kind, i.Subject, r.FramesToClient, r.Err)
			worked <- struct{}{}
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	site := twoPages()
	defer site.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	lease, err := sites.Enroll(ctx, farwire.Site{
		Subject: "alice", BaseURL: site.URL + "/", Interval: 24 * time.Hour,
		Options: farwire.SiteOptions{MaxPages: 10, DescLength: 500, Format: "index"},
	}, -1, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	if err := sites.Release(ctx, lease); err != nil { // it is due now
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- gw.Recrawl(ctx) }()
	<-worked
	cancel()
	fmt.Println("recrawls ended with", <-done)

	enrolled, err := sites.Enrolled(context.Background(), site.URL+"/")
	if err != nil {
		log.Fatal(err)
	}
	name := strings.TrimPrefix(enrolled[0].HostedURL, "https://gw.example.com/files")
	w := httptest.NewRecorder()
	files.ServeHTTP(w, httptest.NewRequest("GET", name, nil))
	fmt.Print(strings.ReplaceAll(w.Body.String(), site.URL, "https://docs.example.com"))
	// Output:
	// recrawl for alice: 2 pages, error <nil>
	// recrawls ended with <nil>
	// # Example Documentation
	//
	// > All that there is to know about the example, in two pages.
	//
	// Start page: https://docs.example.com/
	//
	// ## Pages
	//
	// - [Getting Started](https://docs.example.com/start): Learn how to use the example in a few short steps.
}

// A site says that it has changed, with the secret that whoever enrolled it was
// told.
func ExampleGateway_SiteChanged() {
	sites := &memorySites{}
	ctx := context.Background()
	if _, err := sites.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/", WebhookSecret: "told-once"}, -1, 0); err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Sites: sites, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /hooks/site-changed", gw.SiteChanged())
	host := httptest.NewServer(mux)
	defer host.Close()
	for _, secret := range []string{"told-once", "guessed"} {
		body := fmt.Sprintf(`{"base_url":"https://docs.example.com","webhook_secret":%q}`, secret)
		resp, err := http.Post(host.URL+"/hooks/site-changed", "application/json", strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(resp.Status, strings.Contains(string(text), "next_crawl_at"))
	}
	// Output:
	// 202 Accepted true
	// 401 Unauthorized false
}
