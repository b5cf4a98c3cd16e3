package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/llmstxt"
)

// A claim waits for another one that is under way, and then sees whose site it took: of a
// subject that has a worker now, another site comes after those of others.
func claimedTogether(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	for i, subject := range []string{"alice", "alice", "bob"} { // in the order in which they are due
		l, err := s.Enroll(ctx, farwire.Site{Subject: subject, BaseURL: "https://" + string(rune('a'+i)) + ".example/"}, -1, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		l.Site.NextCrawl = firstSlot.Add(time.Duration(i) * time.Second)
		if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := plain(t, url).BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, query := range []string{
		"SELECT pg_advisory_xact_lock(6103541923)", // the one of claims, for programs of each version
		"UPDATE farwire_sites SET token = token + 1, leased_until = now() + interval '1 hour' WHERE base_url = 'https://a.example/'",
	} {
		if _, err := tx.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	type claim struct {
		farwire.Lease
		error
	}
	claimed := make(chan claim, 1)
	go func() {
		l, err := s.Claim(ctx, time.Hour)
		claimed <- claim{l, err}
	}()
	for end := time.Now().Add(harness.Timeout); len(claimed) == 0; time.Sleep(time.Millisecond) {
		if number(t, url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it neither claims nor waits")
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if c := <-claimed; c.error != nil || c.Site.Subject != "bob" {
		t.Errorf("claimed %s of %s, %v", c.Site.BaseURL, c.Site.Subject, c.error)
	}
}

// Text that moves from one column to its neighbour is a change.
func moved(t *testing.T, url string) {
	s := open(t, url)
	pages := make([]llmstxt.Page, 4)
	texts := func(i int) []*string {
		p := &pages[i]
		return []*string{&p.URL, &p.Title, &p.Excerpt, &p.ETag, &p.LastModified}[i : i+2]
	}
	for i := range pages {
		*texts(i)[0], *texts(i)[1] = "ab", "c"
	}
	site := enrolled(t, s, pages...)
	for i := range pages {
		*texts(i)[0], *texts(i)[1] = "a", "bc"
	}
	recrawled(t, s, "", pages)
	got, err := s.Pages(context.Background(), site.ID)
	if err != nil || len(got) != len(pages) {
		t.Fatalf("%d pages, %v", len(got), err)
	}
	for i, p := range got {
		want := pages[i]
		if p.URL != want.URL || p.Title != want.Title || p.Excerpt != want.Excerpt || p.ETag != want.ETag || p.LastModified != want.LastModified {
			t.Errorf("page %d is\n%+v, want\n%+v", i, p, want)
		}
	}
}
