package llmstxt_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/llmstxt/internal/share"
)

func textFiles(t *testing.T, s *llmstxt.CrawledSite, l llmstxt.Layout) (files map[string]string, order []string) {
	t.Helper()
	files = map[string]string{}
	for f, err := range s.TextFiles(s.Render(l), true, true) {
		if err != nil {
			t.Fatal(err)
		}
		if !fs.ValidPath(f.Name) || files[f.Name] != "" {
			t.Errorf("a file is called %q", f.Name)
		}
		files[f.Name] = string(f.Body)
		order = append(order, f.Name)
	}
	return files, order
}

// wholeSite has pages of each kind, long ones among them.
func wholeSite() *web {
	w := section2(&web{pages: map[string]answer{}})
	w.pages["http://docs.test/"] = html(`<html lang=en><title>Home</title><nav><a href="/guide/">Guide</a> <a href="/api/x.html">X</a> <a href="/api/x?v=b">X b</a> <a href="/notes.txt">Notes</a> <a href="/twin">Twin</a> <a href="/licence">Licence</a> <a href="/Guide">Guide again</a></nav><main><h1>Home</h1><p>What this site is about stands here in words.</p></main>`)
	return w
}

func section2(w *web) *web {
	long := strings.Repeat("<p>A paragraph of many that nobody would put into an excerpt, with <a href='x.html'>a link</a>.</p>", 300)
	w.pages["http://docs.test/guide/"] = html("<html lang=en><title>Guide</title><main><h1>Guide</h1>" + long + "<p>The last words\u200b of the guide.</p><p hidden>Never seen.</p></main><footer>Imprint</footer>")
	w.pages["http://docs.test/api/x.html"] = html("<html lang=en><title>X</title><main><h1>X</h1><pre><code class=language-c>int x(void);</code></pre><table><tr><th>name<th>means<tr><td>x<td>nothing</table></main>")
	w.pages["http://docs.test/api/x?v=b"] = html("<html lang=en><title>X b</title><main><h1>X of b</h1><p>Another page of the same path, with words of its own.</p></main>")
	w.pages["http://docs.test/Guide"] = html("<html lang=en><title>Another</title><main><h1>Another guide</h1><p>Its address differs by a capital letter alone, and by a slash.</p></main>")
	w.pages["http://docs.test/licence"] = html("<html lang=en><title>License</title><main><h1>License</h1><p>You may do with this whatever you like as long as you do it well.</p></main>")
	w.pages["http://docs.test/notes.txt"] = answer{header: map[string]string{"Content-Type": "text/plain"}, body: "Notes\n\nPlain words,\n  indented, and \U000e0041hidden ones.\n"}
	w.pages["http://docs.test/twin"] = answer{header: map[string]string{"Link": `<twin.md>; rel=alternate; type="text/markdown; charset=utf-8"`}, body: "<html lang=en><title>Twin</title><main><h1>Twin</h1><p>The rendered form of this page, which is not read.</p></main>"}
	w.pages["http://docs.test/twin.md"] = answer{header: map[string]string{"Content-Type": "text/markdown"}, body: "---\ntitle: Twin\n---\n# Twin\n\nThe *written* form, with [a link](api/x.html).<!-- remark -->\n\n```sh\n# code <!-- stays -->\n```\n"}
	return w
}

func TestText_Files_HoldThePagesWhole(t *testing.T) {
	for _, layout := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
		var first map[string]string
		for round, workers := range unlessRace([]int{1, 8, 32, 32}, []int{32}) {
			synctest.Test(t, func(t *testing.T) {
				w := wholeSite()
				rng := rand.New(rand.NewPCG(uint64(round), 9))
				w.latency = func() time.Duration { return time.Duration(rng.IntN(900)) * time.Millisecond }
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: workers, Text: true})
				defer s.Close()
				files, order := textFiles(t, s, layout)
				if first != nil {
					if fmt.Sprint(files) != fmt.Sprint(first) {
						t.Errorf("%d workers make other files: %v", workers, order)
					}
					return
				}
				first = files
				if order[0] != llmstxt.FullName || len(files) != 9 {
					t.Errorf("files %v", order)
				}
				full := files[llmstxt.FullName]
				_, links, _ := llmstxt.Check(s.Render(layout))
				at := 0
				for _, l := range links {
					i := strings.Index(full[at:], "\nSource: "+l.URL+"\n")
					if i < 0 {
						t.Fatalf("%s is missing, or not in the file's order:\n%s", l.URL, full)
					}
					at += i
				}
				for _, want := range []string{"# Home\nSource: http://docs.test/\n\nWhat this site is about", "The last words of the guide.", "```c\nint x(void);\n```", "| x | nothing |", "[a link](http://docs.test/guide/x.html)",
					"# Twin\nSource: http://docs.test/twin\n\nThe *written* form, with [a link](http://docs.test/api/x.html).\n", "# code <!-- stays -->", "  indented, and hidden ones."} {
					if !strings.Contains(full, want) {
						t.Errorf("%q is not in\n%.2000s", want, full)
					}
				}
				for _, unwanted := range []string{"Imprint", "Guide again", "Never seen", "\u200b", "\U000e0041", "remark", "rendered form"} {
					if strings.Contains(full, unwanted) {
						t.Errorf("%q is in the file", unwanted)
					}
				}
				if strings.Count(full, "A paragraph of many") != 300 {
					t.Errorf("the guide has %d of its 300 paragraphs", strings.Count(full, "A paragraph of many"))
				}
				if md := files["guide/index.md"]; !strings.HasPrefix(md, "# Guide\n\nA paragraph of many") {
					t.Errorf("the guide's file is %.200q; there are %v", md, order)
				}
			})
		}
	}
}

// TestText_TooLong_EndsWithALine: ten million bytes at most, cut between pages at
// the same place whatever arrives first.
func TestText_TooLong_EndsWithALine(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range 8 {
		l := "/" + word(i)
		links = append(links, l)
		w.pages["http://docs.test"+l] = html("<html lang=en><title>Part " + word(i) + "</title><main><h1>Part " + word(i) + "</h1><p>" + strings.Repeat("A line of the part "+word(i)+" that is long.</p>\n<p>", 60000) + "</main>")
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	for _, workers := range unlessRace([]int{1, 8}, []int{8}) {
		var said []string
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: workers, Text: true, Progress: func(e llmstxt.Event) {
			if strings.Contains(e.Message, "10000000 bytes") {
				said = append(said, e.URL)
			}
		}})
		files, _ := textFiles(t, s, llmstxt.Pages)
		if len(s.Pages) != 9 || len(said) != 1 || said[0] != "http://docs.test/aae" || len(files) != 6 || len(files[llmstxt.FullName]) > 10_000_000 || len(files[llmstxt.FullName]) < 7_000_000 {
			t.Errorf("%d workers: %d pages, %d files, %d bytes, said %v", workers, len(s.Pages), len(files), len(files[llmstxt.FullName]), said)
		}
		if share.Texts.Held("") != 0 {
			t.Error("somebody else holds texts")
		}
		s.Close()
		if files, _ := textFiles(t, s, llmstxt.Pages); len(files) != 0 {
			t.Errorf("%d files are there after Close", len(files))
		}
	}
}

// TestText_NoRoom_EndsWithALine when other crawls hold what the process has.
func TestText_NoRoom_EndsWithALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held []func()
		for i := range share.TextsOfOne * 2 {
			release, err := share.Texts.Take(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, release)
		}
		said := 0
		o := llmstxt.Options{Text: true, Progress: func(e llmstxt.Event) {
			if strings.Contains(e.Message, "no more room") {
				said++
			}
		}}
		s := crawl(t, wholeSite(), "http://docs.test/", o)
		if files, _ := textFiles(t, s, llmstxt.Pages); len(files) != 0 || said != 1 || len(s.Pages) != 8 {
			t.Errorf("%d files, said %d times, %d pages", len(files), said, len(s.Pages))
		}
		s.Close()
		for _, release := range held {
			release()
		}
		s = crawl(t, wholeSite(), "http://docs.test/", o)
		defer s.Close()
		if files, _ := textFiles(t, s, llmstxt.Pages); len(files) != 9 {
			t.Errorf("%d files once there is room", len(files))
		}
	})
}

// One owner has half of what the process has for whole texts: another finds some.
func TestText_OneOwner_HasHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 64 {
			release, err := share.Texts.Take(t.Context(), "greedy")
			if err != nil {
				t.Fatal(err)
			}
			defer release()
		}
		for owner, want := range map[string]int{"greedy": 0, "modest": 9} {
			s := crawl(t, wholeSite(), "http://docs.test/", llmstxt.Options{Text: true, Owner: owner})
			if files, order := textFiles(t, s, llmstxt.Pages); len(files) != want || len(s.Pages) != 8 {
				t.Errorf("%s: files %v, want %d; %d pages", owner, order, want, len(s.Pages))
			}
			s.Close()
		}
	})
}

// TestText_Sum_DistinguishesTexts apart whose excerpts are the same.
func TestText_Sum_DistinguishesTexts(t *testing.T) {
	sum := func(change func(*web)) string {
		w := wholeSite()
		change(w)
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
		defer s.Close()
		return s.TextSum()
	}
	same := sum(func(*web) {})
	if same == "" || same != sum(func(*web) {}) {
		t.Errorf("sums differ, or are empty: %q", same)
	}
	if same == sum(func(w *web) {
		p := w.pages["http://docs.test/guide/"]
		p.body = strings.Replace(p.body, "The last words", "The final words", 1)
		w.pages["http://docs.test/guide/"] = p
	}) {
		t.Error("a change at the end of a page does not show")
	}
}

// TestText_Links_KeepTheirPlaces: links lead to the places in other pages that they name;
// those that stay on their page are words.
func TestText_Links_KeepTheirPlaces(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":         html(`<html lang=en><title>Home</title><main><h1>Home</h1><p>Words on <a href="/api.html#open-file">opening</a>, <a href="api.html?v=1#f(x)">f</a>, <a href="/#top">here</a>, <a href="#top">there</a>, <a href='api.html#a"b'>odd</a> and <a href="//other.test/x#y">another site</a>.</p></main>`),
		"http://docs.test/api.html": html(`<html lang=en><title>API</title><base href="http://docs.test/v1/"><main><h1>API</h1><p>See <a href="../api.html#close">closing</a> and <a href="open.html#é">opening</a>, which is on a page of its own.</p></main>`),
		"http://docs.test/notes.md": {header: map[string]string{"Content-Type": "text/markdown"}, body: "# Notes\n\nSee [closing](api.html#close) and [this](notes.md#here), which is what these notes are about.\n\n[x]: api.html#x\n"},
	}}
	w.pages["http://docs.test/"] = html(strings.Replace(w.pages["http://docs.test/"].body, "</main>", "<a href=notes.md>Notes</a></main>", 1))
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	defer s.Close()
	files, _ := textFiles(t, s, llmstxt.Pages)
	for name, want := range map[string]string{
		"index.md": "[opening](http://docs.test/api.html#open-file), [f](http://docs.test/api.html?v=1#f%28x%29), here, there, [odd](http://docs.test/api.html) and [another site](http://other.test/x#y).",
		"api.md":   "See closing and [opening](http://docs.test/v1/open.html#é),",
		"notes.md": "See [closing](http://docs.test/api.html#close) and [this](http://docs.test/notes.md#here), which is what these notes are about.\n\n[x]: http://docs.test/api.html#x\n",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q\nis not in\n%s", name, want, files[name])
		}
	}
}
