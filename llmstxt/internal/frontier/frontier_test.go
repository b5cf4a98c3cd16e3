package frontier_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/frontier"
)

func TestQueue_SeveralLists_TakeTurns(t *testing.T) {
	var q frontier.Queue[string]
	put := func(parent, segment, values string, base bool) {
		for v := range strings.FieldsSeq(values) {
			if !q.Put(v, frontier.List{Base: base, Parent: parent, Segment: segment}) {
				t.Fatal("the list is full")
			}
		}
	}
	q.Defer("late", frontier.AtTheEnd)
	put("map", "blog", "m1 m2 m3 m4", false)
	put("map", "docs", "d1 d2", false)
	put("base", "api", "a1 a2 a3", true)
	put("base", "guide", "g1", true)
	put("page", "blog", "p1", false)
	if q.Len() != 12 {
		t.Errorf("%d wait", q.Len())
	}
	var got []string
	for v, ok := q.Base(); ok; v, ok = q.Base() {
		got = append(got, v)
	}
	for v, _, ok := q.Next(nil); ok; v, _, ok = q.Next(nil) {
		got = append(got, v)
	}
	for v, _, ok := q.NextDeferred(); ok; v, _, ok = q.NextDeferred() {
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

func TestQueue_BusyList_MissesItsTurn(t *testing.T) {
	var q frontier.Queue[string]
	long, short := frontier.List{Parent: "long"}, frontier.List{Parent: "short"}
	for _, v := range []string{"a", "b", "c"} {
		q.Put(v, long)
	}
	q.Put("x", short)
	busy := func(l frontier.List) bool { return l == long }
	if v, l, ok := q.Next(busy); v != "x" || l != short || !ok {
		t.Errorf("%q of %v", v, l)
	}
	if v, _, ok := q.Next(busy); ok {
		t.Errorf("%q of a busy list", v)
	}
	if v, _, _ := q.Next(nil); v != "a" {
		t.Errorf("%q", v)
	}
}
