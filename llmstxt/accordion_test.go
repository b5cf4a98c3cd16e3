package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Questions and answers that fold up are what their page says; the names of tabs are not.
func TestExcerpt_QuestionsThatFoldUp_AreRead(t *testing.T) {
	const hot = "Tea is as hot as the water was that somebody has poured over it."
	for list, want := range map[string]string{
		"<div class=panel-group role=tablist><div><div role=tab><h4>How hot is tea?</h4></div><div class=collapse role=tabpanel><p>" + hot + "</p></div></div></div>": hot,
		"<div role=tablist><p role=tab>The first of the tabs says a whole sentence here.</p></div><div role=tabpanel><p>" + hot + "</p></div>":                        hot,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Tea</title><h1>Questions</h1>" + list)}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 1 || s.Pages[0].Excerpt != want {
			t.Errorf("%s: %v", list, s.Pages)
		}
	}
}
