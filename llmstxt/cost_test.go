//go:build linux

package llmstxt_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/mdpage"
	"github.com/farwire/farwire/llmstxt/internal/mention"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/sitemap"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// fill repeats a unit behind a beginning, up to a size.
func fill(begin, unit, end string) func(size int) []byte {
	return func(size int) []byte {
		n := max(1, (size-len(begin)-len(end))/len(unit))
		return []byte(begin + strings.Repeat(unit, n) + end)
	}
}

// numbered repeats a unit with a number in it.
func numbered(begin, unit, end string) func(size int) []byte {
	return func(size int) []byte {
		var b bytes.Buffer
		b.WriteString(begin)
		for i := 0; b.Len() < size-len(end); i++ {
			fmt.Fprintf(&b, unit, i)
		}
		b.WriteString(end)
		return b.Bytes()
	}
}

// readPage does with a page what a crawl does.
func readPage(kind string) func(testing.TB, []byte) {
	return func(t testing.TB, body []byte) {
		text, err := decode.UTF8(t.Context(), body, kind)
		if errors.Is(err, decode.ErrText) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		p, err := htmlpage.Parse(t.Context(), text, 7000)
		if err != nil {
			t.Fatal(err)
		}
		blocks, _ := p.Blocks("")
		e := &htmlpage.Evidence{Blocks: blocks, Edges: p.Edges, Others: p.Descriptions()}
		describe.NewVotes().Add(e, describe.Split(e))
		links := weburl.Resolver{Base: home, Left: weburl.ResolverMemory}
		for _, l := range p.Links {
			links.Resolve(l.Href)
		}
		_, _, err = p.Markdown(t.Context(), 10_000_000, absolute())
		if err != nil {
			t.Fatal(err)
		}
	}
}

var home = weburl.Parse("http://a.test/")

// absolute resolves the links of a text.
func absolute() func(string) string {
	links := weburl.Resolver{Base: home, Left: weburl.ResolverMemory}
	return func(href string) string {
		if u := links.Resolve(href); u != nil {
			return u.String()
		}
		return ""
	}
}

// readText does with a page of Markdown what a crawl does.
func readText(t testing.TB, body []byte) {
	if _, err := mdpage.Parse(t.Context(), body, true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mdpage.Whole(t.Context(), body, true, 10_000_000, absolute()); err != nil {
		t.Fatal(err)
	}
}

func readSitemap(t testing.TB, body []byte) {
	_, err := sitemap.Parse(t.Context(), bytes.NewReader(body), sitemap.MaxBytes, func(sitemap.Entry) bool { return true })
	_ = err // most of them are not well formed
}

func readRobots(t testing.TB, body []byte) {
	r := robots.Parse(body, "farwire")
	for i := range 200 {
		r.Allowed(&url.URL{Scheme: "http", Host: "a.test", Path: strings.Repeat("/b", 50) + fmt.Sprint(i)})
	}
}

func zip(f func(int) []byte) func(int) []byte {
	return func(size int) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(f(size))
		z.Close()
		return b.Bytes()
	}
}

// hostile are documents that cost other parsers more than their length.
var hostile = map[string]struct {
	make func(size int) []byte
	read func(testing.TB, []byte)
}{
	"script that is commented out":    {fill("<script><!--", "<-", ""), readPage("text/html")},
	"script in a script":              {fill("<script><!--<script ", "<-", ""), readPage("text/html")},
	"scripts that do not end":         {fill("<script><!--", "<script ", ""), readPage("text/html")},
	"nested lists with links":         {fill("", "<a href=x>tt</a><ul>", ""), readPage("text/html")},
	"nested lists, then links":        {func(n int) []byte { return append(fill("", "<ul>", "")(n/2), numbered("", "<a href=%d>", "")(n/2)...) }, readPage("text/html")},
	"nested lists with names":         {fill("", "name<ul>", ""), readPage("text/html")},
	"many attributes":                 {fill("<div ", "a ", ">"), readPage("text/html")},
	"many attributes with values":     {numbered("<div ", "a%d=b ", ">x"), readPage("text/html")},
	"a tag that does not end":         {fill("<p>x</p><div ", "a=b ", ""), readPage("text/html")},
	"quotes that do not end":          {fill("", "<a b='", ""), readPage("text/html")},
	"entities":                        {fill("<p>", "&amp", ""), readPage("text/html")},
	"entities in an attribute":        {fill("<a href='", "&a", "'>"), readPage("text/html")},
	"entities without an end":         {fill("<title>", "&", ""), readPage("text/html")},
	"banners with headings":           {fill("", "<header><h1>a</h1></header>", ""), readPage("text/html")},
	"TeX that does not end":           {fill("<p>", `\(`, ""), readPage("text/html")},
	"formulas in each other":          {fill("<math>", "<mfrac>", "</math>"), readPage("text/html")},
	"a formula of many parts":         {fill("<math>", "<msup><mi>a</mi><mn>2</mn></msup>", "</math>"), readPage("text/html")},
	"lists of tabs":                   {fill("", "<div role=tablist><b role=tab>x", ""), readPage("text/html")},
	"panels of tabs":                  {fill("", "<ul role=tablist><li role=tab>x</ul><div role=tabpanel>x", ""), readPage("text/html")},
	"tabs with panels":                {fill("", "<div role=tablist><b role=tab>x</b><b role=tabpanel>y", ""), readPage("text/html")},
	"signs of notes":                  {fill("<p>", "<sup><a href=#n>1</a></sup>", ""), readPage("text/html")},
	"links within the page":           {fill("", "<a href=#x>", ""), readPage("text/html")},
	"a class of many words":           {fill("<div class='", "aB ", "'>"), readPage("text/html")},
	"a comment of dashes":             {fill("<!--", "--", ""), readPage("text/html")},
	"comments that begin":             {fill("", "<!-", ""), readPage("text/html")},
	"nested elements":                 {fill("", "<div>", ""), readPage("text/html")},
	"nested tables":                   {fill("", "<table><tr><td>", ""), readPage("text/html")},
	"breadcrumbs":                     {fill("<div class=breadcrumb>", "<li>a</li>", ""), readPage("text/html")},
	"text areas":                      {fill("", "<textarea>", ""), readPage("text/html")},
	"streamed blocks":                 {numbered("<main>", `<!--$?--><template id="B:%[1]d"></template><!--/$--><div hidden id="S:%[1]d"><p>x</div><script>$RC("B:%[1]d","S:%[1]d")</script>`, ""), readPage("text/html")},
	"streamed blocks in each other":   {numbered("", `<div hidden id="S:%[1]d"><script>$RC("B:%[1]d","S:%[1]d")</script><!--$?--><template id="B:%[1]d"></template>`, ""), readPage("text/html")},
	"boundaries of streamed blocks":   {fill(`<script>$RC("B:0","S:0")</script><div hidden id="S:0"><template id="B:0">`, "<!--$?-->", "<!--/$-->"), readPage("text/html")},
	"preformatted lines":              {fill("<pre>", " A LINE\nb\n", ""), readPage("text/html")},
	"frames":                          {numbered("<frameset>", "<frame src=%d>", "<noframes>x"), readPage("text/html")},
	"angle brackets":                  {fill("", "<", ""), readPage("text/html")},
	"noscript":                        {fill("", "<noscript></noscript>", ""), readPage("text/html")},
	"links in noscript":               {fill("<noscript>", "<a href=x>", "</noscript>"), readPage("text/html")},
	"links":                           {numbered("", "<a href=/p/%d>x</a>", ""), readPage("text/html")},
	"formatting that is opened again": {func(n int) []byte { return append(numbered("", "<b a=%d>", "")(n/2), fill("", "<p>", "")(n/2)...) }, readPage("text/html")},
	"links in paragraphs":             {fill("", "<a href=x><p>", ""), readPage("text/html")},
	"letters that grow in lower case": {fill(`<li title="`, "Ⱥ", `"><p>A paragraph that is longer than forty bytes, surely.`), readPage("text/html")},
	"forms with paragraphs":           {fill("", "<form><h2>a</h2><h2>b</h2><p>A paragraph that is longer than forty bytes, surely.</form>", ""), readPage("text/html")},
	"scripts that lead elsewhere":     {fill("", "<script>"+strings.Repeat(`var a="b";`, 300)+strings.Repeat("location=c;", 8)+"</script>", ""), readPage("text/html")},
	"one line":                        {fill("<p>", "a", ""), readPage("text/html")},
	"one line of words":               {fill("<p>", "word ", ""), readPage("text/html")},
	"sentences of one letter":         {fill("<p>", "a. ", ""), readPage("text/html")},
	"abbreviations":                   {fill("<p>", "e.g. ", ""), readPage("text/html")},
	"white space":                     {fill("<title>", " \t\n", "x</title>"), readPage("text/html")},
	"a long title":                    {fill("<title>", "a b ", "</title>"), readPage("text/html")},
	"a long heading":                  {fill("<h1>", "a b ", "</h1>"), readPage("text/html")},
	"a long description":              {fill("<meta name=description content='", "a b. ", "'>"), readPage("text/html")},
	"linked data, deep":               {fill(`<script type="application/ld+json">`, "[", "</script>"), readPage("text/html")},
	"linked data, much":               {fill("", `<script type="application/ld+json">{"@graph":[{},{},{},{}]}</script>`, ""), readPage("text/html")},
	"alternates":                      {numbered("<head>", "<link rel=alternate hreflang=de href=/%d>", ""), readPage("text/html")},
	"characters that nobody sees":     {fill("<p>", "a\u200b\u202e\U000e0041", ""), readPage("text/html")},
	"bytes of no encoding":            {fill("<p>", "\xff\xfe\x81", ""), readPage("text/html")},
	"an encoding that is found":       {fill("<p>", "\xcf\xf0\xe8\xe1\xee\xf0 ", ""), readPage("text/html")},
	"meta elements without an end":    {fill("", "<meta charset=x ", ""), readPage("text/html")},
	"UTF-16":                          {fill("\xff\xfe", "<\x00", ""), readPage("text/html")},
	"ISO-2022-JP":                     {fill("<meta charset=iso-2022-jp>", "\x1b$B\x1b(B", ""), readPage("text/html")},
	"text of small elements":          {fill("<main>", "<li>x<ul><li>y</ul>", ""), readPage("text/html")},
	"emphasis of nothing":             {fill("<main>", "<i></i>", ""), readPage("text/html")},
	"emphasis of a sign":              {fill("<main>", "<b>*</b>x", ""), readPage("text/html")},
	"clicks":                          {fill("<main>", "<p onclick=location='/a'>", ""), readPage("text/html")},
	"text of emphasis":                {fill("<main>", "<b>x<i>y", ""), readPage("text/html")},
	"text of tables":                  {fill("<main><table>", "<tr><td>x<td>y", ""), readPage("text/html")},
	"text of quotations":              {fill("<main>", "<blockquote>x<p>y", ""), readPage("text/html")},
	"text of code":                    {fill("<main>", "<pre>`</pre><code>`", ""), readPage("text/html")},
	"text of one piece of code":       {fill("<main><pre>", "a b\n", ""), readPage("text/html")},
	"images with words":               {numbered("<main>", "<img alt='words %d' src=x>", ""), readPage("text/html")},
	"drawings with paragraphs":        {fill("", "<svg><foreignObject><p>x", ""), readPage("text/html")},
	"refreshes in noscript":           {numbered("", "<noscript><meta http-equiv=refresh content='0;url=/%d'></noscript>", ""), readPage("text/html")},
	"marks on one letter":             {fill("<p>a", "\u0301\u0302", ""), readPage("text/html")},
	"letters of one byte":             {letters, readPage("text/html")},
	"a packed page":                   {zip(func(n int) []byte { return letters(n)[:n] }), readPackedPage},
	"Markdown: underlined headings":   {fill("", "a\n=\n", ""), readText},
	"Markdown: blocks of HTML":        {fill("", "<div>\n\n", ""), readText},
	"Markdown: terms":                 {fill("", "a\n: b\n", ""), readText},
	"site map: alternates":            {numbered("<urlset><url><loc>http://a.test/</loc>", `<xhtml:link rel="alternate" hreflang="de" href="http://a.test/%d"/>`, "</url></urlset>"), readSitemap},
	"Markdown: brackets":              {fill("", "[", ""), readText},
	"Markdown: targets":               {fill("", "](", ""), readText},
	"Markdown: links":                 {fill("", "[a](b)", ""), readText},
	"Markdown: code":                  {fill("", "` `` ", ""), readText},
	"Markdown: emphasis":              {fill("", "*a_", ""), readText},
	"Markdown: tags":                  {fill("", "<a ", ""), readText},
	"Markdown: comments":              {fill("", "<!-- ", ""), readText},
	"Markdown: lines":                 {fill("", "\n", ""), readText},
	"Markdown: items":                 {fill("", "- a\n", ""), readText},
	"Markdown: quotations":            {fill("", ">", ""), readText},
	"Markdown: fences":                {fill("", "```\n", ""), readText},
	"Markdown: addresses":             {numbered("", "[%d]: http://a.test/x\n", ""), readText},
	"Markdown: front matter":          {fill("---\n", "a: b\n", ""), readText},
	"Markdown: rows":                  {fill("", "|", ""), readText},
	"Markdown: one line":              {fill("", "word ", ""), readText},
	"site map: attributes":            {fill("<urlset><url ", "a ", ""), readSitemap},
	"site map: a long address":        {fill("<urlset><url><loc>", "a", ""), readSitemap},
	"site map: a doctype":             {fill("<!DOCTYPE x \"", ">", ""), readSitemap},
	"site map: a comment":             {fill("<urlset><!--", ">", ""), readSitemap},
	"site map: nested":                {fill("<urlset>", "<url>", ""), readSitemap},
	"site map: entities":              {fill("<urlset>", "<url><loc>&amp;&amp;</loc></url>", ""), readSitemap},
	"site map: lines":                 {fill("", "http://a.test/\n", ""), readSitemap},
	"site map: packed":                {zip(fill("<urlset>", "<url><loc>http://a.test/</loc></url>", "")), readSitemap},
	"robots.txt: one rule": {func(n int) []byte {
		return fill("User-agent: *\nDisallow: /z\n", "allow:/*b\n", "")(min(n, robots.MaxBytes))
	}, readRobots},
	"robots.txt: many rules": {func(n int) []byte {
		return numbered("User-agent: *\n", "Disallow: /b%d*c*d\n", "")(min(n, robots.MaxBytes))
	}, readRobots},
	"robots.txt: many prefixes": {func(n int) []byte {
		return numbered("User-agent: *\n", "Disallow: /b/b/b%d\n", "")(min(n, robots.MaxBytes))
	}, readRobots},
	"robots.txt: rules of many stars": {func(n int) []byte {
		return numbered("User-agent: *\n", "Disallow: /"+strings.Repeat("*b", 200)+"%d$\n", "")(min(n, robots.MaxBytes))
	}, readRobots},
	"robots.txt: stars":     {func(n int) []byte { return fill("User-agent: *\nDisallow: /", "*b", "")(min(n, robots.MaxBytes)) }, readRobots},
	"an answer of lines":    {numbered("# T\n\n> http://a.test/\n", "\n## T\n\n> http://a.test/%d\n\nText.\n", ""), readAnswer},
	"an answer of links":    {numbered("# T\n\n> S\n\nx\n\n## S\n\n", "- [T](http://a.test/%d): N\n", ""), readAnswer},
	"an answer of dots":     {func(n int) []byte { return fill("", strings.Repeat("a.b,", 250)+"\n", "")(n) }, func(t testing.TB, b []byte) { mention.Find(string(b)) }},
	"an answer of brackets": {fill("", strings.Repeat("[](", 300)+"\n", ""), func(t testing.TB, b []byte) { mention.Find(string(b)) }},
}

func readAnswer(t testing.TB, b []byte) {
	for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
		_, err := llmstxt.Parse(string(b), l)
		_ = err // each is of one layout
	}
}

// cpu is the processor time of this thread.
func cpu(t testing.TB) time.Duration {
	const thread = 1 // RUSAGE_THREAD, which package syscall does not name
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cost is the processor time of one run, the least of a few means.
func cost(t *testing.T, read func(testing.TB, []byte), body []byte) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // another's garbage is not this document's
	least := time.Hour
	for range 2 {
		runtime.GC()
		began, runs := cpu(t), 0
		for runs == 0 || runs < 200 && cpu(t)-began < 8*time.Millisecond {
			read(t, body)
			runs++
		}
		least = min(least, (cpu(t)-began)/time.Duration(runs))
	}
	return least
}

// linear holds what a document of size n costs to what one of 4n does: less than
// six times as much. n is 192 KiB, beyond what is looked at of a page's parts, or as
// little from size on as can be measured well: what is quadratic everywhere shows
// there too.
func linear(t *testing.T, size int, build func(size int) []byte, read func(testing.TB, []byte)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		body := build(size)
		began := cpu(t)
		read(t, body)
		if cpu(t)-began > 10*time.Millisecond || size >= 192<<10 {
			break
		}
		size *= 4
	}
	small, large := build(size), build(4*size)
	for try := 0; ; try++ {
		a, b := cost(t, read, small), cost(t, read, large)
		// What is refused at once costs less than the clock of a thread can tell.
		if b < 6*max(a, 2*time.Millisecond) {
			return
		}
		if try == 4 {
			t.Fatalf("%v for %d bytes, %v for %d", a, len(small), b, len(large))
		}
	}
}

// What a site sends costs in proportion to its length: four times as much
// less than six times the time.
func TestCost_HostileDocuments_IsLinear(t *testing.T) {
	if len(hostile) < 30 {
		t.Fatal("too few documents")
	}
	for name, d := range hostile {
		t.Run(name, func(t *testing.T) {
			size := 192 << 10
			if strings.HasPrefix(name, "an answer") {
				size = 48 << 10 // expressions look at all of it
			}
			if raceDetector { // which distorts what make test measures once more without it
				d.read(t, d.make(size/16))
				return
			}
			linear(t, size, d.make, d.read)
		})
	}
}

func TestCost_LongFilesOfCheck_IsLinear(t *testing.T) {
	const head = "# A\n\n> b\n\n## C\n"
	for name, f := range map[string]func(int) []byte{
		"items":    numbered(head, "- [t](https://example.com/%d): n\n", ""),
		"brackets": fill(head, "- [", ""),
		"quotes":   fill(head, "## a\n> b\n", ""),
		"hashes":   fill(head, "#", ""),
	} {
		t.Run(name, func(t *testing.T) {
			linear(t, 12<<10, f, func(_ testing.TB, b []byte) { llmstxt.Check(string(b)) })
		})
	}
}

// bound is the number of MiB in a row of the table of bounds in the docs.
func bound(t *testing.T, row string) uint64 {
	t.Helper()
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(row) + ` \|.*\| (\d+) MiB[^|]*\|$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("docs/security.md has no row %q with a number of MiB", row)
	}
	var n uint64
	fmt.Sscan(string(m[1]), &n)
	return n << 20
}

// All that is allocated for one page of the largest size counts, garbage
// included.
func TestCost_LargestDocuments_StayWithinTheirMemory(t *testing.T) {
	page, maps, rules := bound(t, "a page of 8 MiB, read"), bound(t, "all site maps of a crawl"), bound(t, "a robots.txt")
	for name, d := range hostile {
		limit, size := page, 8<<20
		switch {
		case strings.HasPrefix(name, "site map"):
			limit, size = maps, 10<<20
		case strings.HasPrefix(name, "robots.txt"):
			limit = rules
		case strings.HasPrefix(name, "an answer"):
			continue // of a model that the operator chose; its length is bounded there
		}
		if raceDetector {
			// A part of the size, and still more memory: with the detector a
			// sync.Pool drops at random what it was given. Make runs this test without
			// the detector too.
			size, limit = size/64, 2*limit
		}
		t.Run(name, func(t *testing.T) {
			body := d.make(size)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d.read(t, body)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > limit {
				t.Errorf("%d MiB, want at most %d", got>>20, limit>>20)
			}
		})
	}
}
