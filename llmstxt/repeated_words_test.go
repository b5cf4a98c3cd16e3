package llmstxt_test

import (
	"testing"
)

// What a page shows of others below a pointer is not its text.
func TestNote_TextsBelowAPointer_AreLeftOut(t *testing.T) {
	s := potSite(t, "<title>Pots</title><h1>Pots</h1><p>Pots of clay hold water and soup.</p>",
		[3]string{"lid.html", "Lids", "<h1>Lids</h1><table><tr><td><a href=/rim.html>rim_t</a><tr><td><a href=/rim.html#a>knob_t</a><tr><td><a href=/rim.html#b>vent_t</a></table><div class=CToolTip id=tt1><div class=CType>The rim is what the lid lies on, all day long.</div></div>"},
		[3]string{"rim.html", "Rim", "<h1>Rim</h1><div class=CBody><p>The rim holds the lid, whatever the weather is.</p></div>"})
	if p := pageAt(t, s, "lid.html"); p.Note != "rim_t; knob_t; vent_t." {
		t.Errorf("%q", p.Note)
	}
	if p := pageAt(t, s, "rim.html"); p.Note != "The rim holds the lid, whatever the weather is." {
		t.Errorf("%q", p.Note)
	}
}

// Titles that pages share are told apart by the name in full that stands behind the site's, and those that only an
// address gave by the folder.
func TestTitles_SharedBySeveral_AreToldApart(t *testing.T) {
	const prose = "<p>A pot is made of clay, on a wheel and in an oven.</p>"
	pages := [][3]string{
		{"a/Pot.html", "Pot - Kettle Library - kettle.a.Pot", "<h1>Pot</h1><p>It is the pot of the first folder.</p>"},
		{"b/Pot.html", "Pot - Kettle Library - kettle.b.Pot", "<h1>Pot</h1><p>It is the pot of the second folder.</p>"},
		{"b/Lid.html", "Lid - Kettle Library - kettle.b.Lid", "<h1>Lid</h1>" + prose},
		{"Tea-Leaf.html", "Tea.Leaf - Kettle Library - kettle.Tea.Leaf", "<h1>Tea.Leaf</h1><p>The leaf is what tea is made of.</p>"},
		{"src/Tea.Leaf.html", "", "<pre>{-# SAFE #-}\n\nmodule Tea.Leaf where\n\nboil = id\n</pre>"},
		{"src/Tea.Cup.html", "", "<pre>{-# SAFE #-}\n\nmodule Tea.Cup where\n\nboil = id\n</pre>"},
	}
	s := potSite(t, "<title>Kettle Library</title><h1>Kettle Library</h1><p>Kettle is a library of pots.</p>", pages...)
	for path, want := range map[string]string{"a/Pot.html": "kettle.a.Pot", "b/Pot.html": "kettle.b.Pot", "b/Lid.html": "Lid", "Tea-Leaf.html": "Tea.Leaf", "src/Tea.Leaf.html": "Tea.Leaf (src)", "src/Tea.Cup.html": "Tea.Cup"} {
		if p := pageAt(t, s, path); p.Title != want {
			t.Errorf("%s: %q, want %q", path, p.Title, want)
		}
	}
}
