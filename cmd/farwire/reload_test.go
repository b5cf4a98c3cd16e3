package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

func TestServe_DrainDelay_EndsAndDrains(t *testing.T) {
	const delay = 300 * time.Millisecond
	g := harness.StartGateway(t, program(t, "serve", "--listen", "127.0.0.1:0", "--drain-delay", delay.String()))
	begun := time.Now()
	g.Signal(harness.Terminate)
	status := g.Status()
	if took := time.Since(begun); took < delay {
		t.Errorf("drained after %v, want no sooner than %v", took, delay)
	}
	if said := g.Stderr.String(); status != statusOK || !strings.Contains(said, "msg=drained") {
		t.Errorf("status %d, and said\n%s", status, said)
	}
}

// TestServe_AgentsFileReadAgain_RecordsCount has a broken file change nothing, and one
// without an agent's record end its link.
func TestServe_AgentsFileReadAgain_RecordsCount(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.json")
	record := func(slug string) string {
		sum := sha256.Sum256([]byte("the-token-of-the-agent-" + slug))
		return fmt.Sprintf(`{"slug": %q, "country": "DE", "token_sha256": %q}`, slug, hex.EncodeToString(sum[:]))
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[" + record("stays") + "," + record("goes") + "]")
	g := harness.StartGateway(t, program(t, "serve", "--listen", "127.0.0.1:0", "--local-agent", "none", "--rate", "1000", "--agents-file", file))
	for _, slug := range []string{"stays", "goes"} {
		p := harness.Start(t, program(t, "agent", "--gateway", g.HTTP(""), "--secret", "the-token-of-the-agent-"+slug, "--slug", slug, "--country", "DE"))
		p.Await(p.Stderr, "msg=attached")
		g.Await(g.Stderr, `msg="agent attached" agent=farwire-`+slug) // which it says later
	}
	reloads := 0
	reload := func(text string, refused int) {
		t.Helper()
		write(text)
		reloads++
		g.Signal(syscall.SIGHUP)
		g.Await(g.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=%d\n`, reloads, refused))
	}
	attached := func(slug string) bool {
		t.Helper()
		status, body := harness.Get(t, g.HTTP("/network?api_key="+g.Key))
		if status != http.StatusOK {
			t.Fatalf("/network: %d %s", status, body)
		}
		return strings.Contains(body, `"slug":"`+slug+`"`)
	}
	wantAttached := func(slugs ...string) {
		t.Helper()
		for _, slug := range slugs {
			if !attached(slug) {
				t.Errorf("%s is not attached", slug)
			}
		}
	}
	reload("["+record("stays")+",", 1)
	wantAttached("stays", "goes")
	if said := g.Stderr.String(); !strings.Contains(said, "--agents-file: ") || strings.Contains(said, "agent detached") {
		t.Errorf("said of a broken file:\n%s", said)
	}
	reload("["+record("stays")+"]", 0)
	g.Await(g.Stderr, `msg="agent detached" agent=farwire-goes `)
	wantAttached("stays")
	for end := time.Now().Add(harness.Timeout); attached("goes"); time.Sleep(20 * time.Millisecond) { // the line comes a moment before
		if time.Now().After(end) {
			t.Fatal("goes is still attached")
		}
	}
}

// TestServe_HangupDuringDrainDelay_ReadsAgain has SIGHUP count while a gateway still
// serves before it drains.
func TestServe_HangupDuringDrainDelay_ReadsAgain(t *testing.T) {
	t.Parallel()
	g := harness.StartGateway(t, program(t, "serve", "--listen", "127.0.0.1:0", "--drain-delay", "15s"))
	g.Signal(harness.Terminate)
	g.Await(g.Stderr, "msg=\"draining; ")
	g.Signal(syscall.SIGHUP)
	g.Await(g.Stderr, `msg="reload ended" refused=0\n`)
	if status := g.Status(); status != statusOK {
		t.Errorf("status %d", status)
	}
}
