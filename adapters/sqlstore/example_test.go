package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/llmstxt"
)

// A crawl that is slower than its lease has lost the site to the next one, and
// its outcome is refused.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	sites, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "sites.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer sites.Close()

	site := farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/", Interval: time.Hour}
	slow, err := sites.Enroll(ctx, site, 10, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	fast, err := sites.Enroll(ctx, site, 10, time.Minute)
	if err != nil {
		log.Fatal(err)
	}

	outcome := farwire.RecrawlResult{Site: fast.Site, Pages: []llmstxt.Page{{URL: "https://docs.example.com/", Title: "Home"}}}
	outcome.Site.NextCrawl = time.Now().Add(site.Interval)
	fmt.Println("slow lost:", errors.Is(sites.Commit(ctx, slow, outcome), farwire.ErrLeaseLost))
	fmt.Println("fast:", sites.Commit(ctx, fast, outcome))

	pages, err := sites.Pages(ctx, fast.Site.ID)
	if err != nil {
		log.Fatal(err)
	}
	lines, err := sites.Log(ctx, fast.Site.ID, 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pages[0].Title, len(lines), lines[0].Token == fast.Token)
	// Output:
	// slow lost: true
	// fast: <nil>
	// Home 1 true
}
