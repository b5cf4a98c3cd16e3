package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/farwire/farwire/internal/harness"
)

// Words of a placeholder or a help text that speak of a secret, and what speaks of one
// and holds none.
var (
	speaksOfSecret = regexp.MustCompile(`KEY|SECRET|TOKEN|PASSWORD|'N(AME)?: V|NAME=|N=V|\bsecret\b|\b[Kk]ey\b|\btoken\b`)
	holdsNoSecret  = []string{"keys-file", "tls-key", "agents-file", "rate", "burst", "http-rate", "http-burst", // files, and counts of each key
		"max-sessions", "max-streams", "max-crawls", "max-pages-per-day", "max-sites", "max-conns-per-ip",
		"allow-cleartext", "slug", "country", // of the secret
		"NATS_CERT", "NATS_KEY", "LLM_ENHANCEMENT_ENABLED"} // files, and true or false
)

// A secret is an option that holds one: a flag of a command, or a service's variable.
type secret struct {
	command, flag string // no flag: a service of serve
	variable      string
	read          func() (string, error)
}

// says is what its errors begin with.
func (s secret) says() string {
	if s.flag == "" {
		return s.variable + ": "
	}
	return "--" + s.flag + ": "
}

// secretsOf finds them in the program's own flags and variables.
func secretsOf(t *testing.T) (all []secret) {
	t.Helper()
	var cli commands
	app, err := kong.New(&cli, values...)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	add := func(name, text string, marked bool, s secret) {
		suspect := speaksOfSecret.MatchString(text) && !slices.Contains(holdsNoSecret, name)
		if suspect && !marked {
			t.Errorf("%s holds a secret, it seems, and cannot be read from a file: %s", name, text)
		}
		if marked {
			found[name] = true
			all = append(all, s)
		}
	}
	for _, c := range app.Model.Children {
		for _, f := range c.Flags {
			add(f.Name, f.PlaceHolder+" "+f.Help, secretFlags[f.Name], secret{c.Name, f.Name, variable(f.Name), func() (string, error) {
				v, err := (&environment{}).Resolve(nil, nil, f)
				text, _ := v.(string)
				return text, err
			}})
		}
	}
	for _, v := range serviceVariables {
		add(v.name, v.help, secretVariables[v.name], secret{"serve", "", v.name, func() (string, error) { return serviceVariable(v.name) }})
	}
	for _, marked := range []map[string]bool{secretFlags, secretVariables} {
		for name := range marked {
			if !found[name] {
				t.Errorf("no command and no service has %s", name)
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("found only %d secrets", len(all))
	}
	return all
}

func TestSecrets_ByVariableOrFile_AreRead(t *testing.T) {
	clearEnvironment(t)
	const value = "a secret of, say, thirty-two bytes"
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range secretsOf(t) {
		t.Run(s.command+" "+s.variable, func(t *testing.T) {
			refused := func(what string, words ...string) {
				t.Helper()
				got, err := s.read()
				if err == nil {
					t.Fatalf("%s: it is read as %q", what, got)
				}
				for _, word := range words {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("%s: %v; it does not name %s", what, err, word)
					}
				}
				if strings.Contains(err.Error(), value) {
					t.Errorf("%s: %v gives the secret away", what, err)
				}
			}
			read := func(what, want string) {
				t.Helper()
				if got, err := s.read(); err != nil || got != want {
					t.Errorf("%s: %q, %v; want %q", what, got, err, want)
				}
			}
			read("neither is set", "")
			t.Run("variable", func(t *testing.T) {
				t.Setenv(s.variable, value)
				read("by its variable", value)
				write(value, 0o600)
				t.Setenv(s.variable+"_FILE", file)
				refused("both are set", s.variable+" ", s.variable+"_FILE", "both")
				t.Setenv(s.variable, "")
				refused("both are set, one to nothing", s.variable)
			})
			t.Setenv(s.variable+"_FILE", file)
			for what, text := range map[string]string{"bare": value, "a newline at the end": value + "\n", "white space at the end": value + " \t\r\n\n"} {
				write(text, 0o600)
				read(what, value)
			}
			write(" "+value, 0o600)
			read("white space before it", " "+value)
			write(value, 0o644)
			read("readable by others", value)
			for what, text := range map[string]string{"an empty file": "", "a file of white space": " \n"} {
				write(text, 0o600)
				refused(what, s.variable+"_FILE", "empty")
			}
			t.Setenv(s.variable+"_FILE", file+".missing")
			refused("a missing file", s.variable+"_FILE", "cannot be read")
			t.Setenv(s.variable+"_FILE", filepath.Dir(file))
			refused("a folder", s.variable+"_FILE", "cannot be read")
			t.Setenv(s.variable+"_FILE", "")
			refused("no file's name", s.variable+"_FILE", "empty")
		})
	}
}

// A secret that cannot be read ends the start of its command, with one line that names
// the option and what to mend. A flag beats both variables.
func TestSecrets_FileCannotBeRead_EndsTheStart(t *testing.T) {
	args := map[string][]string{
		"serve": {"serve", "--listen", "127.0.0.1:0"}, "work": {"work"}, "agents": {"agents"}, "sessions": {"sessions"},
		"agent": {"agent", "--gateway", "http://127.0.0.1:1"}, "relay": {"relay", "ws://echo.farwire.alt"}, "crawl": {"crawl", "http://127.0.0.1:1/"},
	}
	dir := t.TempDir()
	for _, s := range secretsOf(t) {
		t.Run(s.command+" "+s.variable, func(t *testing.T) {
			status, _, said := runHere(t, args[s.command], []string{"FARWIRE_DATA_DIR=" + dir, "FARWIRE_BROWSER=none", s.variable + "_FILE=" + dir + "/missing"})
			if status != statusMisuse || !strings.HasPrefix(said, "farwire: "+s.says()) || !strings.Contains(said, s.variable+"_FILE cannot be read") || strings.Count(said, "\n") != 1 {
				t.Errorf("status %d, %q", status, said)
			}
		})
	}
	status, _, said := runHere(t, []string{"serve", "--listen", "nonsense", "--admin-key", "a key on the command line"},
		[]string{"FARWIRE_ADMIN_KEY=another one in its variable", "FARWIRE_ADMIN_KEY_FILE=" + dir + "/missing"})
	if status != statusMisuse || !strings.HasPrefix(said, "farwire: --listen: ") {
		t.Errorf("with the flag: status %d, %q", status, said)
	}
}

// A mark at the beginning of a file, which editors of Windows write and nobody sees, is no
// part of a secret, of a list or of a certificate.
func TestFiles_ByteOrderMark_IsRefused(t *testing.T) {
	dir := t.TempDir()
	for mark, rest := range map[string]string{"\xef\xbb\xbf": "a-secret-of-enough-bytes-for-any-of-them", "\xff\xfe": "a\x00b\x00", "\xfe\xff": "\x00a\x00b"} {
		file := filepath.Join(dir, "marked")
		if err := os.WriteFile(file, []byte(mark+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, s := range secretsOf(t) {
			t.Setenv(s.variable+"_FILE", file)
			if got, err := s.read(); err == nil || !strings.Contains(err.Error(), s.variable+"_FILE begins with a byte order mark") {
				t.Errorf("%s: %q, %v", s.variable, got, err)
			}
			os.Unsetenv(s.variable + "_FILE")
		}
		for _, flags := range [][]string{{"--keys-file", file}, {"--agents-file", file}, {"--tls-cert", file, "--tls-key", file}} {
			args := append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)
			status, _, said := runHere(t, args, []string{"FARWIRE_DATA_DIR=" + dir, "FARWIRE_BROWSER=none"})
			if status != statusMisuse || !strings.HasPrefix(said, "farwire: "+flags[0]+": "+file) || !strings.Contains(said, "byte order mark") {
				t.Errorf("%q: status %d, %q", flags, status, said)
			}
		}
	}
}

// What a number may be stands in the help of its flag, and one below is refused in words
// that name the flag.
func TestFlags_NumbersTooSmall_AreRefusedAsTheHelpSays(t *testing.T) {
	var cli commands
	app, err := kong.New(&cli, values...)
	if err != nil {
		t.Fatal(err)
	}
	rest := map[string][]string{"crawl": {"http://127.0.0.1:1/"},
		"agent": {"--gateway", "http://127.0.0.1:1", "--secret", "a secret of the agents", "--slug", "de1", "--country", "DE"}}
	tried := 0
	for _, c := range app.Model.Children {
		for _, f := range c.Flags {
			if f.PlaceHolder != "N" && f.PlaceHolder != "TIME" {
				continue
			}
			tried++
			small := map[string]bool{"-2": true, "0": true}
			switch {
			case f.PlaceHolder == "TIME":
				small = map[string]bool{"-2s": true, "0s": f.Name != "drain-delay"}
			case strings.Contains(f.Help, "0 means no limit"), strings.Contains(f.Help, "0 or left out"):
				small = map[string]bool{"-2": true}
			case !regexp.MustCompile(`(at|At) least 1|above 0|\d+ to \d+`).MatchString(f.Help):
				t.Errorf("the help of %s --%s does not say how small it may be: %s", c.Name, f.Name, f.Help)
			}
			for value, refused := range small {
				if !refused {
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout) // one that is accepted would serve
				status, _, said := runUntil(ctx, t, append([]string{c.Name, "--" + f.Name + "=" + value}, rest[c.Name]...), []string{"FARWIRE_LISTEN=127.0.0.1:0"})
				cancel()
				if status != statusMisuse || !strings.HasPrefix(said, "farwire: --"+f.Name+": ") || !strings.Contains(said, value) || !strings.Contains(said, "; give ") {
					t.Errorf("%s --%s=%s: status %d, %q", c.Name, f.Name, value, status, said)
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d numbers were tried", tried)
	}
}
