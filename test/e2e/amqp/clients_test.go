package amqp_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// hard is a body that breaks parsers which are not careful.
const hard = "{\"odds\": 1.95}\r\n\r\nevent: error\ndata: x\n\n\u2028\u2029\u0085 ☃ \x00\ufeff"

// lines gives what a program writes, a line at a time.
func lines(t *testing.T, cmd *exec.Cmd) func() string {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		timer.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	r := bufio.NewReader(out)
	return func() string {
		t.Helper()
		s, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %q, %v", cmd.Path, s, err)
		}
		return strings.TrimSuffix(s, "\n")
	}
}

// The seed's Python, with the host, the port and the names of this broker.
func TestPythonClient_Stream_IsRead(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	next := lines(t, harness.Python(t, "testdata/seed.py", srv.URL, strconv.Itoa(node.TLSPort), "py", v))
	if got := next(); !strings.HasPrefix(got, "{'node_id': 'farwire-de1', 'queue_name': 'py_de1_") {
		t.Errorf("%s", got)
	}
	p.send("amq.topic", "19454.match.123", amqp091.Publishing{ContentType: "application/json", Body: []byte(`{"odds": 1.95}`)})
	want := `{'body': '{"odds": 1.95}', 'routing_key': '19454.match.123', 'exchange': 'amq.topic', 'delivery_tag': 1, 'content_type': 'application/json'}`
	if got := next(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	// iter_lines splits at nothing but a line's end.
	p.send("amq.topic", "k", amqp091.Publishing{Body: []byte(hard)})
	if got := next(); !strings.Contains(got, `'delivery_tag': 2`) || !strings.Contains(got, `\u2028\u2029\x85 ☃ \x00\ufeff`) {
		t.Errorf("%s", got)
	}
}

func TestClient_Curl_ReadsTheStream(t *testing.T) {
	_, srv := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	b, err := json.Marshal(ask(v, nil))
	if err != nil {
		t.Fatal(err)
	}
	next := lines(t, exec.Command(harness.Look(t, "curl"), "-sS", "-N", "-X", "POST", "-H", "Content-Type: application/json",
		"-H", "X-API-Key: "+key, "-d", string(b), srv.URL+"/amqp"))
	for _, want := range []string{": the stream is open", "", "event: connected"} {
		if got := next(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := next(); !strings.HasPrefix(got, `data: {"node_id": `) {
		t.Errorf("%s", got)
	}
	p.send("amq.topic", "k", amqp091.Publishing{Body: []byte("x")})
	for _, want := range []string{"", "event: message",
		`data: {"body": "x", "routing_key": "k", "exchange": "amq.topic", "delivery_tag": 1, "content_type": ""}`, "id: 1", ""} {
		if got := next(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Parsers that others wrote, and their EventSource.
func TestClient_ParsersOfNPM_ReadTheStream(t *testing.T) {
	for _, which := range []string{"parser", "eventsource"} {
		t.Run(which, func(t *testing.T) {
			gw, srv := gateway(t, farwire.Options{})
			v := vhost()
			p := publish(t, node, v)
			b, err := json.Marshal(ask(v, nil))
			if err != nil {
				t.Fatal(err)
			}
			next := lines(t, harness.Node(t, "testdata/parsers.mjs", which, srv.URL+"/amqp", string(b)))
			if got := next(); !strings.HasPrefix(got, `["connected","",{"node_id":"farwire-de1"`) {
				t.Errorf("%s", got)
			}
			p.send("amq.topic", "k", amqp091.Publishing{Body: []byte(hard)})
			p.send("amq.topic", "k", amqp091.Publishing{Body: []byte("\xff")})
			var m struct{ Body string }
			if got := next(); json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimPrefix(got, `["message","1",`), "]")), &m) != nil || m.Body != hard {
				t.Errorf("%s", got)
			}
			if got := next(); !strings.HasPrefix(got, `["message","2",{"body":"/w==",`) {
				t.Errorf("%s", got)
			}
			go gw.Shutdown(t.Context())
			if got := next(); !strings.Contains(got, `{"message":"the gateway is draining","code":1001,"reason":"draining"}`) || !strings.HasPrefix(got, `["error",`) {
				t.Errorf("%s", got)
			}
		})
	}
}

// A browser's fetch.
func TestClient_Browser_ReadsTheStream(t *testing.T) {
	gw, _ := gateway(t, farwire.Options{})
	v := vhost()
	p := publish(t, node, v)
	seen := make(chan string, 10)
	mux := http.NewServeMux()
	mux.Handle("POST /amqp", gw.AMQP())
	mux.HandleFunc("GET /ask", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(ask(v, nil)) })
	mux.HandleFunc("POST /seen", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			b = []byte(err.Error())
		}
		seen <- string(b)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/browser.html") })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	dir := t.TempDir()
	cmd := exec.Command(harness.Look(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+dir, "--remote-debugging-port=0", srv.URL+"/")
	cmd.Env = append(os.Environ(), "HOME="+dir)
	harness.Start(t, cmd)
	next := func() string {
		t.Helper()
		select {
		case s := <-seen:
			return s
		case <-time.After(time.Minute):
			t.Fatal("the page reports nothing")
			return ""
		}
	}
	if got := next(); !strings.HasPrefix(got, `{"node_id":"farwire-de1"`) {
		t.Fatalf("%s", got)
	}
	p.send("amq.topic", "k", amqp091.Publishing{Body: []byte(hard)})
	var m struct{ Body string }
	if got := next(); json.Unmarshal([]byte(got), &m) != nil || m.Body != hard {
		t.Errorf("%s", got)
	}
	if err := gw.Shutdown(contextFor(t, time.Minute)); err != nil {
		t.Error(err)
	}
	if got := next(); got != `{"message":"the gateway is draining","code":1001,"reason":"draining"}` {
		t.Errorf("%s", got)
	}
	if got := next(); got != `"end"` {
		t.Errorf("%s", got)
	}
}
