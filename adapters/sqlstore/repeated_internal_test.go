package sqlstore

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// A read that is made once more, because another program had the database in the middle of
// it, returns each row once.
func TestStore_ReadRepeated_RowsComeOnce(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "sites.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, base := range []string{"https://a.example/", "https://b.example/"} {
		l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: base}, -1, time.Hour)
		for range 2 {
			if err == nil {
				err = s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site, Pages: []llmstxt.Page{{URL: "1"}, {URL: "2"}}})
			}
			if err == nil {
				l, err = s.Claim(ctx, time.Hour)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	execute := func(query string) {
		t.Helper()
		if _, err := s.db.ExecContext(ctx, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	for name, c := range map[string]struct {
		spoil, mend string // the last row that is read
		read        func(context.Context) (int, error)
	}{
		"Pages": {
			"UPDATE farwire_pages SET links = 'spoilt' WHERE pos = 1", "UPDATE farwire_pages SET links = '[]' WHERE pos = 1",
			func(ctx context.Context) (int, error) { list, err := s.Pages(ctx, 1); return len(list), err },
		},
		"Sites": {
			"UPDATE farwire_sites SET created = 'spoilt ' || created WHERE id = 2", "UPDATE farwire_sites SET created = replace(created, 'spoilt ', '')",
			func(ctx context.Context) (int, error) { list, err := s.Sites(ctx, "alice"); return len(list), err },
		},
		"Log": {
			"UPDATE farwire_recrawls SET due = 'spoilt ' || due WHERE token = (SELECT min(token) FROM farwire_recrawls WHERE site_id = 1)",
			"UPDATE farwire_recrawls SET due = replace(due, 'spoilt ', '')",
			func(ctx context.Context) (int, error) { list, err := s.Log(ctx, 1, 10); return len(list), err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			execute(c.spoil)
			again := 0
			flavor := *sqliteFlavor
			flavor.busy = func(error) bool { // as if the row could not be read for a moment
				again++
				execute(c.mend)
				return true
			}
			s.flavor = &flavor
			if n, err := c.read(ctx); err != nil || n != 2 || again != 1 {
				t.Errorf("%d rows, %v; read %d times more", n, err, again)
			}
		})
	}
}
