package amqp_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// Behind proxies that compress and buffer as they do by default, the head and each
// event arrive by themselves: the next message is published when the one before was
// seen.
func TestProxies_CompressAndBuffer_EventsArriveAtOnce(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, upstream string) (url string){
		"express with compression": express, "nginx with gzip": nginxWithGzip, "caddy with encode": caddyWithEncode,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, srv := gateway(t, farwire.Options{})
			v := vhost()
			p := publish(t, node, v)
			body := ask(v, nil)
			s := openThrough(t, start(t, srv.URL), body)
			for i := range 5 {
				p.send("amq.topic", "k", amqp091.Publishing{Body: []byte(fmt.Sprint(i))})
				if m := s.want("message"); m.data["body"] != fmt.Sprint(i) {
					t.Errorf("message %d: %s", i, m.raw)
				}
			}
		})
	}
}

// openThrough opens a stream whose answer may have been compressed on its way. It tries
// again as a client does: a proxy written with net/http may lose an answer that begins
// before it has seen that the request ends.
func openThrough(t *testing.T, url string, body any) *stream {
	t.Helper()
	for try := 1; ; try++ {
		s := open(t, url, body)
		t.Logf("Content-Encoding undone: %v, Cache-Control %q", s.resp.Uncompressed, s.resp.Header.Get("Cache-Control"))
		timer := time.AfterFunc(60*time.Second, s.cancel)
		e, err := s.next()
		timer.Stop()
		switch {
		case err == nil && e.name == "connected":
			return s
		case err == nil:
			t.Fatalf("got %s %s", e.name, e.raw)
		case try == 3:
			t.Fatalf("waiting for connected: %v", err)
		}
	}
}

func express(t *testing.T, upstream string) string {
	t.Helper()
	return lines(t, harness.Node(t, "testdata/express.cjs", upstream))()
}

func nginxWithGzip(t *testing.T, upstream string) string {
	t.Helper()
	ln := harness.Listen(t)
	harness.NginxConf(t, fmt.Sprintf(`
	gzip on;
	gzip_types *;
	gzip_proxied any;
	gzip_min_length 0;
	server {
		listen %s;
		location / {
			proxy_pass %s;
			proxy_http_version 1.1;
		}
	}
`, ln.Addr(), upstream), ln)
	return "http://" + ln.Addr().String()
}

func caddyWithEncode(t *testing.T, upstream string) string {
	t.Helper()
	dir := t.TempDir()
	addr := harness.FreeAddr(t)
	file := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin off\n}\nhttp://%s {\n\tencode gzip zstd\n\treverse_proxy %s\n}\n", addr, strings.TrimPrefix(upstream, "http://"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(harness.Look(t, "caddy"), "run", "--config", file, "--adapter", "caddyfile")
	run.Env = harness.Environ("HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	p := harness.Start(t, run)
	p.Await(p.Stderr, `serving initial configuration`)
	return "http://" + addr
}
