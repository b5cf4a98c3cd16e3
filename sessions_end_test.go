package farwire_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// An endingPeers is an AgentSelector with two other gateways, which end as many sessions as
// they are told to have.
type endingPeers struct {
	farwire.AgentSelector
	have  []int
	asked []string
}

func (p *endingPeers) AskPeers(_ context.Context, question []byte, each func(string, []byte)) {
	p.asked = append(p.asked, string(question))
	for i, n := range p.have {
		each(fmt.Sprint(i), fmt.Appendf(nil, `{"ended":%d}`, n))
	}
}

func (p *endingPeers) AnswerPeers(func(context.Context, []byte) ([]byte, error)) {}

// An operator ends a caller's sessions at this gateway and at the others, and is told how many
// they were in all. The others are asked for a single session only if this gateway has not got it.
func TestAllSessions_DeleteInACluster_CountsOwnAndPeers(t *testing.T) {
	var peers *endingPeers
	w := newWorld(t, func(o *farwire.Options) {
		peers = &endingPeers{AgentSelector: o.Agents, have: []int{2, 3}}
		o.Agents = peers
	})
	remove := func(path string) (ended int) {
		t.Helper()
		var answer struct{ Ended int }
		peers.asked = nil
		if code := askJSON(t, w.gw.AllSessionsHandler(), "DELETE", path, "", &answer); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
		return answer.Ended
	}
	target := newTarget(t, echo)
	first, second := w.connected(target, ""), w.connected(target, "")
	if n := remove("/sessions?subject=alice"); n != 2+5 {
		t.Errorf("%d sessions are ended, want 7", n)
	}
	if want := `{"subject":"alice","end":true,"reason":"ended by request"}`; len(peers.asked) != 1 || peers.asked[0] != want {
		t.Errorf("the others are asked %q, want %q", peers.asked, want)
	}
	first.wantClose(1008, "ended by request")
	second.wantClose(1008, "ended by request")

	known := map[string]bool{}
	for s := range w.gw.Sessions() {
		known[s.ID] = true
	}
	third := w.connected(target, "")
	var id string
	for s := range w.gw.Sessions() {
		if !known[s.ID] {
			id = s.ID
		}
	}
	if n := remove("/sessions/" + id); n != 1 || len(peers.asked) != 0 {
		t.Errorf("%d sessions are ended, the others are asked %q", n, peers.asked)
	}
	third.wantClose(1008, "ended by request")
	peers.have = []int{0, 1}
	if n := remove("/sessions/elsewhere"); n != 1 {
		t.Errorf("%d sessions are ended elsewhere, want 1", n)
	}
	var question struct {
		IDs     []string
		Subject string
	}
	if err := json.Unmarshal([]byte(strings.Join(peers.asked, "")), &question); err != nil || len(question.IDs) != 1 || question.IDs[0] != "elsewhere" || question.Subject != "" {
		t.Errorf("the others are asked %q", peers.asked)
	}
}

// A takenOver is a ResponseWriter with a connection of a middleware.
type takenOver struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (w takenOver) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// When a middleware's connection panics below a crawl, its session ends: the connection is closed,
// it is logged, no drain waits for it, and net/http gets the panic.
func TestCrawl_ConnectionPanics_SessionEnds(t *testing.T) {
	r := httptest.NewRequest("GET", "/ws/crawl", nil)
	for name, value := range map[string]string{
		"X-API-Key": testKey, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	near, far := net.Pipe()
	defer far.Close()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		io.Copy(io.Discard, far)
	}()
	var ended []farwire.SessionResult
	w := newGatewayWorld(t, func(o *farwire.Options) {
		o.Trace = &farwire.Trace{SessionEnd: func(_ context.Context, _ farwire.SessionInfo, r farwire.SessionResult) { ended = append(ended, r) }}
	})
	func() {
		defer func() {
			if v := recover(); v != boom {
				t.Errorf("net/http gets %v", v)
			}
		}()
		w.gw.Crawl().ServeHTTP(takenOver{httptest.NewRecorder(), &panickingConn{near, "Read"}}, r)
	}()
	if len(ended) != 1 || ended[0].Code != 1011 || ended[0].EndedBy != farwire.EndedByGateway || ended[0].Err == nil || !strings.Contains(ended[0].Err.Error(), boom) {
		t.Errorf("ended %+v", ended)
	}
	if err := w.gw.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-closed:
	case <-time.After(testTimeout):
		t.Error("the connection is open")
	}
	w.wantLog(`kind=crawl .*ended_by=gateway code=1011`)
}
