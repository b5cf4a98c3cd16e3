package recrawl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/recrawltest"
)

// TestRecrawl_GatewaysKilled_EachDueTimeOnce has fifty sites, and every two seconds a gateway that
// dies or sleeps in the midst of a crawl; halfway the database is away. How late
// the sites are is judged by the soak. On a busy machine a gateway may start, and renew
// its leases, too late for these clocks, so that sites rest and nothing happens between
// two faults: then all are four times as slow.
func TestRecrawl_GatewaysKilled_EachDueTimeOnce(t *testing.T) {
	for _, slower := range []time.Duration{1, 4} {
		if gatewaysKilled(t, slower) {
			return
		}
	}
	t.Error("too little happened")
}

// gatewaysKilled reports whether enough happened.
func gatewaysKilled(t *testing.T, slower time.Duration) bool {
	t.Helper()
	db := harness.Postgres(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := recrawltest.Options{
		Database: db.URL, Folder: t.TempDir(), Program: program,
		Gateways: 4, Sites: 50, Interval: slower * 5 * time.Second, Lease: slower * time.Second, Poll: slower * time.Second / 4,
		For: slower * 20 * time.Second, KillEvery: slower * 2 * time.Second, Least: 6, Frozen: slower * 3 * time.Second,
		Outage: func() time.Duration {
			began := time.Now()
			db.Stop()
			time.Sleep(slower * 3 * time.Second) // how long it is away
			db.Start()
			return time.Since(began)
		},
	}
	r, err := recrawltest.Run(t.Context(), o)
	t.Logf("\n%v", r)
	if err != nil {
		t.Fatal(err)
	}
	// Editions are of random sites, and a busy machine finds several of a site as one.
	return r.Slots >= 2*o.Sites && r.Changed >= o.Sites/2 && r.Killed >= 3 && r.Stopped >= 3 && r.Reads >= o.Sites && r.Disturbed >= 3 && r.Lost > 0
}

// savingVariable is set in the environment of a process that saves two files
// in turn for ever; it holds the folder.
const savingVariable = "RECRAWL_TEST_SAVING"

// edition is one of the two files, too large to be written at one go.
func edition(n byte) []byte { return bytes.Repeat([]byte{'a' + n}, 4<<20) }

func saving(dir string) error {
	files, err := farwire.NewFolderStorage(dir, "https://files.test/")
	if err != nil {
		return err
	}
	defer files.Close()
	fmt.Fprintln(os.Stderr, "saving")
	for n := uint64(0); ; n++ {
		if _, err := files.Save(context.Background(), farwire.File{Name: "llms/file.txt", Body: edition(byte(n % 2)), Version: uint64(time.Now().UnixNano())}); err != nil {
			return err
		}
	}
}

// A process is killed during a write, again and again: a reader sees one file or
// the other.
func TestRecrawl_KilledWhileSaving_FileStaysWhole(t *testing.T) {
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "llms", "file.txt")
	a, b := edition(0), edition(1)
	reads, torn, halves := 0, 0, 0
	var last time.Time
	look := func() {
		got, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && reads == 0 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		reads++
		if !bytes.Equal(got, a) && !bytes.Equal(got, b) {
			torn++
		}
	}
	temp := filepath.Join(dir, "llms", ".file.txt.new")
	writing := func() bool {
		left, err := os.Stat(temp)
		return err == nil && left.ModTime().After(last)
	}
	kills := 0
	for ; kills < 20 || halves == 0 && kills < 200; kills++ {
		cmd := exec.Command(program)
		cmd.Env = harness.Environ(savingVariable + "=" + dir)
		p, err := harness.Launch(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Await(t.Context(), p.Stderr, regexp.MustCompile("saving")); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(rand.N(200 * time.Millisecond)); time.Now().Before(until); {
			look()
		}
		// A write takes so little of the time that it has to be waited for.
		for until := time.Now().Add(time.Second); !writing() && time.Now().Before(until); {
		}
		p.Kill()
		look()
		if err := p.Crashed(); err != nil {
			t.Error(err)
		}
		// What was being written is left behind, until the next one writes it.
		if writing() {
			halves++
			if left, err := os.Stat(temp); err == nil {
				last = left.ModTime()
			}
		}
	}
	t.Logf("%d reads; %d of %d kills came in the midst of a write", reads, halves, kills)
	if torn > 0 {
		t.Errorf("%d of %d reads saw neither file", torn, reads)
	}
	if halves == 0 {
		t.Error("no kill came in the midst of a write: nothing was tried")
	}
	// The next one finds no obstacle in what was left behind.
	files, err := farwire.NewFolderStorage(dir, "https://files.test/")
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if _, err := files.Save(t.Context(), farwire.File{Name: "llms/file.txt", Body: []byte("new"), Version: 1 << 63}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("afterwards: %d bytes, %v", len(got), err)
	}
}
