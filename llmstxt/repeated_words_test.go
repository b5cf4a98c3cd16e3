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
