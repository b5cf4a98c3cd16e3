package frontier_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/frontier"
)

func TestQueue_ListsTakeTurns(t *testing.T) {
	var q frontier.Queue[string]
	put := func(parent, segment, values string, base bool) {
		for v := range strings.FieldsSeq(values) {
			if !q.Put(v, frontier.List{Base: base, Parent: parent, Segment: segment}) {
				t.Fatal("the list is full")
			}
		}
	}
	q.PutOff("late")
	put("map", "blog", "m1 m2 m3 m4", false)
	put("map", "docs", "d1 d2", false)
	put("base", "api", "a1 a2 a3", true)
	put("base", "guide", "g1", true)
	put("page", "blog", "p1", false)
	if q.Len() != 12 {
		t.Errorf("%d wait", q.Len())
	}
	var got []string
	for v, ok := q.Next(); ok; v, ok = q.Next() {
		got = append(got, v)
	}
	for v, ok := q.Late(); ok; v, ok = q.Late() {
		got = append(got, v)
	}
	if want := "a1 g1 a2 a3 m1 d1 p1 m2 d2 m3 m4 late"; strings.Join(got, " ") != want || q.Len() != 0 {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestQueue_LongList_IsBounded(t *testing.T) {
	var q frontier.Queue[int]
	n := 0
	for q.Put(n, frontier.List{}) {
		if n++; n > 10_000 {
			t.Fatal("no end")
		}
	}
	if q.Len() != n {
		t.Errorf("%d wait, %d were put", q.Len(), n)
	}
}
