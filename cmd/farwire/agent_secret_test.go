package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// An agent whose secret came from a file reads it before each attach.
func TestAgentSecret_FileChanges_IsReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the first secret of all\n\t ")
	t.Setenv("FARWIRE_SECRET_FILE", file)
	read := (&agentCommand{Secret: "the first secret of all"}).reader()
	if read == nil {
		t.Fatal("nobody reads the file again")
	}
	write("the second secret\r\n")
	if got, err := read(); err != nil || got != "the second secret" {
		t.Errorf("%q, %v", got, err)
	}
	write(" \n")
	if got, err := read(); err == nil {
		t.Errorf("an empty file is the secret %q", got)
	}
	write("fifteen bytes..")
	if got, err := read(); err == nil {
		t.Errorf("%q, which no gateway takes, is the secret", got)
	}
	write("the first secret of all")
	if (&agentCommand{Secret: "given by the flag"}).reader() != nil {
		t.Error("the flag's value is replaced by the file's")
	}
}

// SIGHUP does not end an agent, and its log says whether the file of the secret can be
// read.
func TestAgent_SIGHUP_ChecksItsSecret(t *testing.T) {
	t.Parallel()
	const secret = "secret-of-the-agents-0123"
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret)
	g := startServe(t, "--agent-secret", secret)
	for slug, c := range map[string]struct {
		args    []string
		env     string
		refused string
	}{
		"file": {nil, "FARWIRE_SECRET_FILE=" + file, "1"},
		"flag": {[]string{"--secret", secret}, "FARWIRE_LOG_LEVEL=info", "0"},
	} {
		cmd := program(t, append([]string{"agent", "--gateway", g.HTTP(""), "--slug", slug, "--country", "AT"}, c.args...)...)
		cmd.Env = append(cmd.Env, c.env)
		write(secret)
		p := harness.Start(t, cmd)
		g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug+` `)
		p.Signal(syscall.SIGHUP)
		p.Await(p.Stderr, `msg="reload ended" refused=0\n`)
		write("")
		p.Signal(syscall.SIGHUP)
		p.Await(p.Stderr, `(?s)reload ended.*reload ended" refused=`+c.refused+`\n`)
		p.Signal(harness.Terminate)
		if status := p.Status(); status != statusOK {
			t.Errorf("%s: ended with status %d: %s", slug, status, p.Stderr)
		}
	}
}
