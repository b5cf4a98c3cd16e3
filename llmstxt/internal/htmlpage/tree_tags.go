package htmlpage

import (
	"slices"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What the tags of a region do to its tree. For elements that are missing here the standard has rules
// of their own.

// begin takes a start tag and reports false if it may need repair.
func (t *tree) begin() bool {
	in := t.top()
	if t.count == maxFound {
		return false
	}
	t.ended = false
	switch {
	case ofTable(in.DataAtom):
		return t.beginInTable(in.DataAtom)
	case in.Namespace != "":
		return t.beginInSVG()
	}
	switch t.tag {
	case 0, atom.Abbr, atom.Acronym, atom.Audio, atom.Bdi, atom.Bdo, atom.Canvas, atom.Cite, atom.Data, atom.Del, atom.Dfn, atom.Iframe,
		atom.Ins, atom.Kbd, atom.Label, atom.Legend, atom.Mark, atom.Picture, atom.Q, atom.Samp, atom.Span, atom.Sub, atom.Sup, atom.Table,
		atom.Time, atom.Var, atom.Video:
		t.openElement()
	case atom.A, atom.Button:
		if t.within(noScope, t.tag) > 0 {
			return false
		}
		t.openElement()
	case atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		t.openElement()
	case atom.Area, atom.Br, atom.Embed, atom.Img, atom.Input, atom.Param, atom.Source, atom.Track, atom.Wbr:
		t.addElement()
	case atom.Link, atom.Meta, atom.Noscript, atom.Script, atom.Style:
		if len(t.open) == 1 && in.FirstChild == nil {
			return false // of the head
		}
		if t.tag == atom.Link || t.tag == atom.Meta {
			t.addElement()
		} else {
			t.openElement()
		}
	case atom.Form:
		if t.form != nil || !t.endParagraph() {
			return false
		}
		t.openElement()
		t.form = t.top()
	case atom.Svg:
		return t.beginInSVG()
	case atom.Hr:
		if !t.endParagraph() {
			return false
		}
		t.addElement()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		if !t.endParagraph() {
			return false
		}
		if slices.Contains(headings, t.top().DataAtom) {
			t.open = t.open[:len(t.open)-1]
		}
		t.openElement()
	case atom.Li, atom.Dd, atom.Dt:
		if !t.endItem() || !t.endParagraph() {
			return false
		}
		t.openElement()
	default:
		if !isBlock(t.tag) || t.tag == atom.Select || !t.endParagraph() {
			return false
		}
		t.openElement()
	}
	return true
}

// beginInSVG takes the start tag of a drawing, or of a line or another shape in it.
func (t *tree) beginInSVG() bool {
	switch name := t.text[t.start+1 : t.name]; {
	case t.tag == atom.Svg, name == "path", name == "g", name == "circle", name == "rect", name == "line", name == "polyline",
		name == "polygon", name == "ellipse", name == "use", name == "defs", name == "symbol":
	default:
		return false
	}
	n := t.addElement()
	if n.Namespace = "svg"; t.page[t.pos-2] != '/' {
		t.open = append(t.open, n)
	}
	return true
}

// beginInTable takes a start tag between the cells of a table.
func (t *tree) beginInTable(in atom.Atom) bool {
	switch t.tag {
	case atom.Caption, atom.Colgroup, atom.Tbody, atom.Thead, atom.Tfoot:
		if in != atom.Table {
			return false
		}
	case atom.Col:
		if in == atom.Colgroup {
			t.addElement()
		}
		return in == atom.Colgroup
	case atom.Tr:
		switch in {
		case atom.Colgroup:
			return false
		case atom.Table:
			t.imply(atom.Tbody)
		case atom.Tr:
			t.open = t.open[:len(t.open)-1]
		}
	case atom.Td, atom.Th:
		if in != atom.Tr {
			return false
		}
	default:
		return false
	}
	t.openElement()
	return true
}

// end takes an end tag and reports false if it may need repair.
func (t *tree) end() bool {
	t.ended = false
	in := t.top().DataAtom
	switch {
	case t.isNamed(t.top()) && len(t.open) > 1:
		if t.tag == atom.Form {
			t.form = nil
		}
		t.open = t.open[:len(t.open)-1]
		return true
	case t.top().Namespace != "":
		return false
	}
	switch t.tag {
	case atom.Body, atom.Html:
		t.ended = true
		return t.open[0].FirstChild != nil && t.within(noScope, atom.Table) < 0
	case atom.Br, atom.Head, atom.Template:
		return false
	case atom.Form:
		if slices.Contains(t.open, t.form) {
			return false
		}
		t.form = nil
		return true
	case atom.Caption, atom.Col, atom.Colgroup, atom.Table, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
		return t.endInTable(in)
	}
	if ofTable(in) {
		return false
	}
	switch t.tag {
	case atom.P:
		at := t.within(buttonScope, atom.P)
		if at < 0 && t.open[0].FirstChild != nil {
			t.add(html.Node{Type: html.ElementNode, DataAtom: atom.P, Data: "p"})
		}
		return t.cut(at)
	case atom.Li:
		return t.cut(t.within(listScope, atom.Li))
	case atom.Dd, atom.Dt:
		return t.cut(t.within(anyScope, t.tag))
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return t.cut(t.within(anyScope, headings...))
	}
	if formats(t.tag) {
		return t.within(noScope, t.tag) < 0
	}
	if isBlock(t.tag) {
		return t.cut(t.within(anyScope, t.tag))
	}
	for i := len(t.open) - 1; i > 0 && !isSpecial(t.open[i].DataAtom); i-- {
		if t.isNamed(t.open[i]) {
			return t.cut(i)
		}
	}
	return true
}

// endInTable takes the end tag of a table, or of a part of one, with another element inside it.
func (t *tree) endInTable(in atom.Atom) bool {
	table, own := t.within(noScope, atom.Table), t.within(noScope, t.tag)
	switch {
	case table < 0:
		return true // it ends nothing
	case t.tag == atom.Table && ofTable(in) && in != atom.Colgroup:
		t.open = t.open[:table]
		return true
	case t.tag == atom.Td || t.tag == atom.Th || t.tag == atom.Caption:
		return own > table && !ofTable(in) && t.cut(own)
	}
	return false
}

// isNamed reports an element of the name of the end tag that was read.
func (t *tree) isNamed(n *html.Node) bool {
	return n.DataAtom == t.tag && (t.tag != 0 || n.Data == lowerName(t.text[t.start+2:t.name]))
}

// cut ends the open elements from index at on, none if it is negative. It reports false if one of
// them formats text and would go on in what comes next.
func (t *tree) cut(at int) bool {
	if at < 0 {
		return true
	}
	if slices.ContainsFunc(t.open[at:], func(n *html.Node) bool { return formats(n.DataAtom) }) {
		return false
	}
	t.open = t.open[:at]
	return true
}

// endParagraph ends the paragraph that is open, as blocks do.
func (t *tree) endParagraph() bool { return t.cut(t.within(buttonScope, atom.P)) }

// endItem ends the item of the innermost list that is open.
func (t *tree) endItem() bool {
	for i := len(t.open) - 1; i > 0; i-- {
		switch tag := t.open[i].DataAtom; {
		case tag == t.tag, tag == atom.Dd && t.tag == atom.Dt, tag == atom.Dt && t.tag == atom.Dd:
			return t.cut(i)
		case tag != atom.Address && tag != atom.Div && tag != atom.P && isSpecial(tag):
			return true
		}
	}
	return true
}

// scope is what an end tag does not reach out of.
type scope int

const (
	noScope     scope = iota
	anyScope          // tables and their cells
	listScope         // tables, their cells, and lists
	buttonScope       // tables, their cells, and buttons
)

// within returns the index of the innermost open element with one of the names; -1 if the scope has none.
func (t *tree) within(s scope, tags ...atom.Atom) int {
	for i := len(t.open) - 1; i > 0; i-- {
		tag := t.open[i].DataAtom
		if slices.Contains(tags, tag) {
			return i
		}
		switch {
		case s == noScope:
		case tag == atom.Caption || tag == atom.Table || tag == atom.Td || tag == atom.Th,
			s == listScope && (tag == atom.Ol || tag == atom.Ul),
			s == buttonScope && tag == atom.Button:
			return -1
		}
	}
	return -1
}

var headings = []atom.Atom{atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6}

// ofTable reports an element that holds nothing but parts of a table.
func ofTable(tag atom.Atom) bool {
	switch tag {
	case atom.Colgroup, atom.Table, atom.Tbody, atom.Tfoot, atom.Thead, atom.Tr:
		return true
	}
	return false
}

// formats reports an element that goes on, in a browser, until its own end tag comes.
func formats(tag atom.Atom) bool {
	switch tag {
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		return true
	}
	return false
}

// isBlock reports an element that ends a paragraph, or a control: its end tag ends what is open in it.
func isBlock(tag atom.Atom) bool {
	switch tag {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Button, atom.Center, atom.Details, atom.Dialog, atom.Dir, atom.Div, atom.Dl,
		atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Header, atom.Hgroup, atom.Main, atom.Menu, atom.Nav, atom.Ol,
		atom.P, atom.Pre, atom.Search, atom.Section, atom.Select, atom.Summary, atom.Ul:
		return true
	}
	return false
}

// isSpecial reports an element that the end tag of an inline one does not reach out of.
func isSpecial(tag atom.Atom) bool {
	switch tag {
	case atom.Dialog, atom.Search:
		return false
	case atom.Caption, atom.Dd, atom.Dt, atom.Form, atom.Iframe, atom.Li, atom.Noscript, atom.Script, atom.Style, atom.Td, atom.Th:
		return true
	}
	return isBlock(tag) || ofTable(tag) || slices.Contains(headings, tag)
}
