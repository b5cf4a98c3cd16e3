package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

const (
	aliceKey = "alice-key-0123456789abcdef"
	bobKey   = "bob-key-0123456789abcdef"
	carolKey = "carol-key-0123456789abcdef"
	secret1  = "token-secret-one-0123456789abcdef"
	secret2  = "token-secret-two-0123456789abcdef"
)

func keysFile(name, key, more string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf(`[{"name": %q, "key_sha256": %q%s}]`, name, hex.EncodeToString(sum[:]), more)
}

// A secured is farwire serve by https, with all that SIGHUP reads in a folder.
type secured struct {
	*harness.TestProcess
	t    *testing.T
	addr string
	ca   *harness.Certificate
	dir  string
}

func (s *secured) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *secured) certificate(c *harness.Certificate) {
	s.t.Helper()
	for name, from := range map[string]string{"cert.pem": c.CertFile, "key.pem": c.KeyFile} {
		b, err := os.ReadFile(from)
		if err != nil {
			s.t.Fatal(err)
		}
		s.write(name, string(b))
	}
	s.ca = c
}

func serveSecured(t *testing.T, args ...string) *secured {
	t.Helper()
	s := &secured{t: t, dir: t.TempDir()}
	s.certificate(harness.NewCertificate(t))
	cmd := program(t, append([]string{"serve", "--listen", "127.0.0.1:0",
		"--tls-cert", filepath.Join(s.dir, "cert.pem"), "--tls-key", filepath.Join(s.dir, "key.pem"),
		"--keys-file", s.write("keys.json", keysFile("bob", bobKey, `, "limits": {"sessions": 2, "rate": -1}`))}, args...)...)
	cmd.Env = append(cmd.Env, "FARWIRE_API_KEYS_FILE="+s.write("api-keys", "alice="+aliceKey+"\n \n"),
		"FARWIRE_TOKEN_SECRET_FILE="+s.write("token-secret", secret1+"\n"))
	s.TestProcess = harness.Start(t, cmd)
	s.addr = s.Await(s.Stderr, `(?m)^listening on https://(\S+)$`)[1]
	return s
}

// An error of an agents file names flag, file, line and entry, as one of a keys file does,
// whoever found it: the program that reads it or the pool, at the start or later.
func TestAgentsFile_Refused_NamesFlagFileAndEntry(t *testing.T) {
	pool, err := agent.NewPool(agent.PoolOptions{Secret: "secret-of-the-agents-0123"})
	if err != nil {
		t.Fatal(err)
	}
	own, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Add(own); err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("0f", 32)
	const good = `{"slug": "de0", "country": "DE", "token_sha256": "` + "%s" + `"}`
	for records, want := range map[string]string{
		`{"slug": "", "country": "DE", "token_sha256": "HASH"}`:                  "slug",
		`{"slug": "de1", "country": "Germany", "token_sha256": "HASH"}`:          "country",
		`{"slug": "de1", "country": "DE", "token_sha256": "0f"}`:                 "token_sha256 is not 64 digits of lower-case hex",
		`{"slug": "de1", "country": "DE", "token_sha256": "` + sum + `"}`:        "token_sha256 is in use already",
		`{"slug": 1, "country": "DE", "token_sha256": "HASH"}`:                   "slug has the wrong type",
		`{"slug": null, "country": "DE", "token_sha256": "HASH"}`:                "slug is null",
		`{"Slug": "de1", "country": "DE", "token_sha256": "HASH"}`:               `"Slug" is not one of the names here`,
		`{"slug": "de1", "country": "DE", "token_sha256": "HASH", "excl": true}`: `"excl" is not one of the names here`,
		`"de1"`: "the value has the wrong type",
		`null`:  "the value is null",
	} {
		name := filepath.Join(t.TempDir(), "agents.json")
		text := "[\n" + fmt.Sprintf(good, sum) + ",\n" + strings.ReplaceAll(records, "HASH", strings.Repeat("1e", 32)) + "\n]\n"
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := readAgentsFile(name, os.ReadFile)
		if err == nil {
			if err = pool.SetRecords(file.records); err != nil {
				err = file.asFlag(err)
			}
		}
		place := "--agents-file: " + name + ": line 3: entry 2: "
		if err == nil || !strings.HasPrefix(err.Error(), place) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "agent.") {
			t.Errorf("%s: %v\nwant %s… %s", records, err, place, want)
		}
	}
	if err := pool.SetRecords([]agent.Record{{Slug: "local", Country: "DE", TokenSHA256: sum}}); err == nil {
		t.Error("this gateway's own slug is accepted")
	} else if told := (agentsFile{}).asFlag(err).Error(); !strings.HasPrefix(told, "--agents-file: ") {
		t.Error(told)
	}
}

// hangup sends the n-th SIGHUP and waits until all has been read.
func (s *secured) hangup(n, refused int) {
	s.t.Helper()
	s.Signal(syscall.SIGHUP)
	s.Await(s.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=%d\n`, n, refused))
}

// ask asks on a connection of its own, so that it meets today's certificate.
func (s *secured) ask(method, path, key string) (status int, body string) {
	s.t.Helper()
	tr := &http.Transport{TLSClientConfig: s.ca.Client(), DisableKeepAlives: true}
	r, err := http.NewRequest(method, "https://"+s.addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-API-Key", key)
	resp, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (s *secured) token(key string) string {
	s.t.Helper()
	_, body := s.ask("POST", "/auth/token", key)
	m := regexp.MustCompile(`"token":\s*"([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		s.t.Fatalf("no token in %s", body)
	}
	return m[1]
}

func (s *secured) wantStatuses(want map[string]int) {
	s.t.Helper()
	for key, status := range want {
		if got, body := s.ask("GET", "/usage", key); got != status {
			s.t.Errorf("%s: %d %s, want %d", key, got, body, status)
		}
	}
}

func TestServe_Hangup_ReadsAgainOrKeepsWhatWasThere(t *testing.T) {
	s := serveSecured(t)
	token := s.token(aliceKey)
	s.wantStatuses(map[string]int{aliceKey: 200, bobKey: 200, carolKey: 403, token: 200})
	if _, body := s.ask("GET", "/usage", bobKey); !strings.Contains(body, `"limit":2`) || !strings.Contains(body, `"per_second":null`) {
		t.Errorf("the limits of the keys file do not hold: %s", body)
	}
	relay := func(key string) *harness.TestProcess {
		cmd := program(t, "relay", "--gateway", "wss://"+s.addr, "ws://echo.farwire.alt")
		cmd.Env = append(cmd.Env, "FARWIRE_KEY="+key, "SSL_CERT_FILE="+s.ca.CAFile)
		cmd.Stdin = openInput(t)
		p := harness.Start(t, cmd)
		p.Await(p.Stderr, `connected through`)
		return p
	}
	bob, byToken := relay(bobKey), relay(token)

	s.write("keys.json", `[{"name": "carol"}]`)
	s.write("token-secret", "short")
	s.write("cert.pem", "not PEM")
	s.hangup(1, 3)
	for _, flag := range []string{"--keys-file", "--token-secret", "--tls-cert"} {
		s.Await(s.Stderr, `(?m)^.*the previous value stays in use.*`+flag+`:.*$`)
	}
	s.wantStatuses(map[string]int{aliceKey: 200, bobKey: 200, carolKey: 403, token: 200})

	s.write("token-secret", aliceKey+"-and-more-bytes")
	s.write("api-keys", "alice="+aliceKey+","+aliceKey+"-and-more-bytes")
	s.write("keys.json", keysFile("bob", bobKey, ""))
	s.hangup(2, 2)
	s.Await(s.Stderr, `(?m)^.*the previous value stays in use.*--token-secret: it is also an API key.*$`)

	s.certificate(harness.NewCertificate(t))
	s.write("keys.json", keysFile("carol", carolKey, ""))
	s.write("api-keys", "alice="+aliceKey)
	s.write("token-secret", secret2+","+secret1)
	s.hangup(3, 0)
	bob.Await(bob.Stderr, `closed: 1008 "key revoked"`)
	s.wantStatuses(map[string]int{aliceKey: 200, bobKey: 403, carolKey: 200, token: 200})
	byToken.Signal(harness.Terminate)
	if byToken.Status(); strings.Contains(byToken.Stderr.String(), "revoked") {
		t.Errorf("the session of a key that stays: %s", byToken.Stderr)
	}

	// The second secret goes: what it signed is worth nothing.
	s.write("token-secret", secret2)
	fresh := s.token(aliceKey)
	s.hangup(4, 0)
	s.wantStatuses(map[string]int{fresh: 200, token: 403})
	for _, secret := range []string{aliceKey, bobKey, secret1, secret2} {
		if strings.Contains(s.Stderr.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

// A flag beats the file of its variable, at the start and later.
func TestListReader_FlagAndFile_FlagStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a,b\n")
	t.Setenv("FARWIRE_API_KEYS_FILE", file)
	byFlag, byFile := listReader("api-keys", list{"c"}), listReader("api-keys", list{"a", "b"})
	write("d")
	if got, err := byFlag(); err != nil || fmt.Sprint(got) != "[c]" {
		t.Errorf("the flag's: %v, %v", got, err)
	}
	if got, err := byFile(); err != nil || fmt.Sprint(got) != "[d]" {
		t.Errorf("the file's: %v, %v", got, err)
	}
	write("d,,")
	if got, err := byFile(); err == nil || !strings.HasPrefix(err.Error(), "--api-keys: ") {
		t.Errorf("an empty entry: %v, %v", got, err)
	}
}

func TestServe_DrainDelay_UnreadyWhileServing(t *testing.T) {
	s := serveSecured(t, "--drain-delay", "1h")
	if status, body := s.ask("GET", "/readyz", ""); status != 200 {
		t.Fatalf("/readyz: %d %s", status, body)
	}
	s.Signal(harness.Terminate)
	s.Await(s.Stderr, `draining; a second signal stops at once`)
	for range 100 { // the line comes a moment before
		if status, _ := s.ask("GET", "/readyz", ""); status == 503 {
			break
		}
	}
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/usage": 200} {
		if status, body := s.ask("GET", path, aliceKey); status != want {
			t.Errorf("%s while the delay runs: %d %s, want %d", path, status, body, want)
		}
	}
	s.SignalUntilEnd(harness.Terminate)
	if status := s.Status(); status != statusFailed {
		t.Errorf("the second signal ends it with %d", status)
	}
}

func TestServe_TLS_LinesAreForHTTPS(t *testing.T) {
	s := serveSecured(t)
	said := s.Await(s.Stderr, `(?s)^.*\nusing:`)[0]
	for _, want := range []string{"--gateway wss://" + s.addr, "curl -N https://" + s.addr, "open https://" + s.addr} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
}

// The lines of a head count behind TLS, too: it is answered before it ends.
func TestServe_HeadOfManyLinesByHTTPS_AnsweredWhileItArrives(t *testing.T) {
	s := serveSecured(t)
	c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("a:\r\n", 1000))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge || resp.Header.Get("X-Farwire-From") != "gateway" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
}

// A key that is easily guessed is named by its place alone.
func TestServe_WeakKey_WarnsOnceWithoutTheKey(t *testing.T) {
	const weak = "abababababababababab"
	g := startServe(t, "--api-keys", "first=0123456789abcdefghij,second="+weak)
	g.Stop()
	said := g.Stderr.String()
	var lines []string
	for line := range strings.Lines(said) {
		if strings.Contains(line, "easily guessed") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "WARN") || !strings.Contains(lines[0], "entry=2") || strings.Contains(said, weak) {
		t.Errorf("said %q of a weak key, in all:\n%s", lines, said)
	}
}

// A key with a passphrase is named as one, in both of OpenSSL's forms.
func TestServe_EncryptedKey_IsNamed(t *testing.T) {
	cert := harness.NewCertificate(t).CertFile
	for _, b := range []*pem.Block{
		{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("sealed")},
		{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("sealed")},
		{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("sealed")},
	} {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", file}
		status, _, said := runHere(t, args, []string{"FARWIRE_DATA_DIR=" + t.TempDir(), "FARWIRE_BROWSER=none"})
		if status != statusMisuse || !strings.HasPrefix(said, "farwire: --tls-key: "+file+" is encrypted; give it without a passphrase") {
			t.Errorf("%s: status %d, %q", b.Type, status, said)
		}
	}
}
