package hosting

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
)

// A file is hosted in the bucket, where anybody can read it, and replaced when
// a hook says that its site has changed.
func TestHosting_SiteChanged_ReplacesTheFile(t *testing.T) {
	c := newCluster(t)
	g := serve(t, c.environ(), "--admin-listen", "127.0.0.1:0")
	metrics := g.Await(g.Stderr, `(?m)^metrics at (http://\S+)$`)[1]
	site := newChanging(t)
	out := enroll(t, g, site)
	if _, was := tell(t, metrics); was != [2]int{0, 0} {
		t.Errorf("before any recrawl the metrics tell of %v", was)
	}
	if !strings.HasPrefix(out.url, c.bucket.Endpoint+"/"+c.bucket.Bucket+"/llms/") {
		t.Errorf("its URL is %s", out.url)
	}
	body, header := read(t, out.url)
	if body != out.result {
		t.Errorf("the file is not the result: %q", body)
	}
	if header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("Cache-Control") != "public, no-cache" {
		t.Errorf("it comes with %v", header)
	}
	if status, answer := hook(t, g, site.url, "another secret"); status != 401 {
		t.Errorf("a hook without the secret: %d %v", status, answer)
	}
	if status, answer := hook(t, g, site.url+"else", out.secret); status != 404 {
		t.Errorf("a hook of a site that nobody enrolled: %d %v", status, answer)
	}
	// One that was crawled a moment ago would wait for a minute.
	c.query(t, `UPDATE farwire_sites SET last_crawl = last_crawl - interval '1 hour' RETURNING 1`)
	says := site.change()
	status, answer := hook(t, g, site.url, out.secret)
	if _, err := time.Parse(time.RFC3339, answer["next_crawl_at"]); status != 202 || err != nil {
		t.Errorf("a hook: %d %v", status, answer)
	}
	await(t, g, out.url, says)
	waitFor(t, g, "the recrawl is committed", func() bool { return c.outcomes(t, site) == 2 })
	for name, kind := range map[string]string{"llms-full.txt": "text/plain; charset=utf-8", "index.md": "text/markdown; charset=utf-8"} {
		body, header := read(t, out.files[name])
		if out.files[name] != strings.TrimSuffix(out.url, "llms.txt")+name || !strings.Contains(body, says) || header.Get("Content-Type") != kind {
			t.Errorf("%s at %s comes with %v and holds %q", name, out.files[name], header, body)
		}
	}
	waitFor(t, g, "the metrics tell of it", func() bool { _, n := tell(t, metrics); return n == [2]int{1, 1} })
	if text, _ := tell(t, metrics); !strings.Contains(text, `farwire_recrawls_total{outcome="changed"} 1`+"\n") {
		t.Errorf("the recrawl is told of as %s", regexp.MustCompile(`(?m)^farwire_recrawls_total.*$`).FindAllString(text, -1))
	}
	_, _, err := tryRead(g.HTTP("/files/" + strings.TrimPrefix(out.url, c.bucket.Endpoint+"/"+c.bucket.Bucket+"/")))
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the gateway's own files: %v", err)
	}
	g.Stop()
	for _, secret := range []string{c.bucket.SecretKey, harness.PostgresPassword, out.secret} {
		if strings.Contains(g.Stderr.String(), secret) {
			t.Errorf("%s is in the log:\n%s", secret, g.Stderr)
		}
	}
}

var (
	recrawls = regexp.MustCompile(`(?m)^farwire_recrawls_total\{outcome="\w+"\} (\d+)$`)
	lateness = regexp.MustCompile(`(?m)^farwire_recrawl_lateness_seconds_count (\d+)$`)
)

// tell returns the metrics, and the number of recrawls that they tell of: by
// outcome, and by how late they were.
func tell(t *testing.T, metrics string) (text string, n [2]int) {
	t.Helper()
	text, _ = read(t, metrics)
	for i, re := range []*regexp.Regexp{recrawls, lateness} {
		found := re.FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Fatalf("nothing is %v", re)
		}
		for _, m := range found {
			one, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			n[i] += one
		}
	}
	return text, n
}

// All services are away for a while. Open relays notice nothing, new requests
// are served, and what fell due is crawled once when they are back.
func TestServices_Unavailable_RelaysGoOn(t *testing.T) {
	c := newCluster(t)
	g := serve(t, c.environ())
	site, other := newChanging(t), newChanging(t)
	out := enroll(t, g, site)
	open := relay(t, g)
	before := c.outcomes(t, site)
	says := site.change()
	c.query(t, `UPDATE farwire_sites SET next_crawl = now() + interval '3 seconds' RETURNING 1`)
	due := time.Now().Add(3 * time.Second)
	c.stop()

	fresh := relay(t, g)
	unhosted := crawl(t, g, map[string]any{"url": other.url})
	if unhosted.code != 1000 || !strings.Contains(unhosted.result, other.says()) || unhosted.url != "" ||
		!strings.Contains(strings.Join(unhosted.logs, "\n"), "The file could not be hosted") {
		t.Errorf("a crawl without its storage came to %+v", unhosted)
	}
	unenrolled := crawl(t, g, map[string]any{"url": other.url, "enableAutoUpdate": true})
	if unenrolled.code != 1011 || !strings.Contains(unenrolled.result, other.says()) || unenrolled.url != "" || unenrolled.trouble == "" {
		t.Errorf("an enrolment without its database came to %+v", unenrolled)
	}
	if status, _ := hook(t, g, site.url, out.secret); status != 500 {
		t.Errorf("a hook without its database: %d", status)
	}
	waitFor(t, g, "it is due", func() bool { return time.Now().After(due) })
	g.Await(g.Stderr, `level=WARN .*site store unavailable`)
	crossed := open.frames.Load()
	c.start()
	await(t, g, out.url, says)
	waitFor(t, g, "the recrawl is committed", func() bool { return c.outcomes(t, site) > before })
	g.Await(g.Stderr, `level=INFO .*site store available again`)
	if crossed == 0 || fresh.frames.Load() == 0 {
		t.Errorf("%d frames crossed while all was away, and %d of a new relay", crossed, fresh.frames.Load())
	}
	open.end(t)
	fresh.end(t)
	enroll(t, g, other)
	g.Stop() // whatever is under way ends
	if n := c.outcomes(t, site); n != before+1 {
		t.Errorf("%d recrawls, want 1", n-before)
	}
}

// The bucket alone is away when a site falls due: its file is replaced when the
// bucket is back, by one recrawl that comes to something.
func TestBucket_Unavailable_RecrawlWaits(t *testing.T) {
	c := newCluster(t)
	g := serve(t, c.environ())
	site := newChanging(t)
	out := enroll(t, g, site)
	says := site.change()
	c.bucket.Stop()
	c.query(t, `UPDATE farwire_sites SET last_crawl = last_crawl - interval '1 hour' RETURNING 1`)
	if status, answer := hook(t, g, site.url, out.secret); status != 202 {
		t.Fatalf("a hook: %d %v", status, answer)
	}
	g.Await(g.Stderr, `level=WARN .*storage unavailable`)
	c.bucket.Start()
	await(t, g, out.url, says)
	good := `SELECT count(*) FROM farwire_recrawls WHERE error = ''`
	waitFor(t, g, "the recrawl is committed", func() bool { return c.query(t, good) == 2 })
}

// A gateway is started while its services are away, and uses them when they are
// there.
func TestServices_AvailableLater_AreUsed(t *testing.T) {
	c := newCluster(t)
	c.stop()
	g := serve(t, c.environ())
	site := newChanging(t)
	early := crawl(t, g, map[string]any{"url": site.url, "enableAutoUpdate": true})
	if early.code != 1011 || !strings.Contains(early.result, site.says()) {
		t.Errorf("an enrolment before the database is there came to %+v", early)
	}
	relay(t, g).end(t)
	c.start()
	var out outcome
	waitFor(t, g, "a site is enrolled", func() bool {
		out = crawl(t, g, map[string]any{"url": site.url, "enableAutoUpdate": true})
		return out.code == 1000
	})
	if body, _ := read(t, out.url); body != out.result {
		t.Errorf("the file is not the result: %q", body)
	}
}

// With no service at all, a gateway that is killed has its sites when it is
// started again, and crawls those that have fallen due.
func TestServe_Killed_KeepsItsSites(t *testing.T) {
	dir := t.TempDir()
	g := serve(t, []string{"FARWIRE_BROWSER=none"}, "--data-dir", dir, "--listen", harness.FreeAddr(t))
	site := newChanging(t)
	out := enroll(t, g, site)
	g.Signal(harness.Kill)
	<-g.Done()
	says := site.change()

	store, err := sqlstore.Open(t.Context(), "sqlite:"+dir+"/sites.db")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	sites, err := store.Enrolled(t.Context(), site.url)
	if err != nil || len(sites) != 1 || sites[0].HostedURL != out.url {
		t.Fatalf("the killed gateway left %+v, %v", sites, err)
	}
	if _, err := store.MakeDue(t.Context(), sites[0].ID, time.Now()); err != nil {
		t.Fatal(err)
	}

	again := serve(t, []string{"FARWIRE_BROWSER=none"}, "--data-dir", dir, "--listen", g.Addr)
	await(t, again, out.url, says)
	if status, answer := hook(t, again, site.url, out.secret); status != 202 {
		t.Errorf("its hook: %d %v", status, answer)
	}
}

// The names of files in a bucket hang on a secret in the database, so that they are the same
// for a gateway that is started again, whatever its token secret is.
func TestServe_StartedAgain_FilesKeepTheirAddresses(t *testing.T) {
	c := newCluster(t)
	site := newChanging(t)
	var seen []string
	for _, environ := range [][]string{nil, nil, {"FARWIRE_TOKEN_SECRET=" + strings.Repeat("another secret ", 3)}} {
		g := serve(t, append(c.environ(), environ...), "--data-dir", t.TempDir(), "--api-keys", "alice="+strings.Repeat("k", 32))
		g.Key = strings.Repeat("k", 32)
		out := crawl(t, g, map[string]any{"url": site.url})
		if out.code != 1000 || out.url == "" {
			t.Fatalf("the crawl came to %+v", out)
		}
		if seen = append(seen, out.url); out.url != seen[0] {
			t.Errorf("hosted at %s, before at %s", out.url, seen[0])
		}
		g.Signal(harness.Terminate)
		<-g.Done()
	}
}
