//go:build unix

package deploy

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/farwire/farwire/internal/harness"
)

// ofServices are the page's blocks of SQL and commands for services.
var ofServices = []string{"replace the database's user", "replace the password of Redis"}

// A model is an API of a language model that knows some keys and says nothing of use.
type model struct {
	*httptest.Server
	mu    sync.Mutex
	known []string
	asked map[string]int // by key
}

func newModel(t *testing.T, known ...string) *model {
	m := &model{known: known, asked: map[string]int{}}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		m.asked[key]++
		w.Header().Set("Content-Type", "application/json")
		if w.WriteHeader(http.StatusBadRequest); !slices.Contains(m.known, key) {
			fmt.Fprint(w, `{"error":{"code":401,"message":"no such key"}}`)
			return
		}
		fmt.Fprint(w, `{"error":{"code":400,"message":"nothing to say"}}`)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *model) knows(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = keys
}

func (m *model) askedWith(key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[key]
}

// A servicesSite is two gateways and a worker whose secrets of services are in files.
type servicesSite struct {
	t        *testing.T
	dir      string
	database *harness.Server
	limits   *harness.Server
	bucket   *harness.S3Server
	model    *model
	admin    *sql.DB // the database's superuser
	addrs    [2]string
	gateways [2]*harness.Gateway
	worker   *harness.TestProcess
	relays   [2]*websocket.Conn
	site     string
}

const (
	ofAlice                = "key-of-alice-key-of-alice"
	oldSecret, freshSecret = "old-secret-of-a-service", "new-secret-of-a-service"
)

func newServicesSite(t *testing.T) *servicesSite {
	t.Helper()
	s := &servicesSite{t: t, dir: t.TempDir(), database: harness.Postgres(t), limits: harness.Redis(t, "--requirepass", oldSecret),
		bucket: harness.S3(t), model: newModel(t, oldSecret)}
	var err error
	if s.admin, err = sql.Open("pgx", s.database.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.admin.Close() })
	s.sql("CREATE ROLE gateway LOGIN PASSWORD '" + oldSecret + "'; CREATE DATABASE sites OWNER gateway")
	s.bucket.AddKey("old-access-key", oldSecret)
	s.secrets("gateway", "old-access-key", oldSecret)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `<title>A site</title><main><h1>A site</h1><p>This is the only page that there is, and it is short.</p></main>`)
	}))
	t.Cleanup(pages.Close)
	s.site = pages.URL + "/"
	for i := range s.addrs {
		s.addrs[i] = harness.FreeAddr(t)
		s.start(i)
	}
	s.work()
	return s
}

// secrets writes the files anew, each by a rename.
func (s *servicesSite) secrets(user, access, secret string) {
	s.t.Helper()
	database := url.URL{Scheme: "postgres", User: url.UserPassword(user, secret), Host: s.database.Addr, Path: "/sites", RawQuery: "sslmode=disable"}
	for name, text := range map[string]string{"DATABASE_URL": database.String(), "REDIS_URL": "redis://:" + secret + "@" + s.limits.Addr,
		"S3_ACCESS_KEY": access, "S3_SECRET_KEY": secret, "OPENROUTER_API_KEY": secret} {
		file := filepath.Join(s.dir, name)
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *servicesSite) command(args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := harness.Farwire(s.t, append(args, "--allow-private", "--api-keys", "alice="+ofAlice, "--drain-timeout", "20s")...)
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "OPENROUTER_API_KEY"} {
		cmd.Env = append(cmd.Env, name+"_FILE="+filepath.Join(s.dir, name))
	}
	cmd.Env = append(cmd.Env, "S3_ENDPOINT="+s.bucket.Endpoint, "S3_BUCKET="+s.bucket.Bucket, "FARWIRE_BROWSER=none",
		"OPENROUTER_BASE_URL="+s.model.URL+"/v1", "LLM_ENHANCEMENT_ENABLED=true")
	return cmd
}

// start starts a gateway, awaits that it is ready, and opens a relay at it.
func (s *servicesSite) start(i int) {
	s.t.Helper()
	g := harness.StartGateway(s.t, s.command("serve", "--listen", s.addrs[i], "--no-recrawl", "--rate", "1000", "--keepalive", "10m"))
	s.gateways[i] = g
	s.ready(g)
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, g.WS("/ws?url=ws%3A%2F%2Fecho.farwire.alt%2F"), &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {ofAlice}}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.CloseNow() })
	s.relays[i] = conn
	s.talk(i)
}

func (s *servicesSite) ready(g *harness.Gateway) {
	s.t.Helper()
	eventually(s.t, "it is ready", func() bool {
		status, _ := ask(s.t, g.HTTP("/readyz?require=stores"), ofAlice)
		return status == http.StatusOK
	})
}

// talk has a frame come back through a relay that is open.
func (s *servicesSite) talk(i int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	if err := s.relays[i].Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		s.t.Fatal(err)
	}
	if _, b, err := s.relays[i].Read(ctx); err != nil || string(b) != "hello" {
		s.t.Fatalf("the echo is %q, %v", b, err)
	}
}

func (s *servicesSite) work() {
	s.t.Helper()
	s.worker = harness.Start(s.t, s.command("work"))
	s.worker.Await(s.worker.Stderr, "recrawling due sites")
}

func (s *servicesSite) sql(statements string) {
	s.t.Helper()
	for statement := range strings.SplitSeq(statements, ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := s.admin.ExecContext(s.t.Context(), statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// redis runs commands of the page for the server, as a user who may.
func (s *servicesSite) redis(script, password string) {
	s.t.Helper()
	cmd := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(script, "redis-cli", "redis-cli -e -p "+portOf(s.limits.Addr)))
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+password, "OLD="+oldSecret, "NEW="+freshSecret)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s\n%v: %s", script, err, out)
	}
}

// crawl has a gateway crawl the site: a slot and the rate are Redis', the site is the
// database's, the file is the bucket's and the words are the model's.
func (s *servicesSite) crawl(g *harness.Gateway, key string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Timeout)
	defer cancel()
	before := s.model.askedWith(key)
	conn, _, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+ofAlice), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.CloseNow()
	asked, err := json.Marshal(map[string]any{"url": s.site, "enableAutoUpdate": true, "llmEnhance": true, "maxPages": 1})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := conn.Write(ctx, websocket.MessageText, asked); err != nil {
		s.t.Fatal(err)
	}
	var said strings.Builder
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			if code := websocket.CloseStatus(err); code != websocket.StatusNormalClosure || !strings.Contains(said.String(), `"type":"url"`) {
				s.t.Errorf("the crawl closed with %d:\n%s", code, said.String())
			}
			break
		}
		said.Write(append(b, '\n'))
	}
	if s.model.askedWith(key) == before {
		s.t.Errorf("the model was not asked with %s:\n%s", key, said.String())
	}
}

// recrawl has the worker crawl the site again.
func (s *servicesSite) recrawl() {
	s.t.Helper()
	db, err := sql.Open("pgx", strings.Replace(s.database.URL, "/postgres?", "/sites?", 1))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), "UPDATE farwire_sites SET next_crawl = now() WHERE leased_until IS NULL"); err != nil {
		s.t.Fatal(err)
	}
	s.worker.Await(s.worker.Stderr, `kind=recrawl .* ended_by=gateway code=1000 cause=""`)
}

// The gateways and the worker are restarted one after another while each service accepts
// the old secret and the new one. Only the sessions of the one that is restarted end, and
// when the old secrets are gone everything works.
func TestReplaceSecrets_OfServices_GatewaysRestartInTurn(t *testing.T) {
	t.Parallel()
	s := newServicesSite(t)
	for _, g := range s.gateways {
		s.crawl(g, oldSecret)
	}
	database, redis := steps(t, ofServices[0]), steps(t, ofServices[1])

	s.sql(strings.ReplaceAll(database[0], "'NEW'", "'"+freshSecret+"'"))
	s.redis(redis[0], oldSecret)
	s.bucket.AddKey("new-access-key", freshSecret)
	s.model.knows(oldSecret, freshSecret)
	s.secrets("gateway2", "new-access-key", freshSecret)
	for i, g := range s.gateways {
		s.talk(0)
		s.talk(1)
		g.Signal(harness.Terminate)
		ctx, cancel := context.WithTimeout(t.Context(), harness.Timeout)
		if _, _, err := s.relays[i].Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the relay at the gateway that is restarted: %v", err)
		}
		cancel()
		if status := g.Status(); status != 0 {
			t.Errorf("the gateway ended with status %d", status)
		}
		s.talk(1 - i)
		s.crawl(s.gateways[1-i], map[bool]string{true: oldSecret, false: freshSecret}[i == 0])
		s.start(i)
	}
	s.worker.Signal(harness.Terminate)
	if status := s.worker.Status(); status != 0 {
		t.Errorf("the worker ended with status %d", status)
	}
	s.work()

	s.sql(database[1])
	s.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('gateway', 'gateway2')")
	s.redis(redis[1], freshSecret)
	s.redis("redis-cli CLIENT KILL TYPE normal SKIPME yes", freshSecret)
	s.bucket.RemoveKey("old-access-key")
	s.model.knows(freshSecret)
	for i, g := range s.gateways {
		s.talk(i)
		s.ready(g)
		s.crawl(g, freshSecret)
	}
	s.recrawl()
	var canLogIn string
	if err := s.admin.QueryRowContext(t.Context(), "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'gateway'").Scan(&canLogIn); err != nil || canLogIn != "false" {
		t.Errorf("the old user can log in: %s, %v", canLogIn, err)
	}
	for _, p := range []*harness.TestProcess{s.gateways[0].TestProcess, s.gateways[1].TestProcess, s.worker} {
		for _, wrong := range []string{"password authentication", "WRONGPASS", "NOAUTH", "InvalidAccessKeyId"} {
			if strings.Contains(p.Log(), wrong) {
				t.Errorf("%s is in the log:\n%s", wrong, p.Log())
			}
		}
	}
}
