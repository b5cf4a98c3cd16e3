package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A command whose output is lost fails and says so: its reader would take nothing for all.
func TestCommands_OutputFindsNoRoom_EndWithStatus1(t *testing.T) {
	site, _ := newSite(t, 2)
	file := filepath.Join(t.TempDir(), "llms.txt")
	if err := os.WriteFile(file, []byte("# A\n\n> B\n\n## Docs\n\n- [A]("+site+"/): A\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := startServe(t)
	for _, args := range [][]string{
		{"--help"}, {"relay", "--help"}, {"help", "serve"}, {"version"}, {"keygen"}, {"completion", "bash"},
		{"check", file, "--allow-private"}, {"check", file, "--allow-private", "--json"}, {"crawl", site, "--allow-private"},
		{"agents", "--gateway", g.HTTP(""), "--key", g.Key}, {"sessions", "--gateway", g.HTTP(""), "--key", g.Key, "--json"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		cmd := program(t, args...)
		cmd.Stdout, cmd.Stderr = full, &said
		err = cmd.Run()
		full.Close()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != statusFailed || !strings.Contains(said.String(), "no space left on device\n") {
			t.Errorf("%q ends with %v and says %q", args, err, said.String())
		}
	}
}

func TestCheck_Folder_IsMisuse(t *testing.T) {
	for _, dir := range []string{t.TempDir(), ".", "/"} {
		status, out, said := runHere(t, []string{"check", dir}, nil)
		if status != statusMisuse || out != "" || !strings.Contains(said, "FILE: "+dir+" is a folder") {
			t.Errorf("check %s: status %d: %s%s", dir, status, out, said)
		}
	}
}
