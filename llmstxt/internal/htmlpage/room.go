package htmlpage

import "sync"

// room is what a pass fills and nobody keeps. The next pass fills it again: to grow it from
// nothing for each page is a tenth of the memory that a crawl asks for.
type room struct {
	links           []Link
	begin, linkText []byte
	label           []byte
	before, after   []edge
	checks          []check
}

var rooms = sync.Pool{New: func() any { return new(room) }}

const maxRoom = 1000 // links of a page whose room is kept

// takeRoom has a pass fill a room that another has left.
func (s *scanner) takeRoom() {
	r := rooms.Get().(*room)
	s.room = r
	s.Links, s.begin, s.linkText, s.nav.label = r.links[:0], r.begin[:0], r.linkText[:0], r.label[:0]
	s.before, s.after, s.checks = r.before[:0], r.after[:0], r.checks[:0]
}

// leaveRoom takes the links out of the room and leaves it to another pass.
func (s *scanner) leaveRoom() {
	links := s.Links
	s.Links = append([]Link(nil), links...)
	if cap(links) <= maxRoom && cap(s.checks) <= maxRoom {
		clear(links) // they hold strings, and the edges the page
		clear(s.before[:cap(s.before)])
		clear(s.after[:cap(s.after)])
		*s.room = room{links, s.begin, s.linkText, s.nav.label, s.before, s.after, s.checks}
		rooms.Put(s.room)
	}
	s.room, s.begin, s.linkText, s.nav.label, s.before, s.after, s.checks = nil, nil, nil, nil, nil, nil, nil
}
