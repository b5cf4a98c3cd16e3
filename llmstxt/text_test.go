package llmstxt_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// notModified answers conditional requests for pages that have an ETag.
func notModified(pages map[string]answer) func(*http.Request) (answer, bool) {
	return func(r *http.Request) (answer, bool) {
		tag := pages[r.URL.String()].header["ETag"]
		return answer{status: http.StatusNotModified}, tag != "" && r.Header.Get("If-None-Match") == tag
	}
}

// TestText_Pages_AreRead: Markdown and plain text, by their type or their address.
func TestText_Pages_AreRead(t *testing.T) {
	text := func(kind, body string) answer {
		return answer{header: map[string]string{"Content-Type": kind}, body: body}
	}
	w := &web{pages: map[string]answer{
		"http://docs.test/docs/": text("text/markdown; charset=utf-8", "\ufeff# The Handbook\n\nThe handbook of the project is kept in **Markdown** and served as it is.\n\n"+
			"## Guides\n\n- [Install](install.md \"how to\"): with one command\n* [Configure][conf] it\n- <https://docs.test/never>\n\n## Notes\n\n1. [Changes](/docs/changes)\n\n[conf]: configure.md\n\n"+
			"```\n[not a link](/docs/code.md)\n```\n<!-- [hidden](/docs/hidden.md) -->\n<a href='/docs/spec.txt'>The specification</a>\n"),
		"http://docs.test/docs/install.md":   text("text/plain", "Install\n=======\n\nThe installer copies the program into your home folder.\n\n\tfarwire install\n\nIt needs no administrator.\n"),
		"http://docs.test/docs/configure.md": text("application/octet-stream", "---\ntitle: \"Configure\"\ndescription: 'All that can be configured, in one file'\n---\nConfiguration lives in one file of key and value pairs.\n"),
		"http://docs.test/docs/changes":      text("text/plain; charset=iso-8859-1", "Changes\n\nVersion two brings a caf\xe9 and is told of at http://docs.test/docs/two.txt.\n"),
		"http://docs.test/docs/two.txt":      text("text/plain", "A file of plain text whose first line is long enough to be a sentence that says what it is about.\nIts second line.\n"),
		"http://docs.test/docs/spec.txt":     text("text/plain", "SPECIFICATION\n\nWhat the program promises\u200b is written down here \U000e0041and nowhere else.\n"),
		"http://docs.test/docs/code.md":      text("text/markdown", "# Code\n"),
		"http://docs.test/docs/hidden.md":    text("text/markdown", "# Hidden\n"),
	}}
	s := everyWay(t, w, "http://docs.test/docs/", llmstxt.Options{})
	if got := fmt.Sprint(urls(s)); got != "[/docs/ /docs/install.md /docs/changes /docs/configure.md /docs/spec.txt /docs/two.txt]" {
		t.Errorf("pages %s", got)
	}
	file := s.Render(llmstxt.Pages)
	for _, want := range []string{"# The Handbook\n", "kept in Markdown and served", "## Install\n", "It needs no administrator.", "## Configure\n", "one file of key and value pairs", "a café and is told", "What the program promises is written down here and nowhere else."} {
		if !strings.Contains(file, want) {
			t.Errorf("%q is not in\n%s", want, file)
		}
	}
	for _, unwanted := range []string{"farwire install", "\u200b", "\U000e0041", "title:", "hidden", "**"} {
		if strings.Contains(file, unwanted) {
			t.Errorf("%q is in\n%s", unwanted, file)
		}
	}
	if index := s.Render(llmstxt.Index); !strings.Contains(index, "(http://docs.test/docs/two.txt): A file of plain text") {
		t.Errorf("the index is\n%s", index)
	}
}

// TestText_ForPrograms_IsNotListed: neither what a generator puts beside its pages
// nor what only programs read.
func TestText_ForPrograms_IsNotListed(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/llms.txt", "/robots.txt", "/_sources/a.rst.txt", "/code.py", "/blob", "/a.txt")}}
	for path, kind := range map[string]string{"/llms.txt": "text/plain", "/_sources/a.rst.txt": "text/plain", "/code.py": "text/plain", "/blob": "application/octet-stream", "/a.txt": "text/plain"} {
		w.pages["http://docs.test"+path] = answer{header: map[string]string{"Content-Type": kind}, body: "Words\n\nWhat stands in " + path + " can be read by everybody who asks.\n"}
	}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if got := fmt.Sprint(urls(s)); got != "[/ /a.txt]" {
		t.Errorf("pages %s", got)
	}
}
