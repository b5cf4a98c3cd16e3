package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// said runs a command to its end.
func said(t *testing.T, cmd *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestOperator_GatewayRuns_ListsAndEnds looks at a gateway as an operator does.
func TestOperator_GatewayRuns_ListsAndEnds(t *testing.T) {
	t.Parallel()
	status, made, _ := said(t, program(t, "keygen", "alice"))
	key, record, ok := strings.Cut(strings.TrimSpace(made), "\n")
	if status != 0 || !ok {
		t.Fatalf("keygen: %d %q", status, made)
	}
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, []byte("["+record+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := harness.StartGateway(t, program(t, "serve", "--listen", "127.0.0.1:0", "--local-agent", "de1:DE", "--keys-file", keys, "--drain-timeout", "1s"))
	asked := func(key string, args ...string) (int, string, string) {
		cmd := program(t, args...)
		cmd.Env = append(cmd.Env, "FARWIRE_GATEWAY=ws://"+g.Addr, "FARWIRE_KEY="+key)
		return said(t, cmd)
	}
	if status, out, errs := asked(key, "agents"); status != 0 || !strings.Contains(out, "\nfarwire-de1  de1   DE       available  0 ") {
		t.Errorf("agents: %d\n%s%s", status, out, errs)
	}
	relay := program(t, "relay", "--gateway", "http://"+g.Addr, "--key", key, "ws://echo.farwire.alt")
	stdin, err := relay.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	client := harness.Start(t, relay)
	client.Await(client.Stderr, "connected through farwire-de1")

	status, out, errs := asked(key, "sessions")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 2 || strings.Contains(lines[0], "SUBJECT") || !strings.Contains(lines[1], "echo.farwire.alt:80") {
		t.Fatalf("sessions: %d\n%s%s", status, out, errs)
	}
	id := strings.Fields(lines[1])[0]
	var listed struct{ Sessions []struct{ ID, Kind string } }
	if _, out, _ := asked(key, "sessions", "--json"); json.Unmarshal([]byte(out), &listed) != nil || len(listed.Sessions) != 1 || listed.Sessions[0].ID != id {
		t.Errorf("sessions --json: %s", out)
	}
	if status, out, errs := asked(key, "sessions", "end", id); status != 0 || out != "ended\n" {
		t.Errorf("sessions end: %d %s%s", status, out, errs)
	}
	if client.Status(); !strings.Contains(client.Stderr.String(), `1008 "ended by request"`) {
		t.Errorf("the client was told %s", client.Stderr.String())
	}
	// The client hears it before the session is gone. Asked too often, the gateway says so.
	for end := time.Now().Add(harness.Timeout); ; time.Sleep(100 * time.Millisecond) {
		status, out, errs := asked(key, "sessions", "end", id)
		if status == 1 && strings.Contains(errs, "no such session") {
			break
		} else if status != 0 && !strings.Contains(errs, "429 ") || time.Now().After(end) {
			t.Fatalf("of an ended session: %d %s%s", status, out, errs)
		}
	}
	if status, _, errs := asked("nobody's key of any gateway", "agents"); status != 1 || !strings.Contains(errs, "403") || strings.Contains(errs, "nobody's") {
		t.Errorf("with a wrong key: %d %s", status, errs)
	}
	for name, listen := range map[string]string{"as it listens": g.Addr, "on all addresses": ":" + g.Addr[strings.LastIndex(g.Addr, ":")+1:]} {
		cmd := program(t, "health")
		cmd.Env = append(cmd.Env, "FARWIRE_LISTEN="+listen)
		if status, out, errs := said(t, cmd); status != 0 || out+errs != "" {
			t.Errorf("health, %s: %d %s%s", name, status, out, errs)
		}
	}
}

// TestKeygen_TwoRuns_KeysDiffer also holds the record to the key.
func TestKeygen_TwoRuns_KeysDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		_, out, _ := runHere(t, []string{"keygen"}, nil)
		key, record, _ := strings.Cut(strings.TrimSpace(out), "\n")
		sum := sha256.Sum256([]byte(key))
		if want := `{"name":"key-1","key_sha256":"` + hex.EncodeToString(sum[:]) + `"}`; record != want {
			t.Errorf("the record is %s, want %s", record, want)
		}
		seen[key] = true
	}
	if len(seen) != 2 {
		t.Error("the same key twice")
	}
}

// TestHealth_NotReady_Fails has a container's check see what a gateway says
// that does not want requests, and one that is not there.
func TestHealth_NotReady_Fails(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		http.Error(w, "draining\x1b[2J", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	if status, _, errs := said(t, program(t, "health", server.URL+"/base/")); status != 1 || !strings.Contains(errs, "503") || strings.Contains(errs, "\x1b") {
		t.Errorf("draining: %d %q", status, errs)
	}
	if status, _, errs := said(t, program(t, "health", "http://"+harness.FreeAddr(t))); status != 1 || !strings.Contains(errs, "refused") {
		t.Errorf("not there: %d %q", status, errs)
	}
	if status, _, errs := said(t, program(t, "health", "ftp://x")); status != 2 || !strings.Contains(errs, "http://") {
		t.Errorf("not an address: %d %q", status, errs)
	}
}

// TestHelp_AskedOtherwise_IsGiven has people ask as other programs want it.
func TestHelp_AskedOtherwise_IsGiven(t *testing.T) {
	for args, want := range map[string]string{
		"--version": "farwire ", "help": "Usage: farwire <command>", "help sessions": "Usage: farwire sessions", "help serve": "--listen",
	} {
		if status, out, errs := runHere(t, strings.Fields(args), nil); status != 0 || !strings.Contains(out, want) {
			t.Errorf("farwire %s: %d %s%s", args, status, out, errs)
		}
	}
}

// TestOperator_GatewayUnreachable_IsNamed has the operator's commands say where nothing
// answers.
func TestOperator_GatewayUnreachable_IsNamed(t *testing.T) {
	t.Parallel()
	free := harness.FreeAddr(t)
	for _, args := range [][]string{
		{"agents", "--gateway", "http://" + free, "--key", "key-of-nobody-0123456789"},
		{"sessions", "--gateway", "http://" + free, "--key", "key-of-nobody-0123456789"},
		{"health", "http://someone:secret@" + free},
	} {
		status, _, errs := said(t, program(t, args...))
		if status != 1 || !strings.Contains(errs, "cannot reach the gateway at "+free) || !strings.Contains(errs, "refused") || strings.Contains(errs, "secret") {
			t.Errorf("%v: %d %s", args, status, errs)
		}
	}
	// A key with the end of a line is what is wrong then, not the gateway.
	for _, args := range [][]string{{"agents"}, {"sessions", "end", "0123"}, {"relay", "ws://echo.farwire.alt"}} {
		for _, key := range []string{"key-of-nobody-0123456789\r", "key-of-\nnobody-0123456789", "\x7f"} {
			status, out, errs := said(t, program(t, append(args, "--gateway", "http://"+free, "--key", key)...))
			if status != statusMisuse || out != "" || !strings.Contains(errs, "--key: holds a control character") {
				t.Errorf("%v, key %q: %d %q %s", args, key, status, out, errs)
			}
		}
	}
	if status, out, errs := said(t, program(t, "keygen", "")); status != statusMisuse || out != "" || !strings.Contains(errs, "NAME: empty") {
		t.Errorf("keygen of nobody: %d %q %s", status, out, errs)
	}
}
