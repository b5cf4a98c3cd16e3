package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/harness"
)

// A subscriber is a client of POST /amqp.
type subscriber struct {
	t    testing.TB
	conn net.Conn
	resp *http.Response
	br   *bufio.Reader
}

// subscribe posts a body; lines are further headers.
func (w *world) subscribe(body string, lines ...string) *subscriber {
	w.t.Helper()
	conn, err := w.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	req := fmt.Sprintf("POST /amqp HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: %d\r\n", len(body))
	for _, l := range lines {
		req += l + "\r\n"
	}
	go io.WriteString(conn, req+"\r\n"+body) // an answer may come before the body has gone
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &subscriber{w.t, conn, resp, bufio.NewReader(resp.Body)}
	if resp.StatusCode == http.StatusOK {
		s.want(": the stream is open") // flushed with the head
	}
	return s
}

// want reads up to the next blank line and compares.
func (s *subscriber) want(lines ...string) {
	s.t.Helper()
	read := s.event
	if lines[0] == stillHere {
		read = s.part
	}
	if got, want := read(), strings.Join(lines, "\n"); got != want {
		s.t.Errorf("got %q, want %q", got, want)
	}
}

const stillHere = ": still here"

// event reads the next event, and the comments before it that a busy machine may bring.
func (s *subscriber) event() string {
	s.t.Helper()
	for {
		if got := s.part(); got != stillHere {
			return got
		}
	}
}

// part reads an event or a comment.
func (s *subscriber) part() string {
	s.t.Helper()
	var got []string
	for {
		line, err := s.br.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream: %q, %v", line, err)
		}
		if line == "\n" {
			return strings.Join(got, "\n")
		}
		got = append(got, strings.TrimSuffix(line, "\n"))
	}
}

func (s *subscriber) connected() {
	s.t.Helper()
	if got := s.event(); !strings.HasPrefix(got, `event: connected`+"\n"+`data: {"node_id": "`+testAgent+`", "queue_name": "scrape_de1_`) {
		s.t.Errorf("got %q", got)
	}
}

func (s *subscriber) ends() {
	s.t.Helper()
	if b, err := io.ReadAll(s.br); err != nil || len(b) > 0 {
		s.t.Errorf("after the end: %q, %v", b, err)
	}
}

const subscription = `{"apiKey": "` + testKey + `", "host": "broker.test"}`

func TestAMQP_BadRequest_IsRefused(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) {
		o.Agents = agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("nobody is there")}
		}}
	})
	with := func(fields string) string {
		return `{"apiKey": "` + testKey + `", "host": "broker.test", ` + fields + `}`
	}
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		detail     string
	}{
		{"empty", "", nil, 400, "the message is not valid JSON"},
		{"not JSON", "host=x", nil, 400, "the message is not valid JSON"},
		{"an array", "[]", nil, 400, "the message is not a JSON object"},
		{"two objects", "{}{}", nil, 400, "the message is more than one JSON object"},
		{"a name twice", `{"host": "a", "host": "b"}`, nil, 400, `"host" is given twice`},
		{"no host", `{"apiKey": "` + testKey + `"}`, nil, 400, "host is missing"},
		{"host null", `{"host": null}`, nil, 400, "host is missing"},
		{"host a number", `{"host": 5}`, nil, 400, "host must be a string"},
		{"host with a port", `{"host": "a:5672"}`, nil, 400, "host must be a name or an address, without a scheme or a port"},
		{"host in brackets", `{"host": "[::1]"}`, nil, 400, "host must be an IPv6 address without brackets, such as 2001:db8::1, and without a port"},
		{"host in brackets with a port", `{"host": "[2001:db8::1]:5672"}`, nil, 400, "host must be an IPv6 address without brackets, such as 2001:db8::1, and without a port"},
		{"host a URL", `{"host": "amqp://a"}`, nil, 400, "host must be a name or an address, without a scheme or a port"},
		{"host with a line end", `{"host": "a\nb"}`, nil, 400, "host must be a name or an address, without a scheme or a port"},
		{"port 0", with(`"port": 0`), nil, 400, "port must be a whole number from 1 to 65535"},
		{"port 65536", with(`"port": 65536`), nil, 400, "port must be a whole number from 1 to 65535"},
		{"port a string", with(`"port": "5672"`), nil, 400, "port must be a whole number from 1 to 65535"},
		{"port a fraction", with(`"port": 5672.5`), nil, 400, "port must be a whole number from 1 to 65535"},
		{"heartbeat -1", with(`"heartbeat": -1`), nil, 400, "heartbeat must be a whole number from 0 to 65535"},
		{"heartbeat too large", with(`"heartbeat": 65536`), nil, 400, "heartbeat must be a whole number from 0 to 65535"},
		{"agent of commas", with(`"agent": ","`), nil, 400, "agent names no agent; write it as de1,at5 or leave it out"},
		{"geo of blanks", with(`"geo": " "`), nil, 400, "geo names no country; write it as US,DE or leave it out"},
		{"prefix empty", with(`"queue_prefix": ""`), nil, 400, "queue_prefix must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"},
		{"prefix with a space", with(`"queue_prefix": "a b"`), nil, 400, "queue_prefix must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"},
		{"prefix too long", with(`"queue_prefix": "` + strings.Repeat("x", 65) + `"`), nil, 400, "queue_prefix must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"},
		{"ssl a string", with(`"ssl": "yes"`), nil, 400, "ssl must be true or false"},
		{"virtual_host too long", with(`"virtual_host": "` + strings.Repeat("x", 256) + `"`), nil, 400, "virtual_host must be at most 255 bytes"},
		{"exchange too long", with(`"exchange": "` + strings.Repeat("x", 256) + `"`), nil, 400, "exchange must be at most 255 bytes"},
		{"routing_key too long", with(`"routing_key": "` + strings.Repeat("☃", 86) + `"`), nil, 400, "routing_key must be at most 255 bytes"},
		{"geo a list", with(`"geo": ["DE"]`), nil, 400, "geo must be a string"},
		{"too large", `{"host": "` + strings.Repeat("x", 64<<10) + `"}`, nil, 413, "the body is larger than 64 KiB"},
		{"a form", "a=b", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "the body must be JSON and say so; add the header Content-Type: application/json (it is application/x-www-form-urlencoded)"},
		{"compressed", "xxx", []string{"Content-Encoding: gzip"}, 415, "the body must come without a Content-Encoding"},
		{"no key", `{"host": "a"}`, nil, 401, "API key missing"},
		{"a wrong key", `{"host": "a", "apiKey": "wrong"}`, nil, 403, "API key invalid"},
		{"the body's key counts first", `{"host": "a", "apiKey": "wrong"}`, []string{"X-API-Key: " + testKey}, 403, "API key invalid"},
		{"in the body", subscription, nil, 200, ""},
		{"under its other name", `{"host": "a", "key": "` + testKey + `"}`, nil, 200, ""},
		{"in the header", `{"host": "a"}`, []string{"X-API-Key: " + testKey}, 200, ""},
		{"as a bearer", `{"host": "a"}`, []string{"Authorization: Bearer " + testKey}, 200, ""},
		{"JSON of a kind", subscription, []string{"Content-Type: application/vnd.x+json; charset=utf-8"}, 200, ""},
		{"a parameter twice", subscription, []string{"Content-Type: application/json; a=1; a=2"}, 200, ""},
		{"an address", `{"host": "2001:db8::1", "key": "` + testKey + `"}`, nil, 200, ""},
		{"unknown names", with(`"unknown": {"a": [1]}, "port": null, "ssl": null`), nil, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.in(t).subscribe(c.body, c.headers...)
			if s.resp.StatusCode != c.status {
				t.Errorf("status %d, want %d", s.resp.StatusCode, c.status)
			}
			if c.status == 200 {
				s.want("event: error", `data: {"message": "agent error: connection failed", "code": 1011, "reason": "target_unreachable"}`)
				s.ends()
				return
			}
			var answer map[string]string
			if err := json.NewDecoder(s.br).Decode(&answer); err != nil || answer["detail"] != c.detail || answer["code"] == "" || len(answer) != 2 {
				t.Errorf("got %v, %v; want detail %q", answer, err, c.detail)
			}
		})
	}
}

func TestAMQP_LimitExceeded_IsRefused(t *testing.T) {
	broker := &brokertest.Broker{}
	w := newWorld(t, func(o *farwire.Options) {
		o.Limits = farwire.Limits{Rate: -1, Streams: 1}
		o.Agents = brokerExit(broker)
	})
	first := w.subscribe(subscription)
	first.connected()
	second := w.subscribe(subscription)
	if second.resp.StatusCode != 429 || second.resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d", second.resp.StatusCode)
	}
	if s := w.gw.Stats().Kinds[farwire.KindAMQP]; s.Active != 1 || s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

func brokerExit(b *brokertest.Broker) agent.Exit {
	return agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go b.Talk(far)
		return near, nil
	}}
}

// An agent that is lost is replaced by another before the stream begins.
func TestAMQP_AgentLost_TriesAnother(t *testing.T) {
	good := brokerExit(&brokertest.Broker{})
	bad := agent.Exit{ID: "farwire-at5", Slug: "at5", Country: "AT", DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &agent.DialError{Fault: agent.FaultAgent, Err: errors.New("tunnel lost")}
	}}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exits{bad, good} })
	w.subscribe(subscription).connected()
	w.subscribe(strings.Replace(subscription, "}", `, "agent": "at5"}`, 1)).
		want("event: error", `data: {"message": "agent error: agent lost", "code": 1011, "reason": "agent_lost"}`)
}

type exits []agent.Exit

func (s exits) SelectAgent(_ context.Context, q agent.Query) (agent.Exit, error) {
	for _, e := range s {
		if q.Fits(e) {
			return e, nil
		}
	}
	return agent.Exit{}, agent.ErrNoAgent
}

func TestAMQP_LoginRefused_IsReported(t *testing.T) {
	for _, c := range []struct{ name, mechanisms, fields, want string }{
		{"plain", "AMQPLAIN PLAIN", `"username": "u", "password": "p"`, "\x05PLAIN\x00\x00\x00\x04\x00u\x00p"},
		{"a table alone", "AMQPLAIN", `"username": "u", "password": "p"`, "\x08AMQPLAIN"},
		{"a zero byte", "PLAIN AMQPLAIN", `"username": "u", "password": "p\u0000q"`, "\x08AMQPLAIN"},
		{"nobody", "PLAIN ANONYMOUS", `"username": ""`, "\x09ANONYMOUS\x00\x00\x00\x00"},
		{"nobody, not welcome", "PLAIN", `"username": ""`, "\x05PLAIN\x00\x00\x00\x02\x00\x00"},
	} {
		broker := &brokertest.Broker{Mechanisms: c.mechanisms}
		w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(broker) })
		w.subscribe(strings.Replace(subscription, "}", ", "+c.fields+"}", 1)).connected()
		if login := broker.Login(); !strings.HasPrefix(login, c.want) {
			t.Errorf("%s: %q, want %q", c.name, login, c.want)
		}
	}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(&brokertest.Broker{Mechanisms: "EXTERNAL"}) })
	w.subscribe(subscription).want("event: error",
		`data: {"message": "agent error: the broker offers no login mechanism that takes a username and password", "code": 1011, "reason": "target_refused"}`, "retry: 86400000")
}

// A broker that breaks the rules ends its own stream and nothing else.
func TestAMQP_BrokenBroker_EndsItsStreamAlone(t *testing.T) {
	for name, serve := range map[string]func(*brokertest.Conn){
		"type":              func(c *brokertest.Conn) { c.Frame(9, 1, nil) },
		"body alone":        func(c *brokertest.Conn) { c.Frame(3, 1, []byte("x")) },
		"content of others": func(c *brokertest.Conn) { c.Method(1, brokertest.Method{Class: 60, ID: 50}) },
		"huge":              func(c *brokertest.Conn) { c.Write([]byte{1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 10, 0, 10}) },
	} {
		w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(&brokertest.Broker{Serve: serve}) })
		s := w.subscribe(subscription)
		s.connected()
		if e := s.event(); !strings.HasPrefix(e, "event: error\ndata: {\"message\": \"agent error: broken AMQP frame: ") {
			t.Errorf("%s: %s", name, e)
		}
		s.ends()
	}
	for name, c := range map[string]struct {
		serve func(*brokertest.Conn)
		want  string
	}{
		"cancel": {func(c *brokertest.Conn) {
			c.Method(1, brokertest.Method{Class: 60, ID: 30}, brokertest.ShortString("farwire"), []byte{1})
		}, "the broker cancelled the consumer: the queue was deleted or its node is gone"},
		"channel": {func(c *brokertest.Conn) {
			c.Method(1, brokertest.Method{Class: 20, ID: 40}, []byte{1, 150}, brokertest.ShortString("PRECONDITION_FAILED - too \x1b[31mlate"), make([]byte, 4))
		}, "the broker refused: 406 too [31mlate"},
		"close": {func(c *brokertest.Conn) {
			c.Method(0, brokertest.Method{Class: 10, ID: 50}, []byte{1, 64}, brokertest.ShortString("CONNECTION_FORCED - 10.0.0.1 leaves"), make([]byte, 4))
		}, "the broker is shutting down or its operator closed the connection"},
	} {
		w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(&brokertest.Broker{Serve: c.serve}) })
		s := w.subscribe(subscription)
		s.connected()
		s.want("event: error", `data: {"message": "agent error: `+c.want+`", "code": 1011, "reason": "target_lost"}`)
		s.ends()
		if t.Failed() {
			t.Log(name)
		}
	}
}

// noFlush hides everything but the three methods.
type noFlush struct{ http.ResponseWriter }

func TestAMQP_BehindMiddleware_Streams(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(&brokertest.Broker{}) })
	var wrap atomic.Pointer[func(http.ResponseWriter) http.ResponseWriter]
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.gw.AMQP().ServeHTTP((*wrap.Load())(rw), r)
	}))
	defer srv.Close()
	post := func(f func(http.ResponseWriter) http.ResponseWriter) *http.Response {
		t.Helper()
		wrap.Store(&f)
		resp, err := http.Post(srv.URL, "application/json", strings.NewReader(subscription))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := post(func(rw http.ResponseWriter) http.ResponseWriter {
		return harness.OnlyUnwrap{Inner: harness.OnlyUnwrap{Inner: rw}}
	})
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	resp.Body.Close()
	if err != nil || line != ": the stream is open\n" {
		t.Errorf("behind Unwrap: %q, %v", line, err)
	}
	resp = post(func(rw http.ResponseWriter) http.ResponseWriter { return noFlush{rw} })
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 500 || string(b) != `{"detail":"the server cannot stream: the response cannot be flushed","code":"internal"}` ||
		resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("without Flush: %s %s %s, %v", resp.Status, resp.Header, b, err)
	}
}

func TestAMQP_Stream_IsAccounted(t *testing.T) {
	results := make(chan farwire.SessionResult, 1)
	broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) { c.Deliver(1, "k", "12345") }}
	w := newWorld(t, func(o *farwire.Options) {
		o.Agents = brokerExit(broker)
		o.Trace = &farwire.Trace{SessionEnd: func(_ context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			if i.Kind != "amqp" || i.Subject != "alice" {
				t.Errorf("%+v", i)
			}
			results <- r
		}}
	})
	s := w.subscribe(subscription)
	s.connected()
	s.want("event: message", `data: {"body": "12345", "routing_key": "k", "exchange": "ex", "delivery_tag": 1, "content_type": ""}`, "id: 1")
	// An event counts when its flush has returned, which a client that leaves may be ahead of.
	waitUntil(t, "the event to count", func() bool {
		for running := range w.gw.Sessions() {
			return running.Counters.BytesToClient == 5
		}
		return false
	})
	s.conn.Close()
	r := <-results
	r.Duration = 0
	want := farwire.SessionResult{Agent: testAgent, Target: "broker.test:5672", EndedBy: "client", FramesToClient: 1, BytesToClient: 5}
	if r != want {
		t.Errorf("\n got %+v\nwant %+v", r, want)
	}
}

func FuzzAMQPBody(f *testing.F) {
	f.Add([]byte(subscription))
	f.Add([]byte(`{"apiKey":"` + testKey + `","host":"a","port":1,"heartbeat":0,"ssl":true}`))
	f.Add([]byte(`{"host":"\u0000","queue_prefix":"."}`))
	keys, err := farwire.APIKeys(map[string]string{testKey: "alice"})
	if err != nil {
		f.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Limits: farwire.Limits{Rate: -1}, Agents: exits{}})
	if err != nil {
		f.Fatal(err)
	}
	h := gw.AMQP()
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", "/amqp", bytes.NewReader(body)))
		switch {
		case rec.Code == 200 && !strings.HasPrefix(rec.Body.String(), ": the stream is open\n\nevent: error\ndata: {\"message\": \"no agent is attached that fits"):
			t.Fatalf("%q: %s", body, rec.Body)
		case rec.Code != 200 && (rec.Code < 400 || rec.Code > 415 || !json.Valid(rec.Body.Bytes())):
			t.Fatalf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}
