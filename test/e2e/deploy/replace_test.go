//go:build unix

package deploy

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// replacements are the page's recipes, in the order in which they are tried.
var replacements = []string{"replace agent-secret", "replace token-secret", "replace a key", "replace admin-key", "replace the certificate"}

// A site is a gateway whose secrets are files, an agent with one, and what is in use
// meanwhile.
type site struct {
	t            *testing.T
	gateway      *harness.Gateway
	admin        string
	files, agent string // the folders of the gateway and of the agent
	client       *http.Client
	reloads      int
	running      *websocket.Conn // a relay of bob's, whom nothing here concerns
	bob          string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, files: t.TempDir(), agent: t.TempDir()}
	old, fresh := harness.NewCertificate(t), harness.NewCertificate(t)
	for from, to := range map[string]string{old.CertFile: "cert.pem", old.KeyFile: "key.pem", fresh.CertFile: "cert.pem.new", fresh.KeyFile: "key.pem.new"} {
		s.write(filepath.Join(s.files, to), read(t, from))
	}
	authorities := filepath.Join(s.agent, "authorities.pem")
	s.write(authorities, read(t, old.CAFile)+read(t, fresh.CAFile))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(read(t, authorities)))
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}, Timeout: harness.Timeout}

	out, err := harness.Farwire(t, "keygen", "alice").Output()
	if err != nil {
		t.Fatal(err)
	}
	alice, record, _ := strings.Cut(string(out), "\n")
	s.write(filepath.Join(s.files, "alice"), alice)
	s.write(filepath.Join(s.files, "keys.json"), "[\n"+strings.TrimSpace(record)+"\n]\n")
	s.bob = strings.Repeat("key-of-bob-", 3)
	for _, name := range []string{"agent-secret", "token-secret", "admin-key"} {
		s.write(filepath.Join(s.files, name), strings.Repeat(name+"-1-", 3))
	}
	s.write(filepath.Join(s.agent, "agent-secret"), read(t, filepath.Join(s.files, "agent-secret")))

	in := s.in
	cmd := harness.Farwire(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--local-agent", "none", "--rate", "1000",
		"--tls-cert", in("cert.pem"), "--tls-key", in("key.pem"), "--keys-file", in("keys.json"), "--api-keys", "bob="+s.bob)
	cmd.Env = append(cmd.Env, "FARWIRE_AGENT_SECRET_FILE="+in("agent-secret"), "FARWIRE_TOKEN_SECRET_FILE="+in("token-secret"),
		"FARWIRE_ADMIN_KEY_FILE="+in("admin-key"), "FARWIRE_BROWSER=none")
	s.gateway = harness.StartGateway(t, cmd)
	s.admin = s.gateway.Await(s.gateway.Stderr, `(?m)^metrics at (http://[^/]+)/metrics$`)[1]
	s.startAgent("at1")
	s.running = s.open(s.bob)
	return s
}

// agentCommand is an agent whose secret is in a file.
func (s *site) agentCommand(slug string) *exec.Cmd {
	s.t.Helper()
	cmd := harness.Farwire(s.t, "agent", "--gateway", s.gateway.HTTP(""), "--slug", slug, "--country", "AT")
	cmd.Env = append(cmd.Env, "FARWIRE_SECRET_FILE="+filepath.Join(s.agent, "agent-secret"), "SSL_CERT_FILE="+filepath.Join(s.agent, "authorities.pem"))
	return cmd
}

// startAgent starts one and waits for its link.
func (s *site) startAgent(slug string) {
	s.t.Helper()
	harness.Start(s.t, s.agentCommand(slug))
	s.gateway.Await(s.gateway.Stderr, `msg="agent attached" .*slug=`+slug+` `)
}

func (s *site) write(file, text string) {
	s.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// open opens a relay to the echo.
func (s *site) open(key string) *websocket.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.gateway.WS("/ws")+"?url=ws%3A%2F%2Fecho.farwire.alt%2F",
		&websocket.DialOptions{HTTPClient: s.client, HTTPHeader: http.Header{"X-Api-Key": {key}}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.CloseNow() })
	s.talk(conn)
	return conn
}

// talk has a message come back.
func (s *site) talk(conn *websocket.Conn) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		s.t.Fatal(err)
	}
	if _, b, err := conn.Read(ctx); err != nil || string(b) != "hello" {
		s.t.Fatalf("the echo is %q, %v", b, err)
	}
}

// status asks with a key or a token, at the gateway or with the admin key at its admin
// address.
func (s *site) status(url, key string) (status int, body string) {
	s.t.Helper()
	method := http.MethodGet
	if strings.HasSuffix(url, "/auth/token") {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	resp, err := s.client.Do(req)
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

func (s *site) wantStatus(what, url, key string, want int) {
	s.t.Helper()
	if got, body := s.status(url, key); got != want {
		s.t.Errorf("%s: %d %s, want %d", what, got, body, want)
	}
}

var token = regexp.MustCompile(`"token":\s*"([^"]+)"`)

func (s *site) token(key string) string {
	s.t.Helper()
	_, body := s.status(s.gateway.HTTP("/auth/token"), key)
	m := token.FindStringSubmatch(body)
	if m == nil {
		s.t.Fatalf("no token in %s", body)
	}
	return m[1]
}

var step = regexp.MustCompile(`(?m)^(?:#|--) .*$`)

// steps are the scripts of a recipe, each behind the comment that says where and when.
func steps(t *testing.T, name string) []string {
	t.Helper()
	scripts := step.Split(pageBlock(t, name), -1)
	if scripts[0] != "" || len(scripts) < 2 {
		t.Fatalf("%s does not begin with a step", name)
	}
	return scripts[1:]
}

// do runs a step in a folder. The gateway's is reloaded when it says so, and has to
// refuse nothing; then what is in use still works.
func (s *site) do(script, dir string, env ...string) {
	s.t.Helper()
	runStep(s.t, script, dir, s.gateway.Pid(), env...)
	if strings.Contains(script, "systemctl reload") {
		s.reloads++
		s.gateway.Await(s.gateway.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=0\n`, s.reloads))
	}
	s.talk(s.running)
}

// runStep runs a step in a folder, where a service to reload is the process.
func runStep(t *testing.T, script, dir string, pid int, env ...string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(harness.Farwire(t).Path, filepath.Join(bin, "farwire")); err != nil {
		t.Fatal(err)
	}
	systemctl := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = 'reload farwire' ] && kill -HUP %d\n", pid)
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(systemctl), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir, cmd.Env = dir, harness.Environ(append(env, "PATH="+bin+":"+os.Getenv("PATH"))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v: %s", script, err, out)
	}
}

// Each secret is replaced as the page says, and what is in use notices nothing.
func TestReplaceSecrets_EachAsThePageSays_SessionsStay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, replace := range []func([]string){s.replaceAgentSecret, s.replaceTokenSecret, s.replaceKey, s.replaceAdminKey, s.replaceCertificate} {
		t.Log(replacements[i])
		replace(steps(t, replacements[i]))
	}
	s.talk(s.running)
	for _, dir := range []string{s.files, s.agent} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			info, err := file.Info()
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm()&0o037 != 0 {
				t.Errorf("%s: %v", file.Name(), info.Mode())
			}
		}
	}
}

func (s *site) in(name string) string { return filepath.Join(s.files, name) }

func (s *site) replaceAgentSecret(recipe []string) {
	s.do(recipe[0], s.files)
	s.do(recipe[1], s.files)
	s.startAgent("old") // with the old secret, which still counts
	s.write(filepath.Join(s.agent, "agent-secret.new"), read(s.t, s.in("agent-secret.new")))
	s.do(recipe[2], s.agent)
	s.startAgent("new")
	s.do(recipe[3], s.files)
	s.startAgent("newer")
	// Who knows only the old one does not attach any more.
	s.write(filepath.Join(s.agent, "agent-secret"), strings.Repeat("agent-secret-1-", 3))
	late := harness.Start(s.t, s.agentCommand("late"))
	late.Await(late.Stderr, "gateway refuses this agent")
}

func (s *site) replaceTokenSecret(recipe []string) {
	usage, alice := s.gateway.HTTP("/usage"), read(s.t, s.in("alice"))
	before := s.token(alice)
	for i, script := range recipe {
		want := http.StatusOK
		if i == 3 {
			want = http.StatusForbidden // by now it would have ended by itself
		}
		s.do(script, s.files)
		s.wantStatus("the old token", usage, before, want)
		s.wantStatus("a new token", usage, s.token(alice), http.StatusOK)
	}
}

func (s *site) replaceKey(recipe []string) {
	usage, alice := s.gateway.HTTP("/usage"), read(s.t, s.in("alice"))
	sum := sha256.Sum256([]byte(alice))
	s.do(recipe[0], s.files)
	s.do(recipe[1], s.files)
	fresh, _, _ := strings.Cut(read(s.t, s.in("alice.new")), "\n")
	s.wantStatus("the old key", usage, alice, http.StatusOK)
	s.wantStatus("the new key", usage, fresh, http.StatusOK)
	changed := s.open(fresh)
	s.do(recipe[2], s.files, "OLD="+hex.EncodeToString(sum[:]))
	s.talk(changed)
	s.wantStatus("the old key", usage, alice, http.StatusForbidden)
	s.wantStatus("the new key", usage, fresh, http.StatusOK)
}

func (s *site) replaceAdminKey(recipe []string) {
	old := read(s.t, s.in("admin-key"))
	s.wantStatus("the old admin key", s.admin+"/sessions", old, http.StatusOK)
	s.do(recipe[0], s.files)
	s.wantStatus("the old admin key", s.admin+"/sessions", old, http.StatusForbidden)
	s.wantStatus("the new admin key", s.admin+"/sessions", strings.TrimSpace(read(s.t, s.in("admin-key"))), http.StatusOK)
}

func (s *site) replaceCertificate(recipe []string) {
	shown := func() string {
		conn, err := tls.Dial("tcp", s.gateway.Addr, s.client.Transport.(*http.Transport).TLSClientConfig)
		if err != nil {
			s.t.Fatal(err)
		}
		defer conn.Close()
		return string(conn.ConnectionState().PeerCertificates[0].Raw)
	}
	old := shown()
	s.do(recipe[0], s.files)
	if shown() == old {
		s.t.Error("the old certificate is still shown")
	}
	s.open(s.bob)
}

// The password of NATS, as one of the services: gateways are restarted one after
// another, and meanwhile each reaches what the other holds.
func TestReplaceSecrets_PasswordOfNATS_GatewaysRestartInTurn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "nats.conf")
	users := func(passwords ...string) {
		var list string
		for i, p := range passwords {
			list += fmt.Sprintf("{user: user%d, password: %q}, ", i, p)
		}
		if err := os.WriteFile(config, []byte("authorization { users: ["+strings.TrimSuffix(list, ", ")+"] }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	users("old-password")
	addr := harness.FreeAddr(t)
	nats := harness.Start(t, exec.Command(harness.Look(t, "nats-server"), "--config", config, "--addr", "127.0.0.1", "--port", portOf(addr)))
	nats.Await(nats.Stderr, "Server is ready")
	urlFile := filepath.Join(dir, "nats-url")
	write := func(user, password string) {
		if err := os.WriteFile(urlFile, []byte("nats://"+user+":"+password+"@"+addr), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("user0", "old-password")
	const key = "key-of-alice-key-of-alice"
	start := func() *harness.Gateway {
		cmd := harness.Farwire(t, "serve", "--listen", "127.0.0.1:0", "--token-secret", strings.Repeat("token-secret-", 3), "--agent-secret", agentSecret,
			"--api-keys", "alice="+key, "--rate", "1000")
		cmd.Env = append(cmd.Env, "NATS_URL_FILE="+urlFile, "FARWIRE_BROWSER=none")
		return harness.StartGateway(t, cmd)
	}
	reaches := func(g *harness.Gateway, slug string) {
		t.Helper()
		eventually(t, slug+" is reached", func() bool {
			status, _ := ask(t, g.HTTP("/to/agent="+slug+"/http/echo.farwire.alt/"), key)
			return status == http.StatusOK
		})
	}
	agent := func(slug string, g *harness.Gateway) {
		t.Helper()
		harness.Start(t, harness.Farwire(t, "agent", "--gateway", g.HTTP(""), "--secret", agentSecret, "--slug", slug, "--country", "AT"))
		g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug)
	}
	one, two := start(), start()
	agent("at1", one)
	agent("de1", two)
	reaches(one, "de1")

	users("old-password", "new-password")
	nats.Signal(syscall.SIGHUP)
	nats.Await(nats.Stderr, "Reloaded server configuration")
	write("user1", "new-password")
	three := start() // before the first one goes: here nobody gives it its address again
	agent("at1", three)
	one.Stop()
	reaches(three, "de1")
	reaches(two, "at1")
	four := start()
	agent("de1", four)
	two.Stop()

	users("-", "new-password")
	nats.Signal(syscall.SIGHUP)
	nats.Await(nats.Stderr, `(?s)Reloaded server configuration.*Reloaded server configuration`)
	reaches(three, "de1")
	reaches(four, "at1")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(harness.Timeout); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", harness.Timeout, what)
		}
	}
}
