package describe

import (
	"strings"
	"testing"
)

// Every phrase is found behind the word that it is sorted under, wherever it stands.
func TestFormal_EachPhrase_IsFound(t *testing.T) {
	for _, list := range []phrases{licences, notices} {
		for _, of := range list {
			for _, phrase := range of.phrases {
				if s := "On this page, " + strings.ToUpper(phrase) + " as it stands."; !formal(s) {
					t.Errorf("%q is not formal", s)
				}
				if s := "on this page, " + phrase[:len(phrase)-1]; list.in(s) {
					t.Errorf("%q has a phrase, without its last letter", s)
				}
			}
		}
	}
}

func TestPhrasesBy_SharedWord_IsLookedForOnce(t *testing.T) {
	all := phrasesBy([]string{"tea", "pot"}, []string{"black tea", "tea pot", "a pot", "a cup"})
	if len(all) != 3 || len(all[0].phrases) != 2 {
		t.Errorf("%v, want three words and two phrases with the first of them", all)
	}
	for text, want := range map[string]bool{"a teapot": false, "the tea pot": true, "a pot of it": true, "a cup": true, "a cu": false, "": false} {
		if all.in(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
