package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// completionOf writes a shell's script into a folder of its own.
func completionOf(t *testing.T, shell string) (script string) {
	t.Helper()
	status, text, errs := runHere(t, []string{"completion", shell}, nil)
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	script = filepath.Join(t.TempDir(), "_farwire")
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return script
}

func printed(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestCompletion_RealShells_OfferTheCommands asks real shells what they would offer.
func TestCompletion_RealShells_OfferTheCommands(t *testing.T) {
	bash, fish := completionOf(t, "bash"), completionOf(t, "fish")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "agents of mine.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string // what is typed, the last word unfinished
		want []string
		fish bool // ask it, too
	}{
		{"farwire ser", []string{"serve"}, true},
		{"farwire a", []string{"agent", "agents"}, true},
		{"farwire serve --agents-f", []string{"--agents-file"}, true},
		{"farwire serve --allow-private --lis", []string{"--listen"}, true},
		{"farwire relay --ge", []string{"--geo"}, true},
		{"farwire completion z", []string{"zsh"}, true},
		{"farwire serve --agents-file agents", []string{"agents of mine.json"}, true},
		{"farwire serve --log-level d", nil, false}, // a value: nothing of ours
		{"farwire agent --listen", nil, true},       // a flag of another command
	} {
		cmd := exec.Command(harness.Look(t, "bash"), "--norc", "-c", `source "$1"; COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _farwire; printf '%s\n' "${COMPREPLY[@]}"`, "bash", bash, c.line)
		cmd.Dir = dir
		if got := printed(t, cmd); !slices.Equal(got, c.want) && !(c.want == nil && slices.Equal(got, []string{""})) {
			t.Errorf("bash, %s: %q, want %q", c.line, got, c.want)
		}
		if !c.fish {
			continue
		}
		cmd = exec.Command(harness.Look(t, "fish"), "--no-config", "-c", `source $argv[1]; complete -C "$argv[2]"`, fish, c.line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		var got []string
		for _, l := range printed(t, cmd) {
			if word, _, _ := strings.Cut(l, "\t"); word != "" {
				got = append(got, word)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("fish, %s: %q, want %q", c.line, got, c.want)
		}
	}
}

// TestCompletion_Zsh_DescribesWhatItOffers loads the script into a zsh with its completion system, in
// both ways that people do, and looks at what it hands to that system.
func TestCompletion_Zsh_DescribesWhatItOffers(t *testing.T) {
	script := completionOf(t, "zsh")
	zsh := func(code string) []string {
		cmd := exec.Command(harness.Look(t, "zsh"), "-f", "-c", "autoload -Uz compinit; "+code, "zsh", script, filepath.Dir(script))
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		return printed(t, cmd)
	}
	for name, code := range map[string]string{
		"sourced": `compinit -u -D; source $1; print -r -- $_comps[farwire]`,
		"loaded":  `fpath=($2 $fpath); compinit -u -D; print -r -- $_comps[farwire]`,
	} {
		if got := zsh(code); !slices.Equal(got, []string{"_farwire"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	const handed = `compinit -u -D; source $1; _describe() { print -rl -- $commands }; _arguments() { print -rl -- "$@" }; `
	if got := zsh(handed + `words=(farwire ser); CURRENT=2; _farwire`); len(got) != 12 || !strings.HasPrefix(got[0], "serve:") {
		t.Errorf("commands: %q", got)
	}
	got := zsh(handed + `words=(farwire serve --); CURRENT=3; _farwire`)
	if !slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "--agents-file[") && strings.HasSuffix(s, ":FILE:_files")
	}) {
		t.Errorf("flags: %q", got)
	}
}
