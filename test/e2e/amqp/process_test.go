package amqp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
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
	go http.Serve(ln, mux)
	io.Copy(io.Discard, os.Stdin) // until the test ends it
	return 0
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
	cmd  *exec.Cmd
	url  string
	done chan struct{}
}

func start(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], append([]string{role}, args...)...), done: make(chan struct{})}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make(chan string, 1)
	go func() {
		defer close(p.done)
		if role == "gateway" {
			s, _ := bufio.NewReader(out).ReadString('\n')
			line <- strings.TrimSpace(s)
		}
		p.cmd.Wait()
	}()
	if role == "gateway" {
		p.url = <-line
	}
	t.Cleanup(func() {
		in.Close()
		p.kill()
	})
	return p
}

// kill ends the process before it can close anything.
func (p *process) kill() {
	p.cmd.Process.Kill() // unless it has ended
	<-p.done
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
