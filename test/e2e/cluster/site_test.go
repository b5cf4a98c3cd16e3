package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/farwire/farwire/internal/harness"
)

// A site is a web site of one page, in editions.
type site struct {
	*httptest.Server
	edition atomic.Int64
	hang    atomic.Bool   // requests wait until their client leaves
	hung    chan struct{} // one of them has begun to
	url     string        // where the file is hosted
	secret  string        // of its webhook
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{hung: make(chan struct{}, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/":
			http.NotFound(w, r)
		case s.hang.Load():
			s.hung <- struct{}{}
			<-r.Context().Done()
		default:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<title>A site</title><main><h1>A site</h1><p>This is edition %d of the only page of the site.</p></main>", s.edition.Load())
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// enrol crawls the site and has it crawled again every week.
func (d dialler) enrol(key string, s *site) {
	d.c.t.Helper()
	for _, m := range d.messages(key, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, s.URL)) {
		if m.Type == "url" {
			s.url, s.secret = m.Content, m.Secret
		}
	}
	if s.url == "" || s.secret == "" {
		d.c.t.Fatalf("%s is at %q, with secret %q", s.URL, s.url, s.secret)
	}
}

// crawl crawls the site and returns its file.
func (d dialler) crawl(key string, s *site) (text string) {
	d.c.t.Helper()
	for _, m := range d.messages(key, fmt.Sprintf(`{"url":%q}`, s.URL)) {
		if m.Type == "result" {
			text = m.Content
		}
	}
	return text
}

type message struct {
	Type, Content string
	Secret        string `json:"webhook_secret"`
}

// messages asks for a crawl, which must succeed.
func (d dialler) messages(key, request string) (all []message) {
	d.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, d.base+"/ws/crawl?api_key="+key, d.c.client())
	if err != nil {
		d.c.t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
		d.c.t.Fatal(err)
	}
	for {
		_, b, err := conn.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return all
		}
		var m message
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		if err != nil || m.Type == "error" {
			d.c.t.Fatalf("%v: %s", err, b)
		}
		all = append(all, m)
	}
}

// hook tells a gateway that the site has changed.
func (d dialler) hook(s *site) (status int) {
	d.c.t.Helper()
	body := fmt.Sprintf(`{"base_url":%q,"webhook_secret":%q}`, s.URL+"/", s.secret)
	req, err := http.NewRequest(http.MethodPost, d.url("/hooks/site-changed"), strings.NewReader(body))
	if err != nil {
		d.c.t.Fatal(err)
	}
	return d.c.do(req, nil)
}

// hosted returns what is in the bucket of a site.
func (c *cluster) hosted(s *site) string {
	c.t.Helper()
	name, ok := strings.CutPrefix(s.url, "https://files.test/")
	if !ok {
		c.t.Fatalf("the file is at %s", s.url)
	}
	client, err := minio.New(strings.TrimPrefix(c.bucket.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(c.bucket.AccessKey, c.bucket.SecretKey, ""), Region: "us-east-1",
	})
	if err != nil {
		c.t.Fatal(err)
	}
	object, err := client.GetObject(context.Background(), c.bucket.Bucket, name, minio.GetObjectOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer object.Close()
	text, err := io.ReadAll(object)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// awaitEdition waits until the hosted file is of the site's edition.
func (c *cluster) awaitEdition(s *site, within time.Duration) {
	c.t.Helper()
	want := fmt.Sprintf("edition %d ", s.edition.Load())
	c.await(within, func() bool { return strings.Contains(c.hosted(s), want) }, "the file of "+want)
}

// sql runs a statement in the gateways' database and returns its one number,
// if it has one.
func (c *cluster) sql(query string, args ...any) (n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.db.URL)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if strings.HasPrefix(query, "SELECT") {
		err = conn.QueryRow(ctx, query, args...).Scan(&n)
	} else {
		_, err = conn.Exec(ctx, query, args...)
	}
	if err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// due makes a site due now.
func (c *cluster) due(s *site) {
	c.t.Helper()
	c.sql("UPDATE farwire_sites SET next_crawl = now() WHERE base_url = $1", s.URL+"/")
}

// recrawls returns how many recrawls a gateway has ended well.
func (c *cluster) recrawls(i int) int {
	return len(regexp.MustCompile(`kind=recrawl .*code=1000`).FindAllString(c.gateways[i].Stderr.String(), -1))
}
