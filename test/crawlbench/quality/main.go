// Quality crawls documentation sites and measures what the descriptions are
// worth, as a table; and one that has no words without a browser, in Chromium. It exits with 1 when one of them is below its threshold.
//
//	go run ./test/crawlbench/quality            all sites
//	go run ./test/crawlbench/quality -v         with each page that failed
//	go run ./test/crawlbench/quality -o DIR     and keep the files
//	go run ./test/crawlbench/quality -only mkdocs-doc,postfix-doc
//
// The judge reads the finished file and the pages again and shares no code
// with the crawler: see judge.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/test/crawlbench/docs"
)

const (
	pages      = 100
	descLength = 500
)

func main() {
	verbose := flag.Bool("v", false, "print each page that failed")
	out := flag.String("o", "", "folder to keep the files in")
	only := flag.String("only", "", "packages to judge, with commas between; without the application")
	flag.Parse()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "site\tpages\tin main\tclean\tsentence\tfill\ttitles\tcoverage\tnav\ttwice\tmenus\tH1\tsummary\tlinks\tparse\tbrowser\tseconds\t")
	fmt.Fprintf(table, "at least\t\t%.0f %%\t%.0f %%\t%.0f %%\t%.0f %%\t%.0f %%\t%.2f\t%.0f %%\t<= 2 %%\t0\tyes\tyes\tall\tboth\t<= 2 %%\t\t\n",
		100*need.inMain, 100*need.clean, 100*need.sentence, 100*need.fill, 100*need.titles, need.coverage, 100*need.nav)
	bad := 0
	for _, s := range append(docs.Six, docs.More...) {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), s.Package) {
			continue
		}
		v, took, err := measure(s, *out)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", s.Package, err)
			os.Exit(2)
		}
		fmt.Fprintf(table, "%s\t%d\t%.1f %%\t%.1f %%\t%.1f %%\t%.0f %%\t%.1f %%\t%.2f\t%.0f %%\t%d\t%d\t%t\t%t\t%d/%d\t%s\t%.1f %%\t%.2f\t\n", s.Package, v.pages, 100*v.inMain, 100*v.clean,
			100*v.sentence, 100*v.fill, 100*v.titles, v.coverage, 100*v.nav, v.twice, v.menus, v.named, v.summary, v.linksOK, v.links, v.parse, 100*v.sent, took.Seconds())
		for _, f := range v.failures(need) {
			bad++
			fmt.Fprintf(os.Stderr, "%s: %s\n", s.Package, f)
		}
		if *verbose {
			for _, m := range v.misses {
				fmt.Fprintf(os.Stderr, "%s: %s\n", s.Package, m)
			}
		}
	}
	table.Flush()
	if *only != "" {
		end(bad)
	}
	app, err := measureApp()
	if err != nil {
		fmt.Fprintf(os.Stderr, "npm's documentation in docsify: %v\n", err)
		os.Exit(2)
	}
	fmt.Printf("\nnpm's documentation in docsify: notes that begin as npm's own HTML does: %d of %d before rendering, %d after (at least %.0f %%)\n",
		app.before, app.pages, app.after, 100*minMatched)
	fmt.Printf("%d pages rendered in %.1f s, %.1f s of a tab each, %d KB each\n",
		app.cost.Rendered, app.took.Seconds(), app.cost.Time.Seconds()/float64(max(1, app.cost.Rendered)), app.cost.Bytes/max(1, app.cost.Rendered)>>10)
	for _, f := range app.failures() {
		bad++
		fmt.Fprintf(os.Stderr, "npm's documentation in docsify: %s\n", f)
	}
	if *verbose {
		for _, m := range app.misses {
			fmt.Fprintln(os.Stderr, m)
		}
	}
	end(bad)
}

// end says how many values are too low and exits.
func end(bad int) {
	if bad > 0 {
		fmt.Printf("%d values below their threshold\n", bad)
		os.Exit(1)
	}
	fmt.Println("every value at or above its threshold")
	os.Exit(0)
}

// measure serves a site on loopback, crawls it and judges the files.
func measure(s docs.Site, out string) (v verdict, took time.Duration, err error) {
	dir, err := s.Folder()
	if err != nil {
		return v, 0, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return v, 0, err
	}
	srv := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	go srv.Serve(l)
	defer srv.Close()
	base := "http://" + l.Addr().String() + s.Base
	began := time.Now()
	var needy sent
	site, err := llmstxt.Crawl(context.Background(), base, llmstxt.Options{MaxPages: pages, DescLength: descLength, Render: needy.count})
	if err != nil {
		return v, 0, err
	}
	took = time.Since(began)
	asPages, asIndex := site.Render(llmstxt.Pages), site.Render(llmstxt.Index)
	if out != "" {
		for name, text := range map[string]string{s.Package + ".pages.txt": asPages, s.Package + ".index.txt": asIndex} {
			if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
				return v, 0, err
			}
		}
	}
	if v, err = judge(s.Package, asPages, asIndex); err != nil {
		return v, 0, err
	}
	err = v.reach(s, dir, split(asPages))
	v.sent = float64(needy.pages.Load()) / float64(site.Stats.Fetched)
	return v, took, err
}
