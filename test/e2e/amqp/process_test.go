package amqp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// gatewayProcess is a gateway in a process of its own, which tests can kill
// and whose heap holds nothing of theirs.
func gatewayProcess([]string) int {
	keys, err := farwire.APIKeys(map[string]string{key: "alice"})
	if err != nil {
		panic(err)
	}
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		panic(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: exit, Limits: farwire.Limits{Rate: -1},
		Logger: slog.New(slog.DiscardHandler), AMQP: farwire.AMQPOptions{StallTimeout: time.Hour}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /amqp", gw.AMQP())
	mux.HandleFunc("GET /heap", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC()
		runtime.GC() // what finalizers and pools let go
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		json.NewEncoder(w).Encode(m.HeapAlloc)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + ln.Addr().String())
	panic(http.Serve(ln, mux)) // until the test ends the process
}

// agentProcess is an agent in a process of its own.
func agentProcess(args []string) int {
	err := agent.Run(context.Background(), agent.RunOptions{Gateways: args[:1], Secret: agentSecret, Slug: "at5", Country: "AT",
		AllowPrivate: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	return 0
}

const agentSecret = "secret-of-the-agents-0123"

// A process is this test binary in another role.
type process struct {
	*harness.TestProcess
	url string // of a gateway
}

func start(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := &process{TestProcess: harness.Start(t, exec.Command(os.Args[0], append([]string{role}, args...)...))}
	if role == "gateway" {
		p.url = p.Await(p.Stdout, `(http://\S+)\n`)[1]
	}
	return p
}

func (p *process) heap(t testing.TB) int64 {
	t.Helper()
	resp, err := http.Get(p.url + "/heap")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var n int64
	if err := json.NewDecoder(resp.Body).Decode(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A rawStream is a client with nothing between it and its socket, so that it
// stalls a stream by not reading.
type rawStream struct {
	*stream
	conn net.Conn
}

func openRaw(t testing.TB, base string, body any) *rawStream {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /amqp HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: %d\r\n\r\n%s", key, len(b), b)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &rawStream{&stream{t, resp, func() { conn.Close() }, bufio.NewReader(resp.Body)}, conn}
}
