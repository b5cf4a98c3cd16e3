package sqlstore_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
)

// TestSQLite_DiskFull_SaysSoAndRecovers: on a full disk what is stored stays, each error
// says what to do, and with room again the store goes on.
func TestSQLite_DiskFull_SaysSoAndRecovers(t *testing.T) {
	harness.OnSmallDisk(t, "512k", func(disk harness.SmallDisk) { fillSQLite(t, disk) })
}

func fillSQLite(t *testing.T, disk harness.SmallDisk) {
	ctx, file := context.Background(), filepath.Join(disk.Dir, "sites.db")
	wantRemedy := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "make room on its disk") {
			t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	openFull := func(what string) {
		t.Helper()
		s, err := sqlstore.Open(ctx, "sqlite:"+file)
		if err == nil {
			s.Close()
		}
		wantRemedy(what, err)
	}
	disk.Fill()
	openFull("a new database")
	disk.Free()
	s, err := sqlstore.Open(ctx, "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/"}, -1, time.Hour); err != nil {
		t.Fatal(err)
	}
	disk.Fill()
	_, err = s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://" + strings.Repeat("a", 100_000) + ".example/"}, -1, time.Hour)
	wantRemedy("an enrolment", err)
	if n, err := s.Count(ctx, "alice"); err != nil || n != 1 {
		t.Errorf("on a full disk there are %d sites, %v", n, err)
	}
	disk.Free()
	if _, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://b.example/"}, -1, time.Hour); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	disk.Fill()
	openFull("a database that is there")
	disk.Free()
	if s, err = sqlstore.Open(ctx, "sqlite:"+file); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx, "alice"); err != nil || n != 2 {
		t.Errorf("opened again there are %d sites, %v", n, err)
	}
}
