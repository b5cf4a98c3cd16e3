//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The package's script ends the services when the package is removed, with what dpkg and
// rpm call that, and leaves them alone when it is upgraded or where no systemd runs.
func TestStopScript_RemovalAlone_EndsTheServices(t *testing.T) {
	text, err := os.ReadFile(tree + "/deploy/packages/stop.sh")
	if err != nil {
		t.Fatal(err)
	}
	const runs = "/run/systemd/system"
	if !strings.Contains(string(text), runs) {
		t.Fatalf("the script does not look for %s", runs)
	}
	for argument, removal := range map[string]bool{"remove": true, "0": true, "upgrade": false, "1": false, "failed-upgrade": false, "": false} {
		for _, systemd := range []string{t.TempDir(), "/missing"} {
			bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
			if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte("#!/bin/sh\necho \"$*\" >> "+said+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(string(text), runs, systemd), "stop.sh", argument)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%q: %v: %s", argument, err, out)
			}
			b, err := os.ReadFile(said)
			want := removal && systemd != "/missing"
			if ended := err == nil && string(b) == "disable --now farwire.service farwire-agent.service\n"; ended != want || !want && err == nil {
				t.Errorf("%q with %s: systemctl was told %q", argument, systemd, b)
			}
		}
	}
}
