package hosting

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/farwire/farwire/internal/harness"
)

// client keeps no connection.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: harness.Timeout}

// A cluster is all the services that a gateway may have.
type cluster struct {
	bucket           *harness.S3Server
	database, limits *harness.Server
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{harness.S3(t), harness.Postgres(t), harness.Redis(t)}
	publish(t, c.bucket)
	return c
}

// environ configures a gateway.
func (c *cluster) environ() []string {
	return []string{
		"DATABASE_URL=" + c.database.URL, "REDIS_URL=redis://" + c.limits.Addr,
		"S3_ENDPOINT=" + c.bucket.Endpoint, "S3_BUCKET=" + c.bucket.Bucket,
		"S3_ACCESS_KEY=" + c.bucket.AccessKey, "S3_SECRET_KEY=" + c.bucket.SecretKey,
		"FARWIRE_BROWSER=none",
	}
}

// stop and start do so with all of them.
func (c *cluster) stop() {
	for _, s := range []*harness.Server{c.database, c.bucket.Server, c.limits} {
		s.Stop()
	}
}

func (c *cluster) start() {
	for _, s := range []*harness.Server{c.database, c.bucket.Server, c.limits} {
		s.Start()
	}
}

// publish lets anybody read the bucket, as a bucket policy of Amazon's does.
func publish(t *testing.T, s *harness.S3Server) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	admin, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
		"Resource": "arn:aws:s3:::` + s.Bucket + `/llms/*"}]}`
	if err := admin.SetBucketPolicy(t.Context(), s.Bucket, policy); err != nil {
		t.Fatal(err)
	}
}

// serve starts a gateway that reaches this machine.
func serve(t *testing.T, environ []string, args ...string) *harness.Gateway {
	t.Helper()
	cmd := harness.Farwire(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--allow-private", "--rate", "1000"}, args...)...)
	cmd.Env = append(cmd.Env, environ...)
	return harness.StartGateway(t, cmd)
}

// A changing site says another thing each time that it changes.
type changing struct {
	url   string
	state atomic.Int64
}

func newChanging(t *testing.T) *changing {
	s := &changing{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<title>A site</title><main><h1>A site</h1><p>%s, and there is nothing else to be said.</p></main>`, s.says())
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/"
	return s
}

// says is in the site's file.
func (s *changing) says() string {
	return fmt.Sprintf("This site is in its state number %d", s.state.Load())
}

// change returns what the site says from now on.
func (s *changing) change() string {
	s.state.Add(1)
	return s.says()
}

// An outcome is what a crawl's client is told.
type outcome struct {
	logs                []string
	result, url, secret string
	files               map[string]string // beside it: URLs by name
	trouble             string
	code                websocket.StatusCode
}

// crawl crawls the site through the gateway.
func crawl(t *testing.T, g *harness.Gateway, ask map[string]any) (out outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Timeout)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+g.Key), nil)
	if err != nil {
		t.Fatalf("%v: %v", err, resp)
	}
	defer conn.CloseNow()
	text, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
		t.Fatal(err)
	}
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			out.code = websocket.CloseStatus(err)
			return out
		}
		var m struct {
			Type, Content string
			Name, URL     string
			Secret        string `json:"webhook_secret"`
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		switch m.Type {
		case "log":
			out.logs = append(out.logs, m.Content)
		case "result":
			out.result = m.Content
		case "url":
			out.url, out.secret = m.Content, m.Secret
		case "file":
			if out.files == nil {
				out.files = map[string]string{}
			}
			out.files[m.Name] = m.URL
		case "error":
			out.trouble = m.Content
		}
	}
}

// enroll does so for a site, which must work.
func enroll(t *testing.T, g *harness.Gateway, s *changing) outcome {
	t.Helper()
	out := crawl(t, g, map[string]any{"url": s.url, "enableAutoUpdate": true, "full": true, "markdown": true})
	if out.code != 1000 || out.url == "" || len(out.files) != 2 || out.secret == "" || !strings.Contains(out.result, s.says()) {
		t.Fatalf("the enrolment came to %+v", out)
	}
	return out
}

// read returns a hosted file.
func read(t *testing.T, url string) (body string, header http.Header) {
	t.Helper()
	body, header, err := tryRead(url)
	if err != nil {
		t.Fatal(err)
	}
	return body, header
}

func tryRead(url string) (string, http.Header, error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", url, resp.Status, b)
	}
	return string(b), resp.Header, err
}

// await asks until the hosted file says so.
func await(t *testing.T, g *harness.Gateway, url, says string) {
	t.Helper()
	waitFor(t, g, "the file says "+says, func() bool {
		body, _, err := tryRead(url)
		return err == nil && strings.Contains(body, says)
	})
}

// waitFor asks until something is so; there is nothing to wait for but the next
// answer.
func waitFor(t *testing.T, g *harness.Gateway, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * harness.Timeout); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s; the gateway says\n%s", what, g.Stderr)
		}
	}
}

// hook tells the gateway that a site has changed.
func hook(t *testing.T, g *harness.Gateway, base, secret string) (status int, answer map[string]string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"base_url": base, "webhook_secret": secret})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Post(g.HTTP("/hooks/site-changed"), "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// A relaying client has an echo open, through which frames cross all the time
// until it is asked how many did.
type relaying struct {
	frames  atomic.Int64
	stop    context.CancelFunc
	stopped chan error
}

func relay(t *testing.T, g *harness.Gateway) *relaying {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	conn, resp, err := websocket.Dial(ctx, g.WS("/ws"), nil)
	if err != nil {
		t.Fatalf("%v: %v", err, resp)
	}
	ask := fmt.Sprintf(`{"apiKey": %q, "url": "ws://echo.farwire.alt", "agent": "local"}`, g.Key)
	if err := conn.Write(ctx, websocket.MessageText, []byte(ask)); err != nil {
		t.Fatal(err)
	}
	if _, b, err := conn.Read(ctx); err != nil || !strings.Contains(string(b), `"connected"`) {
		t.Fatalf("a relay: %s, %v", b, err)
	}
	r := &relaying{stop: cancel, stopped: make(chan error, 1)}
	go func() {
		defer conn.CloseNow()
		r.stopped <- r.cross(ctx, conn)
	}()
	t.Cleanup(cancel)
	return r
}

// cross sends frames and reads them back, each within ten seconds.
func (r *relaying) cross(ctx context.Context, conn *websocket.Conn) error {
	for {
		sent := fmt.Appendf(nil, "frame %d", r.frames.Load())
		frame, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := conn.Write(frame, websocket.MessageText, sent)
		var got []byte
		if err == nil {
			_, got, err = conn.Read(frame)
		}
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case !bytes.Equal(got, sent):
			return fmt.Errorf("%q came back as %q", sent, got)
		}
		r.frames.Add(1)
		select {
		case <-time.After(10 * time.Millisecond): // as fast as it can would be a benchmark
		case <-ctx.Done():
			return nil
		}
	}
}

// end stops the frames, all of which must have come back.
func (r *relaying) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.stopped; err != nil {
		t.Errorf("after %d frames: %v", r.frames.Load(), err)
	}
}

// query looks into PostgreSQL, or changes what is there.
func (c *cluster) query(t *testing.T, statement string, args ...any) (n int) {
	t.Helper()
	db, err := sql.Open("pgx", c.database.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), statement, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return n
}

// outcomes is how many recrawls of the site have ended, its enrolment included.
func (c *cluster) outcomes(t *testing.T, s *changing) int {
	t.Helper()
	return c.query(t, `SELECT count(*) FROM farwire_recrawls r JOIN farwire_sites s ON s.id = r.site_id WHERE s.base_url = $1`, s.url)
}
