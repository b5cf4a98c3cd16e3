package main

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// s3Environ configures a bucket.
func s3Environ(s *harness.S3Server) []string {
	return []string{"S3_ENDPOINT=" + s.Endpoint, "S3_BUCKET=" + s.Bucket, "S3_ACCESS_KEY=" + s.AccessKey, "S3_SECRET_KEY=" + s.SecretKey}
}

// with returns the environment with some variables of others' values.
func with(environ []string, change ...string) []string {
	return append(append([]string{}, environ...), change...)
}

func TestServe_Services_AreLogged(t *testing.T) {
	bucket, database, limits := harness.S3(t), harness.Postgres(t), harness.Redis(t)
	bucketHost := strings.TrimPrefix(bucket.Endpoint, "http://")
	for _, c := range []struct {
		environ []string
		uses    string
	}{
		{nil, "sites in SQLite at DIR/sites.db; files in DIR/files; limits in memory; no browser; no language model"},
		{with(s3Environ(bucket), "DATABASE_URL="+database.URL, "REDIS_URL=redis://:@"+limits.Addr+"/1", "OPENROUTER_API_KEY=a-key-of-the-model", "LLM_ENHANCEMENT_ENABLED=true",
			"BRIGHTDATA_WS_ENDPOINT=wss://user:a-password-of-the-service@browser.example.com:9222"),
			"sites in PostgreSQL at " + database.Addr + "; files in the bucket " + bucket.Bucket + " at " + bucketHost +
				"; limits in Redis at " + limits.Addr + "; a browser service at browser.example.com:9222; language model x-ai/grok-4.1-fast"},
		{[]string{"FARWIRE_BROWSER=true"},
			"sites in SQLite at DIR/sites.db; files in DIR/files; limits in memory; the browser " + harness.Look(t, "true") + "; no language model"},
		{[]string{"OPENROUTER_API_KEY=a-key-of-the-model", "LLM_MODEL=some/model", "LLM_ENHANCEMENT_ENABLED=True"},
			"sites in SQLite at DIR/sites.db; files in DIR/files; limits in memory; no browser; language model some/model"},
		{[]string{"OPENROUTER_API_KEY=a-key-of-the-model", "LLM_ENHANCEMENT_ENABLED=false"},
			"sites in SQLite at DIR/sites.db; files in DIR/files; limits in memory; no browser; no language model"},
		{[]string{"OPENROUTER_API_KEY=a-key-of-the-model"},
			"sites in SQLite at DIR/sites.db; files in DIR/files; limits in memory; no browser; no language model until LLM_ENHANCEMENT_ENABLED is true"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
		cmd.Env = append(append(cmd.Env, "FARWIRE_BROWSER=none"), c.environ...)
		g := harness.StartGateway(t, cmd)
		if got, want := g.Await(g.Stderr, `(?m)^using: (.*)$`)[1], strings.ReplaceAll(c.uses, "DIR", dir); got != want {
			t.Errorf("it uses\n%s\nwant\n%s", got, want)
		}
		g.Stop()
		for _, secret := range []string{bucket.SecretKey, url.QueryEscape(harness.PostgresPassword), harness.PostgresPassword, "a-key-of-the-model", "a-password-of-the-service"} {
			if strings.Contains(g.Stderr.String(), secret) {
				t.Errorf("it gives %s away", secret)
			}
		}
	}
}

// Where nothing is kept in the folder none is made.
func TestServe_NothingToKeep_MakesNoFolder(t *testing.T) {
	bucket, database := harness.S3(t), harness.Postgres(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(file, "below"))
	cmd.Env = append(cmd.Env, with(s3Environ(bucket), "DATABASE_URL="+database.URL)...)
	harness.StartGateway(t, cmd)
}

// A service that answers and says no ends the start, in one line that names the
// variable.
func TestServe_ServicesRefuse_NamesTheOption(t *testing.T) {
	bucket, database := harness.S3(t), harness.Postgres(t)
	limits := harness.Redis(t, "--requirepass", "the-redis-password")
	elsewhere := func(change func(*url.URL)) string {
		u, err := url.Parse(database.URL)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return "DATABASE_URL=" + u.String()
	}
	for _, c := range []struct {
		name    string
		environ []string
		want    string // separated by |
	}{
		{"bucket", with(s3Environ(bucket), "S3_BUCKET=nowhere"), "S3_BUCKET|no such bucket"},
		{"access key", with(s3Environ(bucket), "S3_ACCESS_KEY=nobody"), "S3_ACCESS_KEY|does not know"},
		{"secret key", with(s3Environ(bucket), "S3_SECRET_KEY=a-wrong-secret"), "S3_SECRET_KEY|not the access key's"},
		{"region", with(s3Environ(bucket), "S3_REGION=mars-1"), "S3_REGION"},
		{"TLS", with(s3Environ(bucket), "S3_ENDPOINT="+strings.Replace(bucket.Endpoint, "http:", "https:", 1)), "S3_ENDPOINT|http://"},
		{"password", []string{elsewhere(func(u *url.URL) { u.User = url.UserPassword("farwire", "a-wrong-secret") })}, "DATABASE_URL|password authentication failed"},
		{"database", []string{elsewhere(func(u *url.URL) { u.Path = "/nowhere" })}, "DATABASE_URL|nowhere"},
		{"TLS of the database", []string{elsewhere(func(u *url.URL) { u.RawQuery = "sslmode=require" })}, "DATABASE_URL|TLS"},
		{"no password for Redis", []string{"REDIS_URL=redis://" + limits.Addr}, "REDIS_URL|NOAUTH"},
		{"password of Redis", []string{"REDIS_URL=redis://:a-wrong-secret@" + limits.Addr}, "REDIS_URL|WRONGPASS"},
		{"number of the database of Redis", []string{"REDIS_URL=redis://:the-redis-password@" + limits.Addr + "/99"}, "REDIS_URL|range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := program(t, "serve", "--listen", "127.0.0.1:0")
			cmd.Env = append(cmd.Env, c.environ...)
			p := harness.Start(t, cmd)
			if status := p.Status(); status != statusMisuse {
				t.Errorf("status %d, want %d", status, statusMisuse)
			}
			said := p.Stderr.String()
			if !strings.HasPrefix(said, "farwire: ") || strings.Count(said, "\n") != 1 {
				t.Errorf("said %q, want one line", said)
			}
			for want := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(said, want) {
					t.Errorf("said %q, which does not name %q", said, want)
				}
			}
			for _, secret := range []string{bucket.SecretKey, harness.PostgresPassword, url.QueryEscape(harness.PostgresPassword), "a-wrong-secret", "the-redis-password"} {
				if strings.Contains(said, secret) {
					t.Errorf("said %q, which gives a secret away", said)
				}
			}
		})
	}
}

// A gateway starts while its services do not answer: nobody listens there, or
// somebody listens and is silent.
func TestServe_ServicesUnavailable_Starts(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, addr := range map[string]string{"refusing": harness.FreeAddr(t), "silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			cmd := program(t, "serve", "--listen", "127.0.0.1:0")
			cmd.Env = append(cmd.Env, "DATABASE_URL=postgres://farwire:a-secret-of-ours@"+addr+"/farwire", "REDIS_URL=redis://:a-secret-of-ours@"+addr,
				"S3_ENDPOINT=http://"+addr, "S3_BUCKET=llms", "S3_ACCESS_KEY=key", "S3_SECRET_KEY=a-secret-of-ours")
			g := harness.StartGateway(t, cmd)
			if status, body := harness.Get(t, g.HTTP("/usage?api_key="+g.Key)); status != 200 {
				t.Errorf("a request: %d %s", status, body)
			}
			g.Stop()
			for _, want := range []string{"the bucket cannot be reached yet", "the database cannot be reached yet", "Redis cannot be reached yet"} {
				if !strings.Contains(g.Stderr.String(), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if strings.Contains(g.Stderr.String(), "a-secret-of-ours") {
				t.Errorf("it gives a secret away:\n%s", g.Stderr)
			}
		})
	}
}

// Requests that Redis counted are among the metrics.
func TestServe_Redis_CountsRequests(t *testing.T) {
	limits := harness.Redis(t)
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "REDIS_URL=redis://"+limits.Addr)
	g := harness.StartGateway(t, cmd)
	metrics := g.Await(g.Stderr, `(?m)^metrics at (\S+)$`)[1]
	req, err := http.NewRequest(http.MethodPost, g.HTTP("/auth/token"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", g.Key)
	counted := regexp.MustCompile(`(?m)^farwire_limiter_answers_total\{source="shared"\} [1-9]`)
	for late := time.Now().Add(harness.Timeout); ; time.Sleep(50 * time.Millisecond) { // a busy machine may not let Redis answer in its time
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		status, body := harness.Get(t, metrics)
		if status == 200 && counted.MatchString(body) {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("after a request, answered %s, the metrics are %d %s", resp.Status, status, body)
		}
	}
}
