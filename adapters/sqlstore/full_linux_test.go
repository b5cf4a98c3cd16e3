package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
)

// TestSQLite_DiskFull_SaysSoAndRecovers: on a full disk what is stored stays, each error
// says what to do, and with room again the store goes on.
func TestSQLite_DiskFull_SaysSoAndRecovers(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("only root may mount a small disk")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ctx, file, filler := context.Background(), filepath.Join(dir, "sites.db"), filepath.Join(dir, "filler")
	full := func() {
		t.Helper()
		if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("1 MiB on the disk: %v", err)
		}
	}
	roomAgain := func() {
		t.Helper()
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
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
	full()
	openFull("a new database")
	roomAgain()
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
	full()
	_, err = s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://" + strings.Repeat("a", 100_000) + ".example/"}, -1, time.Hour)
	wantRemedy("an enrolment", err)
	if n, err := s.Count(ctx, "alice"); err != nil || n != 1 {
		t.Errorf("on a full disk there are %d sites, %v", n, err)
	}
	roomAgain()
	if _, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: "https://b.example/"}, -1, time.Hour); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	full()
	openFull("a database that is there")
	roomAgain()
	if s, err = sqlstore.Open(ctx, "sqlite:"+file); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx, "alice"); err != nil || n != 2 {
		t.Errorf("opened again there are %d sites, %v", n, err)
	}
}
