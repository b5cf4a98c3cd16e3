//go:build unix

package deploy

import (
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

var units = []struct{ name, env string }{
	{"farwire.service", "gateway.env"},
	{"farwire-agent.service", "agent.env"},
}

// systemd reads the units of the page and has nothing to say about them. Its
// exit status would not tell: what it does not know it ignores.
func TestUnits_Systemd_AcceptsThem(t *testing.T) {
	verify := func(text string) string {
		file := filepath.Join(t.TempDir(), "farwire.service")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(harness.Look(t, "systemd-analyze"), "verify", file)
		cmd.Env = harness.Environ("SYSTEMD_LOG_LEVEL=warning")
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	installed := []string{"/usr/bin/farwire", harness.Farwire(t).Path} // it looks for the program
	for _, u := range units {
		text := pageBlock(t, u.name, installed...) + pageBlock(t, "secrets.conf")
		if !strings.Contains(text, "EnvironmentFile=/etc/farwire/"+u.env+"\n") {
			t.Errorf("%s does not read %s", u.name, u.env)
		}
		if said := verify(text); said != "" {
			t.Errorf("%s: %s", u.name, said)
		}
		if said := verify(strings.Replace(text, "Restart=", "Restert=", 1)); !strings.Contains(said, "Restert") {
			t.Errorf("a mistake in %s is not found: %q", u.name, said)
		}
	}
}

// The gateway and the agent of the units find each other, started with the
// units' commands and the variables of their files.
func TestUnits_GatewayAndAgent_Attach(t *testing.T) {
	key, secret := rand.Text(), rand.Text()
	cmd := command(t, 0, map[string]string{
		"FARWIRE_API_KEYS=alice=…":          "FARWIRE_API_KEYS=alice=" + key,
		"FARWIRE_TOKEN_SECRET=…":            "FARWIRE_TOKEN_SECRET=" + rand.Text() + rand.Text(),
		"FARWIRE_AGENT_SECRET=…":            "FARWIRE_AGENT_SECRET=" + secret,
		"FARWIRE_DATA_DIR=/var/lib/farwire": "FARWIRE_DATA_DIR=" + t.TempDir(),
	})
	cmd.Env = append(cmd.Env, "FARWIRE_LISTEN=127.0.0.1:0")
	g := harness.StartGateway(t, cmd)
	harness.Start(t, command(t, 1, map[string]string{
		"FARWIRE_GATEWAY=https://gateway.example.com": "FARWIRE_GATEWAY=" + (&url.URL{Scheme: "http", Host: g.Addr}).String(),
		"FARWIRE_SECRET=…":                            "FARWIRE_SECRET=" + secret,
	}))
	g.Await(g.Stderr, `msg="agent attached" .*slug=at1`)
}

// The page shows the files that the packages have.
func TestUnits_Page_ShowsTheFiles(t *testing.T) {
	names := []string{"browser.conf", "secrets.conf"}
	for _, u := range units {
		names = append(names, u.name, u.env)
	}
	for _, name := range names {
		file, err := os.ReadFile(filepath.Join(repository, "deploy/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		if shown := pageBlock(t, name); shown != string(file) {
			t.Errorf("the page shows another %s:\n%s", name, shown)
		}
	}
}

// systemd finds the units well confined, the one with a browser too. It is asked for a
// tenth of what it prints.
func TestUnits_Exposure_IsBelowThree(t *testing.T) {
	gateway := pageBlock(t, units[0].name)
	for name, text := range map[string]string{
		"gateway": gateway, "agent": pageBlock(t, units[1].name), "gateway with a browser": gateway + pageBlock(t, "browser.conf"),
		"gateway with files of secrets": gateway + pageBlock(t, "secrets.conf"),
	} {
		analyze := func(text string) (string, error) {
			file := filepath.Join(t.TempDir(), "farwire.service")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(harness.Look(t, "systemd-analyze"), "security", "--offline=true", "--no-pager", "--threshold=29", file)
			cmd.Env = harness.Environ()
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		if said, err := analyze(text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		bare, _, _ := strings.Cut(text, "UMask=")
		if said, err := analyze(bare); err == nil {
			t.Errorf("without its confinement %s is judged the same:\n%s", name, said)
		}
	}
}

var directive = regexp.MustCompile(`(?m)^(ExecStart|Environment)=(.*)$`)

// command returns what a unit starts, with lines of its variables replaced.
func command(t *testing.T, unit int, lines map[string]string) *exec.Cmd {
	t.Helper()
	var args, env []string
	for _, m := range directive.FindAllStringSubmatch(pageBlock(t, units[unit].name), -1) {
		if m[1] == "ExecStart" {
			args = strings.Fields(m[2])
		} else {
			env = append(env, m[2])
		}
	}
	if len(args) < 2 || args[0] != "/usr/bin/farwire" {
		t.Fatalf("the unit starts %q", args)
	}
	env = append(env, strings.Fields(pageBlock(t, units[unit].env))...)
	cmd := harness.Farwire(t, args[1:]...)
	for _, line := range env {
		if fresh, ok := lines[line]; ok {
			delete(lines, line)
			line = fresh
		}
		if strings.ContainsAny(line, "…") {
			t.Fatalf("%s is not for this machine", line)
		}
		if line != "" {
			cmd.Env = append(cmd.Env, line)
		}
	}
	for line := range lines {
		t.Errorf("%s and its variables do not say %s", units[unit].name, line)
	}
	return cmd
}
