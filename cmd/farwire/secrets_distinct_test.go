package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// A secret with any two purposes is refused: whoever was given it for one of them could use it
// for the other.
func TestServe_SecretOfTwoPurposes_IsRefused(t *testing.T) {
	const secret = "a-secret-of-32-bytes-and-a-few-more"
	sum := sha256.Sum256([]byte(secret))
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `[{"name": "a", "key_sha256": %q}]`, hex.EncodeToString(sum[:])), 0o600); err != nil {
		t.Fatal(err)
	}
	agents := filepath.Join(t.TempDir(), "agents.json")
	if err := os.WriteFile(agents, fmt.Appendf(nil, `[{"slug": "at1", "country": "AT", "token_sha256": %q}]`, hex.EncodeToString(sum[:])), 0o600); err != nil {
		t.Fatal(err)
	}
	purposes := map[string]string{"--agents-file": agents, "--api-keys": "a=" + secret, "--keys-file": file, "--token-secret": secret, "--agent-secret": secret, "--admin-key": secret}
	names := slices.Sorted(maps.Keys(purposes))
	for i, one := range names {
		for _, other := range names[i+1:] {
			if one == "--api-keys" && other == "--keys-file" {
				continue // one purpose
			}
			status, _, said := runHere(t, []string{"serve", "--listen", "127.0.0.1:0", one, purposes[one], other, purposes[other]},
				[]string{"FARWIRE_DATA_DIR=" + t.TempDir(), "FARWIRE_BROWSER=none"})
			if status != statusMisuse || !strings.Contains(said, "; give another one") || !strings.Contains(said, "it is also ") || strings.Contains(said, secret) {
				t.Errorf("%s and %s: status %d, %q", one, other, status, said)
			}
		}
	}
}

// The same holds for what is read again, in either direction.
func TestServe_SecretReadAgainWithOtherPurpose_IsRefused(t *testing.T) {
	const admin, admin2, agents, token = "admin-key-0123456789", "admin-key-of-later-on", "agent-secret-0123456789", "agent-token-0123456789"
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeRecord := func(token string) {
		t.Helper()
		write("records", fmt.Sprintf(`[{"slug": "at1", "country": "AT", "token_sha256": "%x"}]`, sha256.Sum256([]byte(token))))
	}
	write("keys", "alice="+aliceKey)
	writeRecord(token)
	write("agents", agents)
	write("admin", admin)
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--agents-file", in("records"))
	cmd.Env = append(cmd.Env, "FARWIRE_API_KEYS_FILE="+in("keys"), "FARWIRE_AGENT_SECRET_FILE="+in("agents"), "FARWIRE_ADMIN_KEY_FILE="+in("admin"))
	g := harness.Start(t, cmd)
	address := g.Await(g.Stderr, `(http://127\.0\.0\.1:\d+)/metrics`)[1]
	reloads := 0
	reload := func(refused int, of string) {
		t.Helper()
		reloads++
		g.Signal(syscall.SIGHUP)
		g.Await(g.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=%d\n`, reloads, refused))
		if of != "" {
			g.Await(g.Stderr, `(?m)^.*the previous value stays in use.*`+of+`.*$`)
		}
	}
	wantOpens := func(key string, want int) {
		t.Helper()
		r, err := http.NewRequest("GET", address+"/sessions", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-Key", key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", key, resp.StatusCode, want)
		}
	}
	write("admin", aliceKey)
	reload(1, "--admin-key: it is also an API key")
	wantOpens(aliceKey, 403)
	write("admin", agents)
	reload(1, "--admin-key: it is also --agent-secret")
	write("admin", token)
	reload(1, "--admin-key: it is also a token of --agents-file")
	write("admin", admin2)
	reload(0, "")
	wantOpens(admin2, 200)
	wantOpens(admin, 403)
	write("keys", "alice="+aliceKey+",bob="+admin2)
	reload(1, "--api-keys, --keys-file: a key is also .*--admin-key")
	write("keys", "alice="+aliceKey+",bob="+admin)
	reload(0, "")
	write("agents", admin2)
	reload(1, "--admin-key: it is also --agent-secret")
	write("agents", token)
	reload(1, "--agent-secret: it is also a token of --agents-file")
	write("agents", agents)
	for secret, of := range map[string]string{aliceKey: "--agents-file: a token in it is also an API key", admin2: "--admin-key: it is also a token of --agents-file",
		agents: "--agent-secret: it is also a token of --agents-file"} {
		writeRecord(secret)
		reload(1, of)
	}
	writeRecord(token)
	write("keys", "alice="+aliceKey+",bob="+token)
	reload(1, "--api-keys, --keys-file: a key is also .* a token of --agents-file")
	write("keys", "alice="+aliceKey)
	reload(0, "")
	g.Signal(harness.Terminate)
	if status := g.Status(); status != statusOK {
		t.Errorf("status %d", status)
	}
}

// The program has no callers for whom an origin would count, and says so.
func TestServe_Origins_AreIgnoredWithOneLine(t *testing.T) {
	g := harness.StartGateway(t, program(t, "serve", "--listen", "127.0.0.1:0", "--origins", "https://app.example.com"))
	if said := g.Stderr.String(); strings.Count(said, "--origins is ignored") != 1 {
		t.Errorf("said\n%s", said)
	}
	for _, origin := range []string{"https://app.example.com", "https://other.example.com"} {
		for key, want := range map[string]int{g.Key: 200, "": 401} {
			r, err := http.NewRequest("GET", g.HTTP("/usage"), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", origin)
			if key != "" {
				r.Header.Set("X-API-Key", key)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("from %s, with a key: %t: %d, want %d; %v", origin, key != "", resp.StatusCode, want, resp.Header)
			}
		}
	}
}
