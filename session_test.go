package farwire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/brokertest"
)

// askJSON asks a handler as the owner of a key and decodes the answer.
func askJSON(t *testing.T, h http.Handler, method, path, key string, into any) int {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if key != "" {
		r.Header.Set("X-API-Key", key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
		}
	}
	return w.Code
}

type sessionList struct {
	Sessions []struct {
		ID, Kind, Subject, Agent, Target, Remote string
		In                                       int64 `json:"bytes_in"`
		Out                                      int64 `json:"bytes_out"`
	}
}

func TestSessions_RunningRelay_ListedAndEnded(t *testing.T) {
	const bobsKey = "key-of-bob-0123456789"
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = mustKeys(t, map[string]string{testKey: "alice", bobsKey: "bob"})
	})
	closed := make(chan frame, 2)
	url := newTarget(t, func(p *peer) {
		for {
			f, err := p.nextWithin(time.Minute)
			if err != nil {
				return
			}
			if f.op == opClose {
				closed <- f
				p.close(1001, "")
				return
			}
			p.frame(f.op, true, f.payload)
		}
	})
	p := w.connected(url, "")
	p.text("hello")
	p.wantText("hello")

	var list sessionList
	waitFor(t, func() bool {
		askJSON(t, w.gw.SessionsHandler(), "GET", "/sessions", testKey, &list)
		return len(list.Sessions) == 1 && list.Sessions[0].Agent == "farwire-de1" && list.Sessions[0].In > 0 && list.Sessions[0].Out > 0
	})
	s := list.Sessions[0]
	if s.Kind != "relay" || s.Subject != "" || s.Target == "" || s.Remote != "127.0.0.1" || s.In == 0 {
		t.Errorf("session %+v", s)
	}
	var others sessionList
	if askJSON(t, w.gw.SessionsHandler(), "GET", "/sessions", bobsKey, &others); len(others.Sessions) != 0 {
		t.Errorf("bob sees %+v", others)
	}
	var refused map[string]string
	if code := askJSON(t, w.gw.SessionsHandler(), "DELETE", "/sessions/"+s.ID, bobsKey, &refused); code != 404 || refused["code"] != "bad_request" {
		t.Errorf("bob ends alice's session: %d %v", code, refused)
	}
	if code := askJSON(t, w.gw.SessionsHandler(), "DELETE", "/sessions?subject=alice", bobsKey, nil); code != 400 {
		t.Errorf("bob ends all of alice's: %d", code)
	}
	var all sessionList
	if askJSON(t, w.gw.AllSessionsHandler(), "GET", "/sessions", "", &all); len(all.Sessions) != 1 || all.Sessions[0].Subject != "alice" {
		t.Errorf("an operator sees %+v", all)
	}
	if code := askJSON(t, w.gw.SessionsHandler(), "DELETE", "/sessions/"+s.ID, testKey, nil); code != 200 {
		t.Errorf("alice ends hers: %d", code)
	}
	p.wantClose(1008, "ended by request")
	p.close(1008, "")
	if f := <-closed; string(f.payload) != string(closePayload(1001, "ended by request")) {
		t.Errorf("the target got %v", f)
	}
	w.wantLog(`kind=relay .* ended_by=gateway code=1008`)
}

func TestAllSessions_DeleteBySubject_EndsThatCallers(t *testing.T) {
	w := newWorld(t)
	p := w.connected(newTarget(t, echo), "")
	var answer struct{ Ended int }
	if code := askJSON(t, w.gw.AllSessionsHandler(), "DELETE", "/sessions?subject=nobody", "", &answer); code != 200 || answer.Ended != 0 {
		t.Errorf("nobody's: %d %+v", code, answer)
	}
	if code := askJSON(t, w.gw.AllSessionsHandler(), "DELETE", "/sessions?subject=alice", "", &answer); code != 200 || answer.Ended != 1 {
		t.Errorf("alice's: %d %+v", code, answer)
	}
	p.wantClose(1008, "ended by request")
}

func TestEndWhere_StreamAndRecrawlKinds_ErrorEvent(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(&brokertest.Broker{Serve: func(*brokertest.Conn) {}}) })
	s := w.subscribe(subscription)
	s.connected()
	if n := w.gw.EndWhere(func(s farwire.Session) bool { return s.Kind == farwire.KindAMQP }, "key revoked"); n != 1 {
		t.Fatalf("%d sessions ended", n)
	}
	s.want("event: error", `data: {"message": "key revoked", "code": 1008, "reason": "ended"}`, `retry: 86400000`)
	s.ends()
}

func TestSessions_OtherMethod_Answers405(t *testing.T) {
	w := newWorld(t)
	for _, h := range []http.Handler{w.gw.SessionsHandler(), w.gw.AllSessionsHandler()} {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest("POST", "/sessions", strings.NewReader("{}")))
		if r.Code != 405 || r.Header().Get("Allow") != "GET, HEAD, DELETE" {
			t.Errorf("POST: %d, Allow %q", r.Code, r.Header().Get("Allow"))
		}
	}
}

// In the size class of 352 bytes sessions would lie between maps of headers, whose memory could
// not be given back while the sessions last.
func TestSession_Size_SharesNoClassWithHeaders(t *testing.T) {
	if size := farwire.SessionSize; size <= 352 || size > 384 {
		t.Errorf("a session has %d bytes", size)
	}
}
