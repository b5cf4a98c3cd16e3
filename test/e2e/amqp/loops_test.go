package amqp_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// block returns the code of docs/amqp.md whose first line is a comment with the
// client's name.
func block(t *testing.T, language, client string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/amqp.md")
	if err != nil {
		t.Fatal(err)
	}
	mark := "#"
	if language == "js" {
		mark = "//"
	}
	_, after, found := strings.Cut(string(text), "```"+language+"\n"+mark+" "+client+"\n")
	code, _, ended := strings.Cut(after, "\n```\n")
	if !found || !ended {
		t.Fatalf("docs/amqp.md has no block of %s for %s", language, client)
	}
	return code + "\n"
}

// loop returns a command that runs the block of a client, as it stands, with a
// handle that prints each message's body.
func loop(t *testing.T, client, base string, request any) *exec.Cmd {
	t.Helper()
	b, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	address := base + "/amqp"
	switch client {
	case "requests", "httpx", "aiohttp":
		head := fmt.Sprintf("import json\nURL, KEY, REQUEST = %q, %q, json.loads(%q)\ndef handle(m): print(m['body'], flush=True)\n", address, key, b)
		return harness.Python(t, write("loop.py", head+block(t, "python", client)))
	case "curl":
		head := fmt.Sprintf("URL=%s KEY=%s REQUEST='%s'\n", address, key, b)
		return exec.Command(harness.Look(t, "bash"), write("loop.sh", head+block(t, "sh", client)))
	}
	// The package is found beside the script; its browser's window is node's global.
	if err := os.Symlink(harness.NPM(t), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	head := fmt.Sprintf("globalThis.window = globalThis;\nglobalThis.document = { addEventListener() {}, removeEventListener() {} };\nconst URL = %q, KEY = %q, REQUEST = %s;\nconst handle = (m) => console.log(m.body);\n", address, key, b)
	return harness.Node(t, write("loop.mjs", head+block(t, "js", client)))
}

// A breakableProxy is a proxy whose method cut closes every connection.
type breakableProxy struct {
	*httptest.Server
	mu    sync.Mutex
	conns []net.Conn
}

func newBreakableProxy(t *testing.T, upstream string) *breakableProxy {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	c := &breakableProxy{}
	ln := harness.Conns(t, func(client net.Conn) {
		server, err := net.Dial("tcp", u.Host)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.conns = append(c.conns, client, server)
		c.mu.Unlock()
		go copyAndClose(server, client)
		copyAndClose(client, server)
	})
	c.Server = &httptest.Server{URL: "http://" + ln.Addr().String()}
	return c
}

func copyAndClose(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	to.Close()
	from.Close()
}

func (c *breakableProxy) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// The loops of docs/amqp.md go on where they were when the connection breaks, and
// end when that is useless.
func TestDocs_Loops_GoOnAndEnd(t *testing.T) {
	for _, client := range []string{"requests", "httpx", "aiohttp", "eventsource", "fetch-event-source", "curl"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			_, srv := gateway(t, farwire.Options{})
			v := vhost()
			p := publish(t, node, v)
			// A line end of some client in each body, and one above the limits of others.
			if _, err := p.QueueDeclare("log", true, false, false, false, amqp091.Table{"x-queue-type": "stream"}); err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("x", 300<<10)
			p.fill("", "log", 1, []byte("0 Å\u0085\u2028"))
			p.fill("", "log", 1, []byte("1 "+long))
			between := newBreakableProxy(t, srv.URL)
			next := lines(t, loop(t, client, between.URL, streamOf(v, fields{"offset": "first"})))
			want := func(prefix string) {
				t.Helper()
				got := next()
				if client == "curl" { // which prints the data, a line of JSON
					var data struct{ Body string }
					if err := json.Unmarshal([]byte(got), &data); err != nil {
						t.Fatalf("%.100q: %v", got, err)
					}
					got = data.Body
				}
				if !strings.HasPrefix(got, prefix) {
					t.Fatalf("got %.100q, want %q", got, prefix)
				}
			}
			want("0 Å")
			want("1 xxx")
			for i := 2; i < 5; i++ {
				between.cut()
				p.fill("", "log", 1, []byte(strconv.Itoa(i)))
				want(strconv.Itoa(i))
			}
		})
		t.Run(client+" refused", func(t *testing.T) {
			t.Parallel()
			var asked sync.Map
			_, srv := gateway(t, farwire.Options{})
			u, err := url.Parse(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			through := httputil.NewSingleHostReverseProxy(u)
			counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, _ := asked.LoadOrStore("n", new(int))
				*n.(*int)++
				// Else an answer that begins before the proxy has seen that the
				// request ends is lost now and then.
				if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
					t.Error(err)
				}
				through.ServeHTTP(w, r)
			}))
			defer counting.Close()
			cmd := loop(t, client, counting.URL, ask(vhost(), fields{"password": "wrong"}))
			out, err := cmd.CombinedOutput() // it ends by itself
			if !strings.Contains(string(out), "username or password refused") {
				t.Errorf("%s, %v", out, err)
			}
			if n, _ := asked.Load("n"); n == nil || *n.(*int) != 1 {
				t.Errorf("it asked %v times", n)
			}
		})
	}
}
