package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// With this variable the test binary is the program.
const runMain = "RUN_FARWIRE"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program returns a command that runs the program in an empty folder.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = harness.Environ(runMain + "=1")
	cmd.Dir = t.TempDir()
	return cmd
}

// clearEnvironment leaves of this process's variables what harness.Environ does, until
// the test ends.
func clearEnvironment(t *testing.T) {
	t.Helper()
	clean := harness.Environ()
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); !slices.Contains(clean, v) {
			t.Setenv(name, value) // which puts it back
			os.Unsetenv(name)
		}
	}
}

// runHere runs the program in this process and in an empty folder, for what only
// prints and ends: to start it with the race detector costs more than all of that.
func runHere(t *testing.T, args, env []string) (status int, stdout, stderr string) {
	t.Helper()
	return runUntil(t.Context(), t, args, env)
}

// runUntil is runHere, and ends what does not end by itself when ctx ends.
func runUntil(ctx context.Context, t *testing.T, args, env []string) (status int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	clearEnvironment(t)
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	capture := func(stream **os.File) (written func() string) {
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		was := *stream
		*stream = file
		return func() string {
			*stream = was
			file.Close()
			text, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	out, errs := capture(&os.Stdout), capture(&os.Stderr)
	status = run(ctx, args)
	return status, out(), errs()
}

func TestMain_Misuse_ExitsWithStatus2(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	written := func(text string) string {
		name := filepath.Join(t.TempDir(), "agents.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const secret = "an-api-key-of-32-bytes-and-more-." // also long enough to be a token secret

	for _, c := range []struct {
		args, env string // separated by blanks
		want      string // what the line must say, separated by |
	}{
		{"", "", "serve|agent|relay|crawl|check|--help"},
		{"sevre", "", "sevre|--help"},
		{"--nonsense", "", "--nonsense|--help"},
		{"version extra", "", "extra|farwire version --help"},
		{"serve extra", "", "extra|farwire serve --help"},
		{"serve --lisen x", "", "--lisen|--listen"},
		{"serve --listen", "", "--listen"},
		{"serve --listen=", "", "--listen|empty"},
		{"serve --max-sessions many", "", `--max-sessions|"many" is not a whole number`},
		{"serve --max-sites 99999999999999999999", "", "--max-sites|is not a whole number"},
		{"serve", "FARWIRE_MAX_STREAMS=1.5", "--max-streams|is not a whole number|FARWIRE_MAX_STREAMS"},
		{"serve --rate fast", "", "--rate|is not a number|0.5"},
		{"serve --drain-timeout 5", "", "--drain-timeout|its unit|30s"},
		{"serve --deny nonsense", "", "--deny|nonsense|203.0.113.0/24"},
		{"serve --allow-ports 80,x", "", "--allow-ports|x|8000-8100"},
		{"serve --agents-file " + written(`[{"slug":"a","country":"DE","token_sha256":null}]`), "", "--agents-file|line 1|null"},
		{"serve --agents-file " + written("[{\"slug\":\"a\",\n\"slug\":\"b\"}]"), "", "--agents-file|line 2|slug|twice"},
		{"serve --agents-file " + written(`[{"Slug":"a"}]`), "", "--agents-file|line 1|entry 1|Slug"},
		{"agent --gateway http://gateway.example --secret " + secret + " --slug a --country DE", "", "--gateway|--allow-cleartext"},
		{"serve", "FARWIRE_LISTEN=", "--listen|empty|FARWIRE_LISTEN"},
		{"serve --listen nonsense", "", "--listen|nonsense|127.0.0.1:8080"},
		{"serve --listen 127.0.0.1:65536", "", "--listen|65536|127.0.0.1:8080"},
		{"serve --listen 127.0.0.1:8o80", "", "--listen|\"8o80\" is not a port|127.0.0.1:8080"},
		{"serve --listen unix:/run/farwire.sock", "", "--listen|farwire.sock\" is not a port|127.0.0.1:8080"},
		{"serve --listen 192.0.2.1:80", "", "--listen|192.0.2.1:80|of this machine"},
		{"serve --listen name.invalid:80", "", "--listen|name.invalid|of this machine"},
		{"serve --listen " + taken.Addr().String(), "", "--listen|" + taken.Addr().String() + "|taken|another port"},
		{"serve --listen 127.0.0.1:0 --admin-listen " + taken.Addr().String(), "", "--admin-listen|taken|another port"},
		{"serve --admin-listen=", "", "--admin-listen|empty"},
		{"serve --admin-listen 1", "", "--admin-listen|127.0.0.1:8080"},
		{"serve --api-keys=", "", "--api-keys|empty"},
		{"serve", "FARWIRE_API_KEYS=", "--api-keys|empty|FARWIRE_API_KEYS"},
		{"serve --api-keys alice=short-key", "", "--api-keys|entry 1|9 bytes|16"},
		{"serve --api-keys alice=", "", "--api-keys|entry 1|0 bytes|16"},
		{"serve --api-keys " + secret + "==", "", "--api-keys|entry 1|name=key"},
		{"serve --api-keys =" + secret, "", "--api-keys|entry 1|name=key"},
		{"serve", "FARWIRE_API_KEYS=a\u202eb=" + secret, "--api-keys|entry 1|nobody sees"},
		{"serve --api-keys \u200ba=" + secret, "", "--api-keys|entry 1|nobody sees"},
		{"serve --api-keys " + secret + ",", "", "--api-keys|entry 2|empty"},
		{"serve --api-keys a=" + secret + ",b=" + secret, "", "--api-keys|entry 2|once"},
		{"serve --token-secret=", "", "--token-secret|empty"},
		{"serve", "FARWIRE_TOKEN_SECRET=", "--token-secret|empty|FARWIRE_TOKEN_SECRET"},
		{"serve --token-secret short-secret", "", "--token-secret|12 bytes|32"},
		{"serve --token-secret " + secret + " --api-keys a=" + secret, "", "--token-secret|API key|another"},
		{"serve --local-agent=", "", "--local-agent|empty"},
		{"serve --local-agent de1", "", "--local-agent|de1|local:ZZ"},
		{"serve --local-agent de1:", "", "--local-agent|de1:|local:ZZ"},
		{"serve --local-agent de1:Germany", "", "--local-agent|GERMANY|DE"},
		{"serve --local-agent d/1:DE", "", "--local-agent|d/1"},
		{"serve --local-agent none", "", "--local-agent|none|--agent-secret"},
		{"serve --agent-secret=", "", "--agent-secret|empty"},
		{"serve", "FARWIRE_AGENT_SECRET=", "--agent-secret|empty|FARWIRE_AGENT_SECRET"},
		{"serve --agent-secret short-secret", "", "--agent-secret|12 bytes|16"},
		{"serve --agent-secret " + secret + " --api-keys a=" + secret, "", "--agent-secret|API key|another"},
		{"serve --agent-secret " + secret + " --token-secret " + secret, "", "--token-secret|--agent-secret|another"},
		{"serve --agents-file=", "", "--agents-file|empty"},
		{"serve --agents-file " + file + "-none", "", "--agents-file|" + file + "-none|no such file"},
		{"serve --agents-file " + t.TempDir(), "", "--agents-file|is a directory"},
		{"serve --agents-file " + file, "", "--agents-file|line 1|not valid JSON|token_sha256"},
		{"serve --agents-file " + written("{}"), "", "--agents-file|line 1|list"},
		{"serve --agents-file " + written("[]"), "", "--agents-file|empty"},
		{"serve --agents-file " + written("[]\n[]"), "", "--agents-file|line 2|not a JSON list"},
		{"serve --agents-file " + written("[\n{\"slug\": 1}]"), "", "--agents-file|line 2|entry 1|slug|wrong type"},
		{"serve --agents-file " + written("[{\"slug\": \"de1\", \"token\": \""+secret+"\"}]"), "", "--agents-file|token|token_sha256"},
		{"serve --agents-file " + written("[{\"slug\": \"de1\", \"country\": \"DE\", \"token_sha256\": \""+secret+"\"}]"), "",
			"--agents-file|line 1: entry 1|token_sha256"},
		{"serve --agents-file " + written("[{\"slug\": \"d/1\", \"country\": \"DE\"}]"), "", "--agents-file|line 1: entry 1|d/1"},
		{"serve --peers https://gw2.example", "", "--peers|--agent-secret"},
		{"serve --peers gw2.example --agent-secret " + secret, "", "--peers|gw2.example|https://"},
		{"serve --allow-private=maybe", "", "--allow-private|maybe|true"},
		{"serve", "FARWIRE_ALLOW_PRIVATE=", "--allow-private|empty|FARWIRE_ALLOW_PRIVATE"},
		{"serve", "FARWIRE_ALLOW_PRIVATE=maybe", "--allow-private|maybe|FARWIRE_ALLOW_PRIVATE"},
		{"serve --origins example.com", "", "--origins|example.com|https://"},
		{"serve --origins https://a.example,", "", "--origins|entry 2|empty"},
		{"serve --rate 0", "", "--rate|0|more than 0"},
		{"serve --rate=-1", "", "--rate|-1|more than 0"},
		{"serve --rate NaN", "", "--rate|NaN|more than 0"},
		{"serve --rate Inf", "", "--rate|Inf|more than 0"},
		{"serve --rate ten", "", "--rate|ten|not a number"},
		{"serve", "FARWIRE_RATE=ten", "--rate|ten|FARWIRE_RATE"},
		{"serve --burst=-1", "", "--burst|-1|1 or more"},
		{"serve --max-sites=0", "", "--max-sites|0|no limit"},
		{"serve --max-conns-per-ip=0", "", "--max-conns-per-ip|0|no limit"},
		{"serve --burst 1.5", "", "--burst|1.5|whole number"},
		{"serve --data-dir=", "", "--data-dir|empty"},
		{"serve --data-dir " + file, "", "--data-dir|" + file + "|not a directory"},
		{"serve --data-dir " + file + "/below", "", "--data-dir|" + file + "/below|not a directory"},
		{"serve --crawl-timeout 0s", "", "--crawl-timeout|0s"},
		{"serve --crawl-max-pages 0", "", "--crawl-max-pages|0|1 or more"},
		{"serve --public-url=", "", "--public-url|empty"},
		{"serve --public-url gw.example.com", "", "--public-url|gw.example.com|https://"},
		{"serve --public-url https://gw.example.com/?a=b", "", "--public-url|a=b|https://"},
		{"serve", "DATABASE_URL=", "DATABASE_URL|empty"},
		{"serve", "DATABASE_URL=mysql://u:" + secret + "@db/x", "DATABASE_URL|postgres://|SQLite"},
		{"serve", "DATABASE_URL=postgres://u:" + secret + "%zz@db/x", "DATABASE_URL|percent-encoded"},
		{"serve", "DATABASE_URL=postgres://u:" + secret + "@db:port/x", "DATABASE_URL|cannot be parsed"},
		{"serve", "DATABASE_URL=postgres://u:" + secret + "@db/x?pool_max_conns=many", "DATABASE_URL|pool_max_conns"},
		{"serve", "REDIS_URL=", "REDIS_URL|empty"},
		{"serve", "REDIS_URL=http://:" + secret + "@redis", "REDIS_URL|redis"},
		{"serve", "REDIS_URL=redis://:" + secret + "%zz@redis", "REDIS_URL|percent-encoded"},
		{"serve", "S3_SECRET_KEY=", "S3_SECRET_KEY|empty"},
		{"serve", "S3_BUCKET=llms", "S3_ENDPOINT|missing|https://"},
		{"serve", "S3_ENDPOINT=s3.example.com", "S3_ENDPOINT|https://"},
		{"serve", "S3_ENDPOINT=https://s3.example.com/llms", "S3_ENDPOINT|/llms|bucket"},
		{"serve", "S3_ENDPOINT=https://s3.example.com", "S3_BUCKET|missing"},
		{"serve", "S3_ENDPOINT=https://s3.example.com S3_BUCKET=a/b S3_ACCESS_KEY=a S3_SECRET_KEY=" + secret, "S3_BUCKET|a/b"},
		{"serve", "S3_ENDPOINT=https://s3.example.com S3_BUCKET=llms S3_SECRET_KEY=" + secret, "S3_ACCESS_KEY|missing"},
		{"serve", "S3_ENDPOINT=https://s3.example.com S3_BUCKET=llms S3_ACCESS_KEY=a", "S3_SECRET_KEY|missing"},
		{"serve", "S3_ENDPOINT=https://s3.example.com S3_BUCKET=llms S3_ACCESS_KEY=a S3_SECRET_KEY=" + secret + " S3_PUBLIC_URL=files", "S3_PUBLIC_URL|files|https://"},
		{"serve", "FARWIRE_BROWSER=", "FARWIRE_BROWSER|empty"},
		{"serve", "FARWIRE_BROWSER=/no/such/browser", "FARWIRE_BROWSER|/no/such/browser"},
		{"serve", "BRIGHTDATA_WS_ENDPOINT=https://u:" + secret + "@browser", "BRIGHTDATA_WS_ENDPOINT|wss://"},
		{"serve", "OPENROUTER_API_KEY=", "OPENROUTER_API_KEY|empty"},
		{"serve", "LLM_MODEL=", "LLM_MODEL|empty"},
		{"serve", "OPENROUTER_API_KEY=" + secret + " OPENROUTER_BASE_URL=nonsense", "OPENROUTER_BASE_URL|https://"},
		{"serve", "LLM_ENHANCEMENT_ENABLED=maybe", "LLM_ENHANCEMENT_ENABLED|maybe|true"},
		{"serve", "LLM_ENHANCEMENT_ENABLED=true", "LLM_ENHANCEMENT_ENABLED|OPENROUTER_API_KEY"},
		{"crawl", "", "url|farwire crawl --help"},
		{"crawl example.com", "", "URL|https://docs.example.com"},
		{"crawl https:///", "", "URL|https://docs.example.com"},
		{"crawl https://example.com/ -o " + file + "/below", "", "-o|" + file + "/below|not a directory"},
		{"crawl https://example.com/ --report " + file + "/below", "", "--report|" + file + "/below|not a directory"},
		{"crawl https://example.com/ --output=", "", "--output|empty"},
		{"crawl https://example.com/ --max-pages 0", "", "--max-pages|0|1 or more"},
		{"crawl https://example.com/ --desc-length 99", "", "--desc-length|99|100 to 2000"},
		{"crawl https://example.com/ --workers 0", "", "--workers|0|1 or more"},
		{"crawl https://example.com/ --format xml", "", "--format|xml|pages or index"},
		{"serve --drain-timeout 0s", "", "--drain-timeout|0s"},
		{"serve --drain-timeout=-1s", "", "--drain-timeout|-1s"},
		{"serve --drain-timeout 10", "", "--drain-timeout|10"},
		{"serve --log-format xml", "", "--log-format|xml|text or json"},
		{"serve --log-level loud", "", "--log-level|loud|debug, info, warn or error"},
		{"serve", "FARWIRE_LOG_LEVEL=loud", "--log-level|loud|FARWIRE_LOG_LEVEL"},
		{"serve --strip-headers X-A,*", "", "--strip-headers|*|X-Corp-*"},
		{"serve --rate -1", "", "--rate|-1|more than 0"},
		{"serve --drain-delay -1s", "", "--drain-delay|-1s|0s or more"},
		{"serve --max-sites -2", "", "--max-sites|-2|-1 for no limit"},
		{"serve --max-sessions -1 --max-sites -1 --burst 3 --rate 0", "", "--rate|more than 0"},
		{"crawl https://example.com/ --delay -.5", "", "--delay|-.5|0 to 3600"},
		{"relay", "", "url|farwire relay --help"},
		{"relay example.com --key " + secret, "", "URL|wss://example.com"},
		{"relay ftp://example.com --key " + secret, "", "URL|wss://example.com"},
		{"relay wss://example.com", "", "--key|FARWIRE_KEY"},
		{"relay wss://example.com --key=", "", "--key|empty"},
		{"relay wss://example.com", "FARWIRE_KEY=", "--key|empty|FARWIRE_KEY"},
		{"relay wss://example.com --gateway=", "", "--gateway|empty"},
		{"relay wss://example.com --key " + secret + " --gateway localhost", "", "--gateway|ws://127.0.0.1:8080"},
		{"relay wss://example.com --key " + secret + " --gateway ftp://localhost", "", "--gateway|ftp|ws://"},
		{"agent", "", "--gateway|wss://"},
		{"agent --gateway=", "", "--gateway|empty"},
		{"agent --gateway ws://a,", "", "--gateway|entry 2|empty"},
		{"agent --gateway ws://a", "", "--secret|--agent-secret|--token"},
		{"agent --gateway ws://a", "FARWIRE_SECRET=", "--secret|empty|FARWIRE_SECRET"},
		{"agent --gateway ws://a --secret short-secret --slug de1 --country DE", "", "--secret|12 bytes|16|--token"},
		{"agent --gateway ws://a --slug de1 --country DE", "FARWIRE_SECRET=short-15-bytes-", "--secret|15 bytes|16"},
		{"agent --gateway ws://a --token=", "", "--token|empty"},
		{"agent --gateway ws://a --secret " + secret + " --token x", "", "--token|--secret|one of them"},
		{"agent --gateway ws://a --secret " + secret, "", "--slug|de1"},
		{"agent --gateway ws://a --secret " + secret + " --slug de1", "", "--country|DE"},
		{"agent --gateway ws://a --secret " + secret + " --slug d/1 --country DE", "", "--slug|d/1"},
		{"agent --gateway ws://a --secret " + secret + " --slug de1 --country Germany", "", "--country|GERMANY|DE"},
		{"agent --gateway ftp://a --token " + secret, "", "--gateway|ftp://a|https://"},
		{"agent --gateway ftp://a --token " + secret + " --slug de1", "", "--gateway|ftp://a|https://"},
		{"agent --gateway ftp://a --secret " + secret + " --slug de1 --country DE", "", "--gateway|ftp://a|https://"},
		{"agent --gateway ws://a --secret " + secret + " --slug de1 --country DE --max-sessions=-1", "", "--max-sessions|-1|no limit"},
		{"agent --gateway ws://a --secret " + secret + " --slug de1 --country DE --drain-timeout 0s", "", "--drain-timeout|0s"},
	} {
		t.Run(c.args+" "+c.env, func(t *testing.T) {
			status, out, said := runHere(t, strings.Fields(c.args), append([]string{"FARWIRE_LISTEN=127.0.0.1:0"}, strings.Fields(c.env)...))
			if status != statusMisuse {
				t.Errorf("status %d, want %d", status, statusMisuse)
			}
			if !strings.HasPrefix(said, "farwire: ") || strings.Count(said, "\n") != 1 || !strings.HasSuffix(said, "\n") {
				t.Errorf("said %q, want one line", said)
			}
			for want := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(said, want) {
					t.Errorf("said %q, which does not name %q", said, want)
				}
			}
			if strings.Contains(said, secret) || strings.Contains(said, "short-") {
				t.Errorf("said %q, which gives a secret away", said)
			}
			if out != "" {
				t.Errorf("standard output holds %q", out)
			}
		})
	}
}

// A variable of another command's may hold anything.
func TestVariable_OfAnotherCommand_IsIgnored(t *testing.T) {
	cmd := program(t, "version")
	cmd.Env = append(cmd.Env, "FARWIRE_RATE=ten", "FARWIRE_KEY=", "FARWIRE_LISTNE=1", "FARWIRELESS=1")
	p := harness.Start(t, cmd)
	if status := p.Status(); status != statusOK {
		t.Errorf("status %d, want %d", status, statusOK)
	}
	if said, want := p.Stderr.String(), "farwire: the variable FARWIRE_LISTNE is ignored: no option has this name\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestFlag_VariableToo_FlagWins(t *testing.T) {
	cmd := program(t, "serve", "--log-format", "xml")
	cmd.Env = append(cmd.Env, "FARWIRE_LOG_FORMAT=yaml", "FARWIRE_LISTEN=127.0.0.1:0")
	p := harness.Start(t, cmd)
	p.Status()
	if said := p.Stderr.String(); !strings.Contains(said, `"xml"`) || strings.Contains(said, "yaml") {
		t.Errorf("said %q, want the flag's value", said)
	}
}

func TestVersion_Command_PrintsVersionCommitAndGo(t *testing.T) {
	p := harness.Start(t, program(t, "version"))
	m := p.Await(p.Stdout, `^farwire (\S+), commit (.+), (go1\S+)\n$`)
	if status := p.Status(); status != statusOK {
		t.Errorf("status %d, want %d", status, statusOK)
	}
	if m[1] == "" {
		t.Errorf("no version in %q", m[0])
	}
}

func TestHelp_EveryVariable_IsNamed(t *testing.T) {
	p := harness.Start(t, program(t, "serve", "--help"))
	if status := p.Status(); status != statusOK {
		t.Errorf("status %d, want %d", status, statusOK)
	}
	help := strings.Join(strings.Fields(p.Stdout.String()), " ")
	for _, want := range []string{
		"--listen", "default 127.0.0.1:8080; $FARWIRE_LISTEN", "$FARWIRE_API_KEYS", "default 10s; $FARWIRE_DRAIN_TIMEOUT",
		"DATABASE_URL PostgreSQL", "REDIS_URL redis://", "S3_ENDPOINT An S3", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_REGION",
		"S3_PUBLIC_URL", "FARWIRE_BROWSER", "BRIGHTDATA_WS_ENDPOINT", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "LLM_MODEL", "LLM_ENHANCEMENT_ENABLED",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("the help does not say %q:\n%s", want, p.Stdout)
		}
	}
}

// timeout(1) sends its signal to the program and to the program's group: that is one signal.
func TestObeySignals_SecondAtOnce_IsTheFirstAgain(t *testing.T) {
	for pause, stops := range map[time.Duration]bool{0: false, time.Millisecond: false, sameSignal - 1: false, sameSignal: true, time.Hour: true} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 2)
			finished, stopped := 0, 0
			ended := make(chan struct{})
			go func() {
				obeySignals(signals, func() { finished++ }, func() { stopped++ })
				close(ended)
			}()
			synctest.Wait()
			if finished != 0 {
				t.Error("it finishes without a signal")
			}
			signals <- os.Interrupt
			time.Sleep(pause)
			signals <- os.Interrupt
			synctest.Wait()
			if finished != 1 || (stopped == 1) != stops {
				t.Errorf("a second signal after %v: finished %d times, stopped %d times", pause, finished, stopped)
			}
			if !stops {
				time.Sleep(sameSignal)
				signals <- os.Interrupt
			}
			<-ended
			if finished != 1 || stopped != 1 {
				t.Errorf("a signal behind that: finished %d times, stopped %d times", finished, stopped)
			}
		})
	}
}
