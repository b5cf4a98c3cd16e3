package htmlpage

// A dropdown of the top bar often leads to some pages of a part of the side bar, which has the
// part's name and all its pages. On small screens some sites repeat the top bar in the side bar.

// placed is where in the navigation a link stands.
type placed struct {
	lists [Levels]string
	place int
}

// inDropdown reports that the outermost list with a name is one that a button opens.
func (n *navScanner) inDropdown() bool {
	for _, l := range n.lists {
		if l.name != "" {
			return l.dropdown
		}
	}
	return false
}

// placeAgain notes where the side bar has a link that a dropdown had before.
func (s *scanner) placeAgain(at int) {
	if _, ok := s.dropped[at]; !ok || !s.nav.side || s.nav.inDropdown() {
		return
	}
	if in := s.nav.group(); in[0] != "" {
		s.dropped[at] = placed{in, s.mentions}
	}
}

// preferSideBar gives the links of each dropdown that one list of the side bar has, too, their
// place in that list.
func (s *scanner) preferSideBar() {
	lists := map[string]string{} // by the name of the dropdown; "": in none, or several
	for at, p := range s.dropped {
		name := s.Links[at].Lists[0]
		if list, ok := lists[name]; ok && list != p.lists[0] {
			lists[name] = ""
		} else {
			lists[name] = p.lists[0]
		}
	}
	for at, p := range s.dropped {
		if l := &s.Links[at]; lists[l.Lists[0]] != "" {
			l.Lists, l.Place = p.lists, p.place
		}
	}
}
