package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// code opens a form's dialog and returns the program of each language.
func (p *page) code(button string) map[string]string {
	p.t.Helper()
	p.click(button)
	p.await(`document.querySelector('#code').open`)
	programs := map[string]string{}
	for i, language := range eval[[]string](p, `[...document.querySelectorAll('#code-languages button')].map((b) => b.innerText)`) {
		p.click("#code-languages button:nth-child(" + string(rune('1'+i)) + ")")
		programs[language] = eval[string](p, `document.querySelector('#code-text').textContent`)
	}
	return programs
}

// runCode runs a program as somebody would who pastes it.
func runCode(t *testing.T, language, program, input string) string {
	t.Helper()
	var cmd *exec.Cmd
	switch language {
	case "curl":
		cmd = exec.Command("sh", "-c", program)
	case "farwire":
		bin := harness.Farwire(t).Path
		cmd = exec.Command("sh", "-c", strings.Replace(program, "farwire ", bin+" ", 1))
	default:
		name := filepath.Join(t.TempDir(), "program.mjs")
		if err := os.WriteFile(name, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if language == "JavaScript" {
			cmd = exec.Command(harness.Look(t, "node"), name)
		} else {
			cmd = harness.Python(t, name)
		}
	}
	cmd.Env = harness.Environ()
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s", language, err, program, out)
	}
	return string(out)
}

// claims are what a token in a program says of itself.
func claims(t *testing.T, program string) (c struct {
	Allow, Kinds []string
	Exp, Iat     int64
}) {
	t.Helper()
	token := regexp.MustCompile(`[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}`).FindString(program)
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("there is no token in %s", program)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Each form as code: the programs do what the form does, with a token that opens
// one target, and no key is in any of them.
func TestCode_EachForm_ATokenForOneTarget(t *testing.T) {
	t.Parallel()
	url := api(t)
	host := strings.TrimPrefix(url, "http://")
	g := harness.Serve(t, "--allow-private", "--local-agent", "fra1:DE")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	for _, c := range []struct {
		name, tab, button, kind, allow string
		fill                           map[string]string
		languages                      []string
	}{
		{"relay", "#tab-relay", "#relay-code", "relay", "echo.farwire.alt:80",
			map[string]string{"#relay-url": "ws://echo.farwire.alt"}, []string{"curl", "JavaScript", "Python", "farwire"}},
		{"http", "#tab-http", "#http-code", "http", host,
			map[string]string{"#http-url": url + "/echo?q='$HOME'"}, []string{"curl", "JavaScript", "Python"}},
		{"amqp", "#tab-amqp", "#amqp-code", "amqp", "127.0.0.1:5999",
			map[string]string{"#amqp-host": "127.0.0.1", "#amqp-port": "5999"}, []string{"curl", "JavaScript", "Python"}},
		{"crawl", "#tab-crawl", "#crawl-code", "crawl", "docs.example.com:443",
			map[string]string{"#crawl-url": "https://docs.example.com/"}, []string{"JavaScript", "Python", "farwire"}},
	} {
		p.click(c.tab)
		for css, value := range c.fill {
			p.fill(css, value)
		}
		if c.name == "http" {
			eval[any](p, `void (document.querySelector('#http .more').open = true)`)
			p.choose("#http-method", "POST")
			p.fill("#http-text", "it's @ \"body\"\n$(x)")
			p.fill("#http-headers", "X-Quote: it's \"one\" `x` $HOME")
			p.choose("#http-through", "geo:DE")
		}
		programs := p.code(c.button)
		p.says("#code-promise", c.allow)
		p.shot("code-" + c.name)
		for _, language := range c.languages {
			program, ok := programs[language]
			if !ok {
				t.Fatalf("%s: there is no %s", c.name, language)
			}
			if strings.Contains(program, g.Key) {
				t.Errorf("%s: the key is in the %s", c.name, language)
			}
			if language == "farwire" && c.name == "crawl" {
				continue // it crawls from where it runs, with no gateway
			}
			token := claims(t, program)
			if !slices.Equal(token.Allow, []string{c.allow}) || !slices.Equal(token.Kinds, []string{c.kind}) || token.Exp-token.Iat > 3600 {
				t.Errorf("%s: the token in the %s says %+v", c.name, language, token)
			}
		}
		if len(programs) != len(c.languages) {
			t.Errorf("%s: %d languages, want %d", c.name, len(programs), len(c.languages))
		}
		for language, program := range programs {
			switch {
			case c.name == "http":
				out := runCode(t, language, program, "")
				if !strings.Contains(out, `"body":"it's @ \"body\"\n$(x)"`) || !strings.Contains(out, "it's \\\"one\\\" `x` $HOME") || !strings.Contains(out, `"method":"POST"`) {
					t.Errorf("%s: the target saw %s\nof %s", language, out, program)
				}
			case c.name == "relay" && language == "farwire":
				if out := runCode(t, language, program, "hello\n"); !strings.Contains(out, "hello") {
					t.Errorf("the relay said %s", out)
				}
			case c.name == "amqp" && language != "JavaScript":
				if out := runCode(t, language, program, ""); !strings.Contains(out, "connection refused") {
					t.Errorf("%s said %s", language, out)
				}
			}
		}
		p.click("#code-close")
		p.await(`!document.querySelector('#code').open`)
	}
	if whole := eval[string](p, `document.documentElement.outerHTML`); strings.Contains(whole, g.Key) {
		t.Error("the key is in the page")
	}

	// Python's relay answers too, and the token reaches nothing else.
	p.click("#tab-relay")
	programs := p.code("#relay-code")
	token := regexp.MustCompile(`--key (\S+)`).FindStringSubmatch(programs["farwire"])[1]
	req, err := http.NewRequest(http.MethodGet, g.HTTP("/usage"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("the token opens /usage: %d", resp.StatusCode)
	}
}
