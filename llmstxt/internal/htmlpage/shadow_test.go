package htmlpage_test

import (
	"fmt"
	"testing"
)

// A page's text begins where its main element does, whatever shadow roots with slots are in it;
// but not with the main element of a shadow root that holds a slot.
func TestMarkdown_SlotsInShadowRoots_TextIsWhole(t *testing.T) {
	const first, last = "The first words of the page stand here in a paragraph of their own.", "The light children of a component are what its readers see in it."
	for shadow, want := range map[string]string{
		"<article><slot></slot></article>":                                                      first + "\n\n" + last + "\n",
		"<h1><slot name=title></slot></h1><slot></slot>":                                        first + "\n\n" + last + "\n",
		"<b><x-y><template shadowrootmode=open><slot></slot></template></x-y></b><slot></slot>": first + "\n\n" + last + "\n",
		"<p>In it.</p>": first + "\n\nIn it.\n\n" + last + "\n",
	} {
		page := fmt.Sprintf("<title>Web | K</title><nav><a href=a>A</a></nav><main><x-card><p>%s</p><template shadowrootmode=open>%s</template><p>%s</p></x-card></main><footer><p>%s</p></footer>", first, shadow, last, "Foot of all pages.")
		if got := markdown(t, page); got != want {
			t.Errorf("%s:\n%q, want\n%q", shadow, got, want)
		}
	}
	page := "<title>Web | K</title><x-page><template shadowrootmode=open><nav>menu</nav><main><slot></slot></main></template><h1>Web</h1><p>" + first + "</p></x-page>"
	if got, want := markdown(t, page), "# Web\n\n"+first+"\n"; got != want {
		t.Errorf("a slot in the main element: %q, want %q", got, want)
	}
}

// The items of a menu need no end tags; what stands behind the menu is no part of its last one.
func TestMarkdown_MenuWithoutEndTags_TextBeginsBehindIt(t *testing.T) {
	const text = "<h1>Pots</h1><p>Pots hold tea for a whole family, and more than that.</p>"
	for _, menu := range []string{"<ul><li><a href=a>A</a><li><a href=b>B</a></ul>", "<ol><li><a href=a>A</a></ol>", "<nav><ul><li><a href=a>A</a></nav>", "<ul><li>x<ul><li><a href=b>B</a></ul></ul>"} {
		if got, want := markdown(t, "<title>Pots</title><body>"+menu+text), "# Pots\n\nPots hold tea for a whole family, and more than that.\n"; got != want {
			t.Errorf("%s: %q, want %q", menu, got, want)
		}
	}
}
