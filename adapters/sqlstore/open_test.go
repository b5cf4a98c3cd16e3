package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
)

// Programs that start at the same time migrate once.
func openTogether(t *testing.T, url string) {
	const programs = 8
	var wg sync.WaitGroup
	for i := range programs {
		wg.Go(func() {
			s, err := sqlstore.Open(context.Background(), url)
			if err != nil {
				t.Errorf("program %d: %v", i, err)
				return
			}
			defer s.Close()
			if _, err := s.Enroll(context.Background(), farwire.Site{Subject: "alice", BaseURL: fmt.Sprint(i)}, -1, time.Hour); err != nil {
				t.Errorf("program %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n, err := open(t, url).Count(context.Background(), "alice"); err != nil || n != programs {
		t.Errorf("%d sites, %v", n, err)
	}
	if n := number(t, url, "SELECT count(*) FROM farwire_migrations"); n < 1 {
		t.Errorf("%d migrations are noted", n)
	}
}

// What is enrolled through one handle is there for another, and after both.
func openAgain(t *testing.T, url string) {
	ctx := context.Background()
	one, two := open(t, url), open(t, url)
	l, err := one.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/"}, 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Release(ctx, l); err != nil {
		t.Error(err)
	}
	if err := errors.Join(one.Close(), two.Close()); err != nil {
		t.Fatal(err)
	}
	if l, err := open(t, url).Claim(ctx, time.Hour); err != nil || l.Site.BaseURL != "https://docs.example.com/" {
		t.Errorf("claimed %+v, %v", l, err)
	}
}

func openNewer(t *testing.T, url string) {
	open(t, url)
	execute(t, url, "INSERT INTO farwire_migrations (version, name) VALUES (4711, 'from the future')")
	s, err := sqlstore.Open(context.Background(), url)
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "4711") || !strings.Contains(err.Error(), "run that version") {
		t.Errorf("opened: %v", err)
	}
}

// A database as programs without goose have left it, with rows in it.
func openOlder(t *testing.T, url string) {
	kind := "sqlite"
	if strings.HasPrefix(url, "postgres") {
		kind = "postgres"
	}
	schema, err := os.ReadFile(filepath.Join("testdata", "older", kind+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	execute(t, url, string(schema))
	ctx := context.Background()
	for range 2 {
		s := open(t, url)
		list, err := s.Enrolled(ctx, "https://docs.example.com/")
		if err != nil || len(list) != 2 {
			t.Fatalf("enrolled %+v, %v", list, err)
		}
		want := farwire.Site{
			ID: 1, Subject: "alice", BaseURL: "https://docs.example.com/", Interval: time.Hour, WebhookSecret: "hush",
			Options: farwire.SiteOptions{MaxPages: 7, DescLength: 300, Format: "index"}, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			NextCrawl: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Hash: "ab", Version: 6, HostedURL: "https://files.example.com/a.txt",
		}
		if list[0] != want {
			t.Errorf("enrolled\n%+v, want\n%+v", list[0], want)
		}
		if bob := list[1]; bob.Subject != "bob" || bob.Failures != 3 || bob.LastError == "" || bob.Resting {
			t.Errorf("enrolled %+v, whose worker died", bob)
		}
		if log, err := s.Log(ctx, 1, 10); err != nil || len(log) != 1 || log[0].Token != 6 {
			t.Errorf("its log is %+v, %v", log, err)
		}
	}
	s := open(t, url)
	l, err := s.Claim(ctx, time.Hour)
	if err != nil || l.Token != 7 {
		t.Fatalf("claimed %+v, %v", l, err)
	}
	if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
		t.Error(err)
	}
	if l, err := s.Claim(ctx, time.Hour); err != nil || l.Site.Subject != "bob" || l.Site.Failures != 3 {
		t.Errorf("claimed %+v, %v", l, err)
	}
}

// No error holds the password, whatever is wrong with the URL.
func TestOpen_Fails_ErrorHoldsNoPassword(t *testing.T) {
	server := harness.Postgres(t)
	const secret = "hunter2/@x"
	right, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*url.URL)) string {
		u := *right
		u.User = url.UserPassword("farwire", secret)
		change(&u)
		return u.String()
	}
	for name, raw := range map[string]string{
		"wrong":          with(func(u *url.URL) {}),
		"no such user":   with(func(u *url.URL) { u.User = url.UserPassword("nobody", secret) }),
		"nobody listens": with(func(u *url.URL) { u.Host = "127.0.0.1:1" }),
		"no such host":   with(func(u *url.URL) { u.Host = "db.invalid:5432" }),
		"in the query": with(func(u *url.URL) {
			u.User, u.RawQuery = nil, "user=farwire&sslmode=disable&password="+url.QueryEscape(secret)
		}),
		"sslmode": with(func(u *url.URL) { u.RawQuery = "sslmode=" + url.QueryEscape(secret) }),
		"port":    with(func(u *url.URL) { u.Host = "127.0.0.1:99999" }),
		"certificate": with(func(u *url.URL) {
			u.RawQuery = "sslmode=verify-full&sslrootcert=/nonexistent/" + url.QueryEscape(secret)
		}),
		"pool":            with(func(u *url.URL) { u.RawQuery += "&pool_max_conns=" + url.QueryEscape(secret) }),
		"no pool":         with(func(u *url.URL) { u.RawQuery += "&pool_max_conns=0" }),
		"not escaped":     "postgres://farwire:" + secret + "@127.0.0.1/postgres",
		"bad escape":      "postgres://farwire:hunter2%zz@127.0.0.1/postgres",
		"control":         "postgres://farwire:hunter2\x7f@127.0.0.1/postgres",
		"no scheme":       "farwire:hunter2@127.0.0.1/postgres",
		"another":         "mysql://farwire:hunter2@127.0.0.1/postgres",
		"keywords":        "host=127.0.0.1 password=hunter2",
		"nothing":         "",
		"SQLite, nothing": "sqlite:",
		"SQLite, memory":  "sqlite::memory:",
	} {
		s, err := sqlstore.Open(context.Background(), raw)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, "%2F%40x") || !strings.HasPrefix(text, "sqlstore: ") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestSQLite_AnyFileName_IsOpenedForTheOwnerAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new folder", "a b?c=d%41#é&_pragma=x.db")
	s := open(t, "sqlite:"+name)
	if _, err := s.Enroll(context.Background(), farwire.Site{Subject: "alice", WebhookSecret: "hush"}, -1, time.Hour); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(file, name) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, info.Mode())
		}
	}
	if n, err := open(t, "sqlite://"+name).Count(context.Background(), "alice"); err != nil || n != 1 {
		t.Errorf("%d sites, %v", n, err)
	}
	if _, err := sqlstore.Open(context.Background(), "sqlite:"+filepath.Dir(name)); err == nil {
		t.Error("opened a folder")
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Open(context.Background(), "sqlite:"+text); err == nil || !strings.Contains(err.Error(), "restore the file") {
		t.Errorf("opened a text: %v", err)
	}
}

// What the URL says of a session on PostgreSQL holds in place of the store's own, and a pool
// has at least one connection.
func urlOptions(t *testing.T, url string) {
	for more, name := range map[string]string{"": "farwire", "&application_name=mine": "mine", "&application_name=one&pool_max_conns=1": "one"} {
		open(t, url+more)
		if n := number(t, url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = '"+name+"'"); n == 0 {
			t.Errorf("%q: no session is called %s", more, name)
		}
	}
	for _, conns := range []string{"0", "-1", "many"} {
		s, err := sqlstore.Open(t.Context(), url+"&pool_max_conns="+conns)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "pool_max_conns is not a number above 0") {
			t.Errorf("%s connections: %v", conns, err)
		}
	}
}
