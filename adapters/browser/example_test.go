package browser_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
)

// A Browser is for CrawlOptions.Render. On a machine without one, pages that need it
// keep their static form, and the client of a crawl is told so once.
func ExampleNew() {
	pages, err := browser.New(browser.Options{Path: browser.None, Tabs: 2}) // an empty Path finds Chromium
	if err != nil {
		log.Fatal(err)
	}
	defer pages.Close()
	gw, err := farwire.New(farwire.Options{Crawl: farwire.CrawlOptions{Render: pages}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = pages.Render(context.Background(), farwire.RenderPage{URL: "https://example.com/"})
	fmt.Println(errors.Is(err, farwire.ErrNoBrowser), gw.Shutdown(context.Background()))
	// Output:
	// true <nil>
}
