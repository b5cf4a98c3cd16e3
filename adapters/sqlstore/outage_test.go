package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/llmstxt"
)

// calls are all the methods that go to the database.
func calls(s *sqlstore.Store, l farwire.Lease) map[string]func(context.Context) error {
	site := farwire.Site{Subject: "bob", BaseURL: "https://b.example/"}
	return map[string]func(context.Context) error{
		"Enroll":   func(ctx context.Context) error { _, err := s.Enroll(ctx, site, -1, time.Hour); return err },
		"Enrolled": func(ctx context.Context) error { _, err := s.Enrolled(ctx, site.BaseURL); return err },
		"Count":    func(ctx context.Context) error { _, err := s.Count(ctx, "bob"); return err },
		"MakeDue":  func(ctx context.Context) error { _, err := s.MakeDue(ctx, l.Site.ID, time.Now()); return err },
		"Claim":    func(ctx context.Context) error { _, err := s.Claim(ctx, time.Hour); return err },
		"Renew":    func(ctx context.Context) error { _, err := s.Renew(ctx, l, time.Hour); return err },
		"Release":  func(ctx context.Context) error { return s.Release(ctx, l) },
		"Commit": func(ctx context.Context) error {
			return s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site, Pages: []llmstxt.Page{}})
		},
		"Pages":  func(ctx context.Context) error { _, err := s.Pages(ctx, l.Site.ID); return err },
		"Sites":  func(ctx context.Context) error { _, err := s.Sites(ctx, "bob"); return err },
		"Log":    func(ctx context.Context) error { _, err := s.Log(ctx, l.Site.ID, 1); return err },
		"Remove": func(ctx context.Context) error { return s.Remove(ctx, l.Site.ID) },
	}
}

func TestPostgres_StoppedOrFrozen_StoreGoesOn(t *testing.T) {
	server := harness.Postgres(t)
	for name, test := range map[string]func(*testing.T, *harness.Server){"Stopped": stopped, "Restarts": restarts, "Frozen": frozen} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

// The lease outlives whatever becomes of the server, and the store needs no
// restart.
func stopped(t *testing.T, server *harness.Server) {
	ctx := context.Background()
	s := open(t, emptySchema(t, server))
	l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://a.example/"}, -1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, outage := range map[string]struct{ begin, end func() }{
		"stopped": {server.Stop, server.Start},
		"killed":  {server.Kill, server.Start},
		"restarted": {func() {
			server.Stop()
			server.Start()
			server.Stop()
		}, server.Start},
	} {
		t.Run(name, func(t *testing.T) {
			if l, err = s.Renew(ctx, l, time.Hour); err != nil {
				t.Fatal(err)
			}
			outage.begin()
			for what, call := range calls(s, l) {
				began := time.Now()
				if err := call(ctx); err == nil || errors.Is(err, farwire.ErrLeaseLost) || errors.Is(err, farwire.ErrNoSite) {
					t.Errorf("%s without a server: %v", what, err)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%s without a server took %v", what, took)
				}
			}
			outage.end()
			// Every connection that was open has been cut, and none of that shows.
			for range 5 {
				if l, err = s.Renew(ctx, l, time.Hour); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	l.Site.NextCrawl = time.Now()
	if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
		t.Error(err)
	}
}

// A restart that happens between two calls is not noticed.
func restarts(t *testing.T, server *harness.Server) {
	ctx := context.Background()
	s := open(t, emptySchema(t, server))
	l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://a.example/"}, -1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		server.Stop()
		server.Start()
		if _, err := s.Sites(ctx, "alice"); err != nil {
			t.Error(err)
		}
		server.Kill()
		server.Start()
		if l, err = s.Renew(ctx, l, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
}

func frozen(t *testing.T, server *harness.Server) {
	ctx := context.Background()
	s := open(t, emptySchema(t, server))
	l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://a.example/"}, -1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server.Freeze()
	for what, call := range calls(s, l) {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		began := time.Now()
		err := call(short)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s with a frozen server: %v", what, err)
		}
		if took := time.Since(began); took > harness.Timeout {
			t.Errorf("%s with a frozen server took %v of 50ms", what, took)
		}
	}
	server.Thaw()
	// The server may now carry out what it had been sent before the deadline.
	if n, err := s.Count(ctx, "alice"); err != nil || n > 1 {
		t.Errorf("%d sites, %v", n, err)
	}
	if _, err := s.Enroll(ctx, l.Site, -1, time.Hour); err != nil {
		t.Error(err)
	}
}

// Whoever waits for another program's transaction in SQLite waits as long as
// its context lets it. Readers do not wait.
func TestSQLite_AnotherProcessWrites_Waits(t *testing.T) {
	ctx := context.Background()
	url := databaseFile(t)
	s := open(t, url)
	l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://a.example/"}, -1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, err := plain(t, url).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	reads := map[string]bool{"Enrolled": true, "Count": true, "Pages": true, "Sites": true, "Log": true}
	for what, call := range calls(s, l) {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		if reads[what] {
			cancel()
			short, cancel = context.WithTimeout(ctx, harness.Timeout)
		}
		began := time.Now()
		err := call(short)
		cancel()
		if reads[what] && err != nil || !reads[what] && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s while another program writes: %v", what, err)
		}
		if took := time.Since(began); took > harness.Timeout {
			t.Errorf("%s while another program writes took %v", what, took)
		}
	}
	waited := make(chan error)
	go func() {
		_, err := s.Renew(ctx, l, time.Hour)
		waited <- err
	}()
	select {
	case err := <-waited:
		t.Errorf("did not wait: %v", err)
	case <-time.After(300 * time.Millisecond): // longer than SQLite itself waits
	}
	if _, err := other.ExecContext(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
