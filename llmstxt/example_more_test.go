package llmstxt_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/farwire/farwire/llmstxt"
)

// What is wrong with a file that somebody wrote by hand.
func ExampleCheck() {
	layout, links, problems := llmstxt.Check(`# Teapot

> Boils water over HTTP.

## Guide

- [Install](https://docs.example.com/install): Put the pot on a level surface.
- [Brew](/brew): Brews a leaf.
- [Install](https://docs.example.com/install): Once more.
`)
	fmt.Println(layout, len(links), "links")
	for _, p := range problems {
		fmt.Printf("line %d: %s\n", p.Line, p.Text)
	}
	// Output:
	// index 3 links
	// line 8: "/brew" is not an absolute http or https URL
	// line 9: https://docs.example.com/install stands in line 7 already
}

// The whole texts of the pages, a file for each, and all in one.
func ExampleCrawledSite_TextFiles() {
	site, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/", llmstxt.Options{Client: example(), MaxPages: 2, Text: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer site.Close() // they take room until then
	for file, err := range site.TextFiles(site.Render(llmstxt.Index), true, true) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %q\n", file.Name, file.URL)
		if file.Name == llmstxt.FullName {
			fmt.Println(string(file.Body))
		}
	}
	// Output:
	// llms-full.txt ""
	// # Teapot
	// Source: https://docs.example.com/
	//
	// Teapot boils water over HTTP. It needs nothing but a socket.
	//
	// [License](https://docs.example.com/license)
	//
	// # Guide
	// Source: https://docs.example.com/guide/
	//
	// Start here if you have never boiled water before.
	//
	// [Install](https://docs.example.com/guide/install)
	//
	// index.md "https://docs.example.com/"
	// guide/index.md "https://docs.example.com/guide/"
}

// A model rewords a part of the file at a time. An answer that is not the same pages
// reworded is not taken, and the part keeps its own words.
func ExampleCrawledSite_Enhance() {
	site, err := llmstxt.Crawl(context.Background(), "https://docs.example.com/", llmstxt.Options{Client: example(), MaxPages: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	polite := func(_ context.Context, p llmstxt.Part) (string, error) {
		return strings.Replace(p.Text, "Start here if", "Please start here if", 1), nil
	}
	fmt.Print(site.Enhance(context.Background(), llmstxt.Index, polite, llmstxt.EnhanceOptions{}))

	elsewhere := func(_ context.Context, p llmstxt.Part) (string, error) {
		return strings.ReplaceAll(p.Text, "docs.example.com", "elsewhere.example"), nil
	}
	text := site.Enhance(context.Background(), llmstxt.Index, elsewhere, llmstxt.EnhanceOptions{})
	fmt.Println(text == site.Render(llmstxt.Index))
	// Output:
	// # Teapot documentation
	//
	// > Teapot boils water over HTTP. It needs nothing but a socket.
	//
	// Start page: https://docs.example.com/
	//
	// ## Pages
	//
	// - [Guide](https://docs.example.com/guide/): Please start here if you have never boiled water before.
	// true
}

// Which links of a file do not answer.
func ExampleCheckLinks() {
	_, links, _ := llmstxt.Check("# Teapot\n\n> How to make tea.\n\n## Guide\n\n" +
		"- [Start](https://docs.example.com/): Where to begin\n- [Old](https://docs.example.com/old): What is gone\n")
	_, problems, err := llmstxt.CheckLinks(context.Background(), links, llmstxt.Options{Client: example()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range problems {
		fmt.Printf("line %d: %s\n", p.Line, p.Text)
	}
	// Output:
	// line 8: https://docs.example.com/old answers HTTP 404 Not Found
}

// When a site last changed, by its own word and without fetching a page.
func ExampleNewest() {
	w := &web{pages: map[string]answer{"https://docs.example.com/sitemap.xml": {body: `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
		<url><loc>https://docs.example.com/</loc><lastmod>2026-03-01</lastmod></url>
		<url><loc>https://docs.example.com/guide/</loc><lastmod>2026-04-02</lastmod></url></urlset>`}}}
	newest, err := llmstxt.Newest(context.Background(), "https://docs.example.com/", llmstxt.Options{Client: w.client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(newest.Format("2 January 2006"))
	// Output:
	// 2 April 2026
}
