package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/llmstxt"
)

// blog has posts, and lists with whole ones: at its start, by month and by author.
func blog() (w *web, posts []string) {
	w = &web{pages: map[string]answer{}}
	entry := func(i, level int) string {
		name, at := fmt.Sprintf("Post %d", i), fmt.Sprintf("/post-%d/", i)
		if level > 1 {
			name = "<a href=" + at + ">" + name + "</a>"
		}
		return fmt.Sprintf("<article><h%d>%s</h%d><p>%s</p><h3>More of %d</h3><p>%s</p><pre><code class=language-sh>brew --cups %d</code></pre></article>", level, name, level, posts[i], i, "This is said of "+posts[i], i)
	}
	for i := range 8 {
		posts = append(posts, fmt.Sprintf("The pot number %c holds tea for a whole family, and nobody has poured %d cups of it before.", 'a'+i, i+100))
	}
	page := func(title, body string) answer {
		return html("<html lang=en><title>" + title + "</title><nav><a href=/>Home</a><a href=/about/>About</a><a href=/2024/>2024</a></nav><main>" + body + "</main>")
	}
	list := func(from, to int) (all string) {
		for i := from; i < to; i++ {
			all += entry(i, 2)
		}
		return all
	}
	w.pages["http://docs.test/"] = page("Tea notes", "<p>Notes on what we brew, which stand here and on no other page of the site.</p>"+list(0, 5)+"<a href=/tag/pots/>Pots</a>")
	w.pages["http://docs.test/2024/"] = page("2024 | Tea notes", list(0, 8))
	w.pages["http://docs.test/tag/pots/"] = page("Pots | Tea notes", list(2, 4))
	// It quotes one paragraph of one post, and says more.
	w.pages["http://docs.test/about/"] = page("About | Tea notes", "<h1>About</h1><p>Who we are and what we drink stands here, and it is said in a sentence.</p><blockquote><p>"+posts[1]+"</p></blockquote>")
	for i := range posts {
		w.pages[fmt.Sprintf("http://docs.test/post-%d/", i)] = page(fmt.Sprintf("Post %d | Tea notes", i), entry(i, 1))
	}
	return w, posts
}

// The words of a post stand once in llms-full.txt, on its own page, and the list of the posts has
// its links. The .md file of the list has all of it.
func TestText_ListOfWholePosts_DoublesNoWords(t *testing.T) {
	first := ""
	for _, workers := range []int{1, 8, 32} {
		synctest.Test(t, func(t *testing.T) {
			w, posts := blog()
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: workers, Text: true})
			defer s.Close()
			files, _ := textFiles(t, s, llmstxt.Index)
			full := files[llmstxt.FullName]
			if len(s.Pages) != 12 {
				t.Fatalf("%v, %v", urls(s), s.Skipped)
			}
			for i, p := range posts {
				want := 2 // and what is said of it
				if i == 1 {
					want = 3 // quoted
				}
				own := full[strings.Index(full, fmt.Sprintf("Source: http://docs.test/post-%d/\n", i)):]
				if end := strings.Index(own, "\nSource: "); end > 0 {
					own = own[:end]
				}
				if got := strings.Count(full, p); got != want || strings.Count(own, p) != 2 || strings.Count(full, fmt.Sprintf("brew --cups %d", i)) != 1 || strings.Count(full, fmt.Sprintf("### More of %d\n", i)) != 1 {
					t.Errorf("post %d stands %d times, in its own page %d:\n%s", i, got, strings.Count(own, p), full)
				}
				if !strings.Contains(files["2024/index.md"], p) || !strings.Contains(files[fmt.Sprintf("post-%d/index.md", i)], p) {
					t.Errorf("post %d is missing in a file of its own", i)
				}
			}
			if !strings.Contains(full, "Notes on what we brew") || strings.Count(full, "## [Post 3](http://docs.test/post-3/)") != 3 {
				t.Errorf("the lists lost their own words:\n%s", full)
			}
			if first == "" {
				first = full
			}
			if full != first {
				t.Errorf("with %d workers it is\n%s\nwith one\n%s", workers, full, first)
			}
		})
	}
}

// What repeats whole pages and does not lead to them, as a tutorial whose steps have pages of their
// own, and what quotes them to answer, keep their words.
func TestText_PageThatIsNoListOfPosts_KeepsItsWords(t *testing.T) {
	step := func(i, level int) string {
		return fmt.Sprintf("<h%d>Step %d</h%d><p>Take the pot number %d from the shelf, fill it with the water of the tap below, and put it on the stove until it sings for you.</p><p>It has %d cups, one for each of those who sit at the table number %d.</p>", level, i, level, i, i+3, i)
	}
	quoted := func(i int) string {
		return "<blockquote>" + strings.SplitN(step(i, 2), "</h2>", 2)[1] + "</blockquote>"
	}
	for name, body := range map[string]string{
		"a tutorial": step(0, 2) + step(1, 2) + step(2, 2) + "<p>Now drink it while it is hot; who wants to know more of each of these steps finds it in <a href=/0>step 0</a>, <a href=/1>step 1</a> and <a href=/2>step 2</a>.</p>",
		"an answer":  "<h2><a href=/0>Step 0</a></h2>" + quoted(0) + "<p>This is wrong, since the pot number 0 has been broken since May.</p><h2><a href=/1>Step 1</a></h2>" + quoted(1) + "<p>And this is wrong, since it has never sung for anybody.</p>",
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<html lang=en><title>Tea</title><main><h1>Tea</h1><p>All that we know of tea stands on these pages of ours.</p><a href=/0>0</a> <a href=/all>All</a></main>"), "http://docs.test/all": html("<html lang=en><title>All</title><main><h1>All</h1>" + body + "</main>")}}
		for i := range 6 {
			w.pages[fmt.Sprintf("http://docs.test/%d", i)] = html(fmt.Sprintf("<html lang=en><title>Step %d</title><main>%s<a href=/%d>Next</a></main>", i, step(i, 1), i+1))
		}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
		files, _ := textFiles(t, s, llmstxt.Index)
		if full := files[llmstxt.FullName]; len(s.Pages) != 8 || strings.Count(full, "Take the pot number 1 ") != 2 || strings.Count(full, "one for each of those who sit at the table number 0") != 2 {
			t.Errorf("%s: %v: words are missing in\n%s", name, urls(s), full)
		}
		s.Close()
	}
}

// Nothing of a post is left in a list without what it belongs to, and what a list says between posts
// keeps its heading.
func TestText_ListOfWholePosts_LeavesNoPieces(t *testing.T) {
	entry := func(i, level int) string {
		name := fmt.Sprintf("Post %d", i)
		if level > 1 {
			name = fmt.Sprintf("<a href=/%d>%s</a>", i, name)
		}
		return fmt.Sprintf("<h%d>%s</h%d><p>By Ann</p><p>The pot number %d holds tea for a family of %d, and nobody has poured a cup of it before that day of the year, as far as anybody knows.</p><h2>Use</h2><h3>By hand</h3><p>Fill it with water from the tap number %d, then wait until it sings.</p><p>Run:</p><pre>brew %d</pre><p>Cups:</p>", level, name, level, i, i+20, i, i)
	}
	list := ""
	w := &web{pages: map[string]answer{"http://docs.test/": html("<html lang=en><title>Tea</title><main><h1>Tea</h1><p>All that we know of tea stands on these pages of ours.</p><a href=/all>All</a></main>")}}
	for i := range 6 {
		list += entry(i, 2) + fmt.Sprintf("<h3>Note</h3><p>Changed by Bob, number %d.</p>", i)
		w.pages[fmt.Sprintf("http://docs.test/%d", i)] = html(fmt.Sprintf("<html lang=en><title>Post %d</title><main>%s</main>", i, entry(i, 1)))
	}
	w.pages["http://docs.test/all"] = html("<html lang=en><title>All</title><main><h1>All</h1>" + list + "</main>")
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	defer s.Close()
	files, _ := textFiles(t, s, llmstxt.Index)
	want := "# All\nSource: http://docs.test/all\n"
	for i := range 6 {
		want += fmt.Sprintf("\n## [Post %d](http://docs.test/%d)\n\nBy Ann\n\n### Note\n\nChanged by Bob, number %d.\n", i, i, i)
	}
	if full := files[llmstxt.FullName]; !strings.Contains(full, want) || strings.Count(full, "then wait until it sings") != 6 {
		t.Errorf("want\n%s\nin\n%s", want, full)
	}
}

// A page with much of one other page, as of a class and that which it extends, keeps its words.
func TestText_PageWithOneOtherInIt_KeepsItsWords(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	said := "<p>" + strings.Repeat("It keeps the steam in, and the tea of all of us hot for an hour. ", 5) + "</p>"
	for i := range 6 {
		own := fmt.Sprintf("<p>The lid number %d is made of copper, which no other one of these pages says of it.</p>", i)
		if i < 2 {
			own += said
		}
		w.pages[fmt.Sprintf("http://docs.test/%d", i)] = html(fmt.Sprintf("<html lang=en><title>Lid %d</title><main><h1>Lid %d</h1>%s<a href=/%d>Next</a></main>", i, i, own, i+1))
	}
	w.pages["http://docs.test/5"] = html("<html lang=en><title>Lid 5</title><main><h1>Lid 5</h1>" + said + "</main>")
	w.pages["http://docs.test/"] = html("<html lang=en><title>Lids</title><main><h1>Lids</h1><p>All of our lids are listed on this page, with their numbers.</p><a href=/0>0</a></main>")
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	defer s.Close()
	files, _ := textFiles(t, s, llmstxt.Index)
	if full := files[llmstxt.FullName]; strings.Count(full, "It keeps the steam in") != 15 {
		t.Errorf("%v: words are missing in\n%s", urls(s), full)
	}
}

// A table of classes with what the page of each says first keeps it: these pages have more.
func TestText_TableOfClasses_KeepsItsWords(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	list := ""
	for i := range 6 {
		said := fmt.Sprintf("<p>The class number %d has the lids of pots, and it says so here in a paragraph that is long enough to be one of those that a post has, and a list of posts, of which nobody here on this site has heard a word before today.</p>", i)
		list += fmt.Sprintf("<h2><a href=/c%d>C%d</a></h2>%s", i, i, said)
		rows := ""
		for j := range 9 {
			rows += fmt.Sprintf("<tr><td><a href=/m%d_%d>brewTheTeaOfNumber%dAndPourIt%d</a><td><a href=/t%d>TeapotOfTheFamily%d</a>", i, j, i, j, j, j)
		}
		w.pages[fmt.Sprintf("http://docs.test/c%d", i)] = html(fmt.Sprintf("<html lang=en><title>C%d</title><main><h1>C%d</h1>%s<table>%s</table></main>", i, i, said, rows))
	}
	w.pages["http://docs.test/"] = html("<html lang=en><title>Lids</title><main><h1>Lids</h1><p>All of our lids are listed on this page, with their numbers.</p>" + list + "</main>")
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	defer s.Close()
	files, _ := textFiles(t, s, llmstxt.Index)
	if full := files[llmstxt.FullName]; len(s.Pages) != 7 || strings.Count(full, "The class number") != 12 {
		t.Errorf("%v: words are missing in\n%s", urls(s), full)
	}
}

// The title of a page whose first heading is that of its first chapter is the page's, and one
// that is a link to the page has no link.
func TestText_TitleOfAPage_IsItsName(t *testing.T) {
	said := "<p>" + gadget + "</p>"
	for page, want := range map[string]string{
		"<title>Kettle API</title><main><h1>Introduction</h1>" + said + "<h1>Pots</h1>" + said + "<h1>Lids</h1>" + said + "</main>":    "# Kettle API\nSource: http://docs.test/\n\n# Introduction\n",
		"<title>Kettle API</title><main><h1>Kettle API</h1>" + said + "<h1>Pots</h1>" + said + "<h1>Lids</h1>" + said + "</main>":      "# Kettle API\nSource: http://docs.test/\n\n" + gadget,
		"<title>Kettle API</title><main><h1>Introduction</h1>" + said + "<h1>Pots</h1>" + said + "</main>":                             "# Introduction\nSource: http://docs.test/\n\n" + gadget,
		"<title>API Reference</title><main><h1>Introduction</h1>" + said + "<h1>Pots</h1>" + said + "<h1>Lids</h1>" + said + "</main>": "# API Reference\nSource: http://docs.test/\n\n# Introduction\n",
		"<title>Tea - Space</title><main><h1><a href=/display/T/Tea>Tea</a></h1>" + said + "</main>":                                   "# Tea\nSource: http://docs.test/\n\n" + gadget,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html(page)}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
		files, _ := textFiles(t, s, llmstxt.Index)
		if full := files[llmstxt.FullName]; !strings.HasPrefix(full, want) {
			t.Errorf("%s:\n%s", page, full)
		}
		if strings.Contains(page, "API Reference") && s.Title != "API Reference" {
			t.Errorf("%s: the site is called %q", page, s.Title)
		}
		s.Close()
	}
}
