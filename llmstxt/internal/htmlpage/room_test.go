package htmlpage

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Passes use each other's room, one after the other and at once, and what they find of a page
// is the page's own, and stays as it is.
func TestParse_PagesAfterOthers_KeepNothingOfThem(t *testing.T) {
	var pages []string
	for _, n := range []int{0, 1, 3, 40, 2 * maxRoom} {
		var b strings.Builder
		fmt.Fprintf(&b, "<title>Pots %d</title><nav><ul>", n)
		for i := range n {
			fmt.Fprintf(&b, "<li><a href=/%d/%d>Pot %d of %d</a>", n, i, i, n)
		}
		fmt.Fprintf(&b, "</ul></nav><h1>Pots %d</h1>%s", n, strings.Repeat(fmt.Sprintf("<p>A pot of the kind %d holds tea. ", n), n%50))
		pages = append(pages, b.String())
	}
	read := func(page string) *Page {
		p, err := Parse(context.Background(), []byte(page), 1000)
		if err != nil {
			t.Error(err)
			return new(Page)
		}
		return p
	}
	said := func(p *Page) string { return fmt.Sprintf("%v %q %q %q %q", p.Links, p.Edges, p.Short, p.Sum, p.main) }
	var first []*Page
	var want []string
	for _, page := range pages {
		rooms = sync.Pool{New: func() any { return new(room) }} // nobody has been in it
		first = append(first, read(page))
		want = append(want, said(first[len(first)-1]))
	}
	var at sync.WaitGroup
	for begin := range 4 {
		at.Go(func() {
			for i := range 10 * len(pages) {
				n := (begin + i*(begin+1)) % len(pages)
				if got := said(read(pages[n])); got != want[n] {
					t.Errorf("page %d: %.300s, want %.300s", n, got, want[n])
					return
				}
			}
		})
	}
	at.Wait()
	for i, p := range first {
		if said(p) != want[i] {
			t.Errorf("page %d has changed", i)
		}
	}
}
