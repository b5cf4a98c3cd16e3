package main

import (
	"os"
	"path/filepath"
	"testing"
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
	write("the second\r\n")
	if got, err := read(); err != nil || got != "the second" {
		t.Errorf("%q, %v", got, err)
	}
	write(" \n")
	if got, err := read(); err == nil {
		t.Errorf("an empty file is the secret %q", got)
	}
	write("the first secret of all")
	if (&agentCommand{Secret: "given by the flag"}).reader() != nil {
		t.Error("the flag's value is replaced by the file's")
	}
}
