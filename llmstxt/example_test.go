package llmstxt_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/farwire/farwire/llmstxt"
)

// example is a small site in memory; a real caller's client goes to the web.
func example() *http.Client {
	page := func(title, body string) answer {
		return html("<title>" + title + " — Teapot documentation</title><nav><a href=/>Home</a> <a href=/guide/>Guide</a> <a href=/api/>API</a></nav><h1>" + title + "</h1>" + body)
	}
	w := &web{pages: map[string]answer{
		"https://docs.example.com/":              page("Teapot", "<p>Teapot boils water over HTTP. It needs nothing but a socket.</p><a href=/license>License</a>"),
		"https://docs.example.com/guide/":        page("Guide", "<p>Start here if you have never boiled water before.</p><a href=install>Install</a>"),
		"https://docs.example.com/guide/install": page("Install", "<p>Put the pot on a level surface. Fill it with water:</p><pre>$ pot fill</pre>"),
		"https://docs.example.com/api/":          page("API", "<p>All methods of the pot, with their arguments.</p><a href=brew>brew()</a>"),
		"https://docs.example.com/api/brew":      page("brew(leaf)", "<p>Brews a leaf and returns tea, or 418 if the pot is short and stout.</p>"),
		"https://docs.example.com/license":       page("License", "<p>The pot may be used by anyone for any tea.</p>"),
	}}
	return w.client()
}

// At most three pages of a site, with a line about each on the way.
func ExampleCrawl() {
	site, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/", llmstxt.Options{
		Client:   example(),
		MaxPages: 3,
		Progress: func(e llmstxt.Event) { fmt.Println(e.Message) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println()
	fmt.Print(site.Render(llmstxt.Pages))
	// Output:
	// Crawling page 1/3...
	// Crawling page 2/3...
	// Crawling page 3/3...
	// Maximum pages limit reached
	//
	// # Teapot documentation
	//
	// > https://docs.example.com/
	//
	// ## Teapot
	//
	// > https://docs.example.com/
	//
	// Teapot boils water over HTTP. It needs nothing but a socket.
	//
	// ## Guide
	//
	// > https://docs.example.com/guide/
	//
	// Start here if you have never boiled water before.
	//
	// ## API
	//
	// > https://docs.example.com/api/
	//
	// All methods of the pot, with their arguments.
}

// The index of a site: a line for each page, in sections.
func ExampleCrawledSite_Render() {
	site, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/", llmstxt.Options{Client: example()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(site.Render(llmstxt.Index))
	// Output:
	// # Teapot documentation
	//
	// > Teapot boils water over HTTP. It needs nothing but a socket.
	//
	// Start page: https://docs.example.com/
	//
	// ## Guide
	//
	// - [Guide](https://docs.example.com/guide/): Start here if you have never boiled water before.
	// - [Install](https://docs.example.com/guide/install): Put the pot on a level surface.
	//
	// ## API
	//
	// - [API](https://docs.example.com/api/): All methods of the pot, with their arguments.
	// - [brew(leaf)](https://docs.example.com/api/brew): Brews a leaf and returns tea, or 418 if the pot is short and stout.
	//
	// ## Optional
	//
	// - [License](https://docs.example.com/license): The pot may be used by anyone for any tea.
}

// Keep Site.Pages, and the next crawl asks only for what has changed.
func ExampleOptions_previous() {
	client := example()
	first, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/", llmstxt.Options{Client: client})
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/", llmstxt.Options{Client: client, Previous: first.Pages})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(second.Stats.Unchanged, "of", second.Stats.Pages, "pages unchanged")
	// Output:
	// 6 of 6 pages unchanged
}

// Why the first page could not be had, in words for whoever asked for it.
func ExampleFetchError() {
	_, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/missing", llmstxt.Options{Client: example()})
	if fetch, ok := errors.AsType[*llmstxt.FetchError](err); ok {
		fmt.Println("Failed to fetch page:", fetch.Detail())
	}
	// Output:
	// Failed to fetch page: HTTP 404 Not Found
}

// A file that somebody else has written.
func ExampleParse() {
	file, err := llmstxt.Parse(`# Teapot

> Boils water over HTTP.

## Guide

- [Install](https://docs.example.com/guide/install): Put the pot on a level surface.
`, llmstxt.Index)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range file.Entries() {
		fmt.Println(e.Title, e.URL)
	}
	// Output:
	// Install https://docs.example.com/guide/install
}
