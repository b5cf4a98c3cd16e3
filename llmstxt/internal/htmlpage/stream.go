package htmlpage

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

// Pages that a server streams, as React does. Where something is still missing
// stands a boundary with what is shown meanwhile; what was missing comes later, in
// an element that is hidden, with a script that moves it:
//
//	<main><!--$?--><template id="B:0"></template> Loading… <!--/$--></main>
//	<div hidden id="S:0"> the text, perhaps with boundaries of its own </div>
//	<script>$RC("B:0","S:0")</script>
//
// A part of such a text can be late too: <template id="P:1"></template> is
// replaced by what is in the element S:1, when the script is $RS("S:1","P:1").
// So before such a page is read, its pieces are put where they belong.

const maxPieces = 1000

var moves = regexp.MustCompile(`\$R([CSR])\("([^"\s]{1,64})","([^"\s]{1,64})"`)

// piece is a stretch of the page: what is streamed, or the place that it has.
type piece struct {
	from, to int // of all of it
	in, out  int // of the content in it
	id       string
}

// inPlace puts what a page streams hidden where its script would, and returns a
// page that streams nothing as it is.
func inPlace(page []byte) []byte {
	if !bytes.Contains(page, []byte("$R")) || !bytes.Contains(page, []byte("<template id=\"")) {
		return page
	}
	target := map[string]string{} // of a place, what belongs there
	for _, m := range moves.FindAllSubmatch(page, maxPieces) {
		place, content := string(m[2]), string(m[3])
		if m[1][0] == 'S' {
			place, content = content, place
		}
		if _, ok := target[place]; !ok {
			target[place] = content
		}
	}
	places, contents := pieces(page, target)
	if len(places) == 0 || len(contents) == 0 {
		return page
	}
	w := mover{page: page, out: make([]byte, 0, len(page)), done: map[string]bool{}}
	for _, p := range places {
		c, ok := contents[target[p.id]]
		if !ok || w.done[c.id] || p.from >= c.from && p.from < c.to {
			continue // what has no other place stays where it is
		}
		w.done[c.id] = true
		w.steps = append(w.steps, step{p.from, p.to, &c}, step{c.from, c.to, nil})
	}
	slices.SortFunc(w.steps, func(a, b step) int { return a.from - b.from })
	clear(w.done)
	w.copy(0, len(page), 0)
	return w.out
}

// pieces finds the places, in the page's order, and the contents that a script
// names.
func pieces(page []byte, target map[string]string) (places []piece, contents map[string]piece) {
	wanted := map[string]bool{}
	for _, c := range target {
		wanted[c] = true
	}
	contents = map[string]piece{}
	type element struct {
		tag   atom.Atom
		piece piece
	}
	var open []element // contents that have begun, each with those of its name inside
	depth := []int{}
	pending := []int{} // places whose fallback goes on, or -1 for other boundaries
	l := lexer{page: page}
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		switch kind {
		case otherToken:
			switch text := string(l.bytes()); {
			case text == "<!--/$-->" && len(pending) > 0:
				if at := pending[len(pending)-1]; at >= 0 {
					places[at].to = l.start
				}
				pending = pending[:len(pending)-1]
			case strings.HasPrefix(text, "<!--$") && len(pending) < maxPieces:
				pending = append(pending, -1)
			}
		case startTag:
			if len(places) >= maxPieces || len(contents) >= maxPieces {
				return places, contents
			}
			if n := len(open); n > 0 && l.tag == open[n-1].tag {
				depth[n-1]++
			}
			switch l.tag {
			case atom.Template:
				id := l.attrs("id")[0]
				if _, ok := target[id]; !ok {
					continue
				}
				places = append(places, piece{from: l.start, to: -1, id: id})
				if n := len(pending); strings.Contains(id, "B:") && n > 0 && pending[n-1] < 0 {
					pending[n-1] = len(places) - 1
				}
			case atom.Div, atom.Table, atom.Svg, atom.Math:
				a := l.attrs("id", "hidden")
				if _, known := contents[a[0]]; a[1] != "" && wanted[a[0]] && !known {
					open = append(open, element{l.tag, piece{from: l.start, in: l.pos, id: a[0]}})
					depth = append(depth, 1)
				}
			}
		case endTag:
			if l.tag == atom.Template && len(places) > 0 && places[len(places)-1].to < 0 {
				places[len(places)-1].to = l.pos
			}
			if n := len(open); n > 0 && l.tag == open[n-1].tag {
				if depth[n-1]--; depth[n-1] == 0 {
					p := open[n-1].piece
					p.out, p.to = l.start, l.pos
					contents[p.id] = p
					open, depth = open[:n-1], depth[:n-1]
				}
			}
		}
	}
	whole := places[:0]
	for _, p := range places {
		if p.to > p.from {
			whole = append(whole, p)
		}
	}
	return whole, contents
}

// mover writes a page anew.
type mover struct {
	page, out []byte
	steps     []step // in the page's order
	done      map[string]bool
}

// step is a stretch of the page that is not copied as it is: a place, for which its
// content is written, or a content, for which nothing is.
type step struct {
	from, to int
	content  *piece
}

// copy writes a stretch of the page, each content once and in its place.
func (w *mover) copy(from, to, depth int) {
	for from < to {
		i, _ := slices.BinarySearchFunc(w.steps, from, func(s step, at int) int { return s.from - at })
		if i == len(w.steps) || w.steps[i].from >= to {
			break
		}
		s := w.steps[i]
		w.out = append(w.out, w.page[from:s.from]...)
		from = s.to
		if c := s.content; c != nil && !w.done[c.id] && depth < 100 {
			w.done[c.id] = true
			w.copy(c.in, c.out, depth+1)
		}
	}
	if from < to {
		w.out = append(w.out, w.page[from:to]...)
	}
}
