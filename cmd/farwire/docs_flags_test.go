package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var (
	documented = regexp.MustCompile(`(?:^|[^-\w])--([a-z][a-z-]*[a-z])\b`)
	commandRun = regexp.MustCompile(`\bfarwire (serve|agent|relay|crawl|agents|sessions|keygen|check|work|health|version)\b([^|<>;&\n` + "`" + `]*)`)
	lineGoesOn = regexp.MustCompile(`\\\n\s*`)
)

// ofOthers are flags of other programs that the docs run.
var ofOthers = map[string]string{
	"speed-limit": "curl", "speed-time": "curl", "cached": "git", "quiet": "git", "now": "systemctl", "system": "groupadd",
	"build-arg": "docker", "no-healthcheck": "docker", "stop-timeout": "docker", "platform": "docker", "security-opt": "docker", "from-file": "kubectl", "dry-run": "kubectl",
	"proxy-server": "chromium",
}

// A flag that a page names exists, where a command is shown it is that command's, and each
// flag of each command is on a page.
func TestDocs_FlagsOfEveryCommand_AreThoseOfTheProgram(t *testing.T) {
	var cli commands
	app, err := kong.New(&cli)
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]map[string]bool{}
	missing := map[string]string{}
	for _, c := range commandsOf(app.Model) {
		flags[c.name] = map[string]bool{}
		for _, f := range c.flags {
			names := []string{f.Name}
			if f.Tag != nil && f.Tag.Negatable != "" {
				names = append(names, "no-"+f.Name)
			}
			for _, name := range names {
				flags[c.name][name] = true
			}
			missing[f.Name] = c.name
		}
	}
	known := func(name string) bool {
		for _, of := range flags {
			if of[name] {
				return true
			}
		}
		return ofOthers[name] != ""
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range append(pages, "../../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := lineGoesOn.ReplaceAllString(string(b), " ")
		for _, m := range documented.FindAllStringSubmatch(text, -1) {
			delete(missing, m[1])
			if !known(m[1]) {
				t.Errorf("%s: no command has --%s", filepath.Base(page), m[1])
			}
		}
		for _, run := range commandRun.FindAllStringSubmatch(text, -1) {
			for _, m := range documented.FindAllStringSubmatch(run[2], -1) {
				if !flags[run[1]][m[1]] {
					t.Errorf("%s: farwire %s has no --%s: %s", filepath.Base(page), run[1], m[1], strings.TrimSpace(run[0]))
				}
			}
		}
	}
	for name, command := range missing {
		t.Errorf("no page names --%s of farwire %s", name, command)
	}
}
