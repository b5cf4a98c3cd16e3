package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/leak"
)

// workerURL, set in the environment, makes this program one of the workers of
// the test below.
const workerURL = "SQLSTORE_TEST_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(workerURL); url != "" {
		go func() { // the test's end, however it comes, closes the other end
			io.Copy(io.Discard, os.Stdin)
			os.Exit(2)
		}()
		if err := work(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leak.Main(m)
}

const (
	jobs, rounds = 6, 8 // sites, and slots of each a second apart
	workerLease  = 500 * time.Millisecond
)

var firstSlot = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// work crawls, in its fashion, until each site has had its rounds.
func work(url string) error {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, url)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		l, err := s.Claim(ctx, workerLease)
		switch {
		case errors.Is(err, farwire.ErrNoSite):
			time.Sleep(10 * time.Millisecond)
			continue
		case err != nil:
			return err
		case l.Site.BaseURL == "stop":
			if err := s.Release(ctx, l); !errors.Is(err, farwire.ErrLeaseLost) {
				return err
			}
			continue // the lease was over; it can be had again
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		l.Site.NextCrawl = l.Due.Add(time.Second)
		if !l.Site.NextCrawl.Before(firstSlot.Add(rounds * time.Second)) {
			l.Site.NextCrawl = time.Now().Add(24 * time.Hour)
		}
		if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site, Pages: manuals(20)}); err != nil && !errors.Is(err, farwire.ErrLeaseLost) {
			return err
		}
	}
}

// processes has workers killed and stopped all the while; the log says that
// each slot was committed once.
func processes(t *testing.T, url string) {
	ctx := context.Background()
	s := open(t, url)
	for i := range jobs {
		l, err := s.Enroll(ctx, farwire.Site{Subject: "alice", BaseURL: fmt.Sprint(i)}, -1, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		l.Site.NextCrawl = firstSlot
		if err := s.Commit(ctx, l, farwire.RecrawlResult{Site: l.Site}); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, url, "DELETE FROM farwire_recrawls")

	type process struct {
		*exec.Cmd
		said *bytes.Buffer
	}
	start := func() process {
		cmd, said := exec.Command(os.Args[0]), new(bytes.Buffer)
		cmd.Env = append(os.Environ(), workerURL+"="+url)
		cmd.Stderr = said
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if cmd.ProcessState == nil { // the test has failed before it came to this one
				cmd.Process.Kill()
				cmd.Wait()
			}
		})
		return process{cmd, said}
	}
	workers := make([]process, 4)
	for i := range workers {
		workers[i] = start()
	}
	const total = "SELECT count(*) FROM farwire_recrawls"
	end := time.Now().Add(5 * time.Minute)
	for victim := 0; number(t, url, total) < jobs*rounds; victim = (victim + 1) % len(workers) {
		if time.Now().After(end) {
			t.Fatalf("%d slots of %d after five minutes", number(t, url, total), jobs*rounds)
		}
		// A site of which three leases were lost in a row rests until it is asked for.
		sites, err := s.Sites(ctx, "alice")
		if err != nil {
			t.Fatal(err)
		}
		for _, site := range sites {
			if site.Resting {
				if _, err := s.MakeDue(ctx, site.ID, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(100 * time.Millisecond)
		w := workers[victim]
		if victim%2 == 0 && stopSignal != nil {
			w.Process.Signal(stopSignal)
			time.Sleep(workerLease)
			w.Process.Signal(goOnSignal)
			continue
		}
		w.Process.Kill()
		if err := w.Wait(); w.said.Len() > 0 {
			t.Errorf("worker %d: %v, %s", victim, err, w.said)
		}
		workers[victim] = start()
	}
	// The workers that are left find a site that has them leave.
	if _, err := s.Enroll(ctx, farwire.Site{Subject: "stop", BaseURL: "stop"}, -1, 0); err != nil {
		t.Fatal(err)
	}
	for i, w := range workers {
		if err := w.Wait(); err != nil {
			t.Errorf("worker %d: %v, %s", i, err, w.said)
		}
	}
	if n := number(t, url, "SELECT count(*) FROM (SELECT DISTINCT site_id, due FROM farwire_recrawls) AS slots"); n != jobs*rounds {
		t.Errorf("%d slots have been committed, want %d", n, jobs*rounds)
	}
	if n := number(t, url, total); n != jobs*rounds {
		t.Errorf("%d commits of %d slots", n, jobs*rounds)
	}
}
