package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
)

// With SQLite the clock is this process's, to the microsecond.
func TestSQLite_Times_AreOfThisProcess(t *testing.T) {
	url := databaseFile(t)
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s, err := sqlstore.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		enrolled := time.Now().UTC()
		l, err := s.Enroll(ctx, farwire.Site{Subject: "alice"}, -1, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if !l.Expiry.Equal(enrolled.Add(time.Minute)) || !l.Due.Equal(enrolled) || !l.Site.Created.Equal(enrolled) || l.Token != uint64(enrolled.UnixMicro()) {
			t.Errorf("enrolled at %v: %+v", enrolled, l)
		}
		l.Site.NextCrawl = enrolled.Add(time.Hour)
		if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
			t.Fatal(err)
		}
		// Each step is done at its time, from here on.
		claim := func(at time.Duration, d time.Duration, want error) {
			t.Helper()
			time.Sleep(time.Until(enrolled.Add(at)))
			got, err := s.Claim(ctx, d)
			if !errors.Is(err, want) {
				t.Errorf("claimed after %v: %+v, %v; want %v", at, got, err, want)
			}
			if err == nil {
				l = got
			}
		}
		const moment = time.Microsecond
		claim(time.Hour-moment, time.Minute, farwire.ErrNoSite)
		claim(time.Hour, time.Minute, nil)
		claim(time.Hour+time.Minute-moment, time.Minute, farwire.ErrNoSite)
		if l, err = s.Renew(ctx, l, time.Minute); err != nil || !l.Expiry.Equal(enrolled.Add(time.Hour+2*time.Minute-moment)) {
			t.Errorf("renewed: %+v, %v", l, err)
		}
		stale := l
		claim(time.Hour+time.Minute, time.Minute, farwire.ErrNoSite)
		claim(time.Hour+2*time.Minute-2*moment, time.Minute, farwire.ErrNoSite)
		time.Sleep(moment)
		if err := s.Commit(ctx, stale, farwire.RecrawlResult{Site: stale.Site}); !errors.Is(err, farwire.ErrLeaseLost) {
			t.Errorf("committed as the lease ended: %v", err)
		}
		// The next claim waits for as long as the lease was.
		claim(time.Hour+3*time.Minute-2*moment, time.Minute, farwire.ErrNoSite)
		claim(time.Hour+3*time.Minute-moment, 0, nil)
		claim(time.Hour+3*time.Minute-moment, time.Minute, nil)
		if l.Token != stale.Token+2 || !l.Due.Equal(stale.Due) {
			t.Errorf("claimed %+v after %+v", l, stale)
		}
	})
}
