package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// hang has whoever opens a file wait, as on a network disk that does not answer, until
// the returned function is called or, by a lease of Linux's, 45 seconds have passed.
func hang(t *testing.T, name string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_WRLCK); errno != 0 {
		t.Fatalf("a lease of %s: %v", name, errno)
	}
	return func() { f.Close() }
}

// TestServe_FileHangs_ReloadAndProcessEnd has a keys file and a secret's file that give
// no answer leave what was there, count again when they answer, and not keep the process.
func TestServe_FileHangs_ReloadAndProcessEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, secret := filepath.Join(dir, "keys.json"), filepath.Join(dir, "agent-secret")
	sum := sha256.Sum256([]byte("the-key-of-somebody-1"))
	record := fmt.Sprintf(`[{"name": "a", "key_sha256": %q}]`, hex.EncodeToString(sum[:]))
	for name, text := range map[string]string{keys: record, secret: "the-secret-of-all-agents"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--keys-file", keys)
	cmd.Env = append(cmd.Env, "FARWIRE_AGENT_SECRET_FILE="+secret)
	g := harness.StartGateway(t, cmd)
	reloads := 0
	reload := func() (refused string) {
		t.Helper()
		reloads++
		g.Signal(syscall.SIGHUP)
		return g.Await(g.Stderr, fmt.Sprintf(`(?s)^(?:.*?reload ended" refused=(\d)\n){%d}`, reloads))[1]
	}

	answer, answerToo := hang(t, keys), hang(t, secret)
	for range 2 { // the second time the first reads have not ended
		if refused := reload(); refused != "2" {
			t.Errorf("%s refused, want 2, and said\n%s", refused, g.Stderr)
		}
	}
	for _, flag := range []string{"--keys-file: " + keys + ":", "--agent-secret: the file of FARWIRE_AGENT_SECRET_FILE"} {
		if !strings.Contains(g.Stderr.String(), flag+" cannot be read: no answer within 2s") {
			t.Errorf("no line says that %s does not answer:\n%s", flag, g.Stderr)
		}
	}
	answer()
	answerToo()
	// The late reads end now, which nobody sees but by asking again.
	for refused := ""; refused != "0"; {
		refused = reload()
	}

	hang(t, keys)
	g.Signal(syscall.SIGHUP)
	g.Signal(harness.Terminate)
	if status := g.Status(); status != statusOK {
		t.Errorf("status %d", status)
	}
}

// TestPrograms_SecretInAPipe_ReadOnce has a pipe that is written once be enough for the
// start, and no pipe keep a process.
func TestPrograms_SecretInAPipe_ReadOnce(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "serve", "--listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "FARWIRE_AGENT_SECRET_FILE="+pipe)
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte("the-secret-of-all-agents\n"), 0) }()
	g := harness.StartGateway(t, cmd)
	if err := <-written; err != nil {
		t.Fatal(err)
	}

	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the-secret-of-all-agents"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = program(t, "agent", "--gateway", g.HTTP(""), "--slug", "de1", "--country", "DE")
	cmd.Env = append(cmd.Env, "FARWIRE_SECRET_FILE="+secret)
	a := harness.Start(t, cmd)
	a.Await(a.Stderr, "msg=attached")
	if err := os.Rename(pipe, secret); err != nil {
		t.Fatal(err)
	}
	a.Signal(syscall.SIGHUP)
	a.Await(a.Stderr, `FARWIRE_SECRET_FILE cannot be read: it is a pipe.*\n.*reload ended" refused=1`)
	for _, p := range []*harness.TestProcess{a, g.TestProcess} {
		p.Signal(harness.Terminate)
		if status := p.Status(); status != statusOK {
			t.Errorf("status %d, and said\n%s", status, p.Stderr)
		}
	}
}

// TestSecretFiles_SlowAtTheStart_AreReadAgain has each kind of secret in a file that answers
// late at the start be read again all the same.
func TestSecretFiles_SlowAtTheStart_AreReadAgain(t *testing.T) {
	const first, second = "the-first-secret-of-all", "the-second-secret-of-all"
	name := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for flag, reader := range map[string]func() func() (string, error){
		"api-keys": func() func() (string, error) {
			read := listReader("api-keys", list{first})
			return func() (string, error) { keys, err := read(); return strings.Join(keys, ","), err }
		},
		"secret": func() func() (string, error) { return (&agentCommand{Secret: first}).reader() },
		"admin-key": func() func() (string, error) {
			a := &admin{guard: adminGuard{key: new(atomic.Pointer[string])}}
			a.guard.key.Store(new(first))
			read := a.reloadKey(first, new(identity))
			return func() (string, error) { err := read(); return *a.guard.key.Load(), err }
		},
	} {
		write(first)
		t.Setenv(variable(flag)+fileSuffix, name)
		time.AfterFunc(rereadPatience*5/4, hang(t, name))
		read := reader()
		if read == nil {
			t.Fatalf("%s: nobody reads the file again", flag)
		}
		write(second)
		if got, err := read(); got != second || err != nil {
			t.Errorf("%s: %q, %v; want %q", flag, got, err, second)
		}
	}
}
