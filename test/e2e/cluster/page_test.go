package cluster_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// A page is a document whose commands and files are run by this test. Each is
// a block below a comment that names it.
type page struct {
	t      *testing.T
	blocks map[string]string
	read   map[string]bool
}

var block = regexp.MustCompile("(?ms)^<!-- ([^\n]+) -->\n\n```\\w+\n(.*?)^```$")

func readPage(t *testing.T) *page {
	t.Helper()
	text, err := os.ReadFile("../../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t, make(map[string]string), make(map[string]bool)}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		p.blocks[m[1]] = m[2]
	}
	t.Cleanup(func() {
		for name := range p.blocks {
			if !p.read[name] && !t.Failed() {
				t.Errorf("the page has a block %q that nobody runs", name)
			}
		}
	})
	return p
}

// block returns a block with words of the page replaced by those of the test,
// given in pairs. Each must be there.
func (p *page) block(name string, words ...string) string {
	p.t.Helper()
	text, ok := p.blocks[name]
	if !ok {
		p.t.Fatalf("the page has no block %q", name)
	}
	p.read[name] = true
	for i := 0; i < len(words); i += 2 {
		if !strings.Contains(text, words[i]) {
			p.t.Fatalf("block %q does not say %q:\n%s", name, words[i], text)
		}
		text = strings.ReplaceAll(text, words[i], words[i+1])
	}
	return text
}

// command returns a command line of the page as a command, with further
// arguments of the test's. It must be one of farwire's.
func (p *page) command(name string, words []string, more ...string) *exec.Cmd {
	p.t.Helper()
	fields := strings.Fields(p.block(name, words...))
	if len(fields) < 2 || fields[0] != "farwire" {
		p.t.Fatalf("block %q is no command of farwire's: %q", name, fields)
	}
	return harness.Farwire(p.t, append(fields[1:], more...)...)
}

// variables returns an environment file of the page as variables. Those that
// are given replace what the page says, all that are secrets or addresses.
func (p *page) variables(name string, values map[string]string) []string {
	p.t.Helper()
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(p.block(name)), "\n") {
		key, value, ok := strings.Cut(line, "=")
		replaced, given := values[key]
		switch {
		case !ok:
			p.t.Fatalf("%q is no variable", line)
		case given:
			value = replaced
			delete(values, key)
		case strings.Contains(value, "SECRET"), strings.Contains(value, "example.com"), strings.Contains(value, "10.0.0."):
			p.t.Fatalf("%s is not for this machine", line)
		}
		all = append(all, key+"="+value)
	}
	if len(values) > 0 {
		p.t.Fatalf("the page does not set %v", values)
	}
	return all
}

// script runs a block as a shell does, and returns what it writes.
func (p *page) script(name string, env []string, words ...string) string {
	p.t.Helper()
	cmd := exec.Command("sh", "-eu", "-c", p.block(name, words...))
	cmd.Env = append(harness.Environ(), env...)
	var aside bytes.Buffer
	cmd.Stderr = &aside
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s%s", name, err, out, &aside)
	}
	return string(out)
}
