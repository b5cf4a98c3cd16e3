package farwire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// An agentLostConn tells of the end of the target's stream as one tells of a lost agent.
type agentLostConn struct{ net.Conn }

func (c agentLostConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = &agent.DialError{Fault: agent.FaultAgent, Err: err}
	}
	return n, err
}

// A target that has a request already gets it again only where that is harmless (RFC
// 9110, section 9.2.2).
func TestPathForm_AgentLostAfterTheRequest_RepeatsIdempotentOnesAlone(t *testing.T) {
	var mu sync.Mutex
	arrived := make(map[string]int) // by the header that names the case
	good := direct(t, agent.DirectOptions{Slug: "bb1", Country: "BB", AllowPrivate: true})
	bad := direct(t, agent.DirectOptions{Slug: "aa1", Country: "AA", AllowPrivate: true})
	dial := bad.DialContext
	bad.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return agentLostConn{conn}, nil
	}
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name := r.Header.Get("X-Case")
		mu.Lock()
		arrived[name]++
		first := arrived[name] == 1
		mu.Unlock()
		if first {
			panic(http.ErrAbortHandler) // which closes the connection
		}
	}), func(o *farwire.Options) {
		o.Agents = selectFunc(func(_ context.Context, q agent.Query) (agent.Exit, error) {
			if len(q.Exclude) == 0 {
				return bad, nil
			}
			return good, nil
		})
	})
	for i, c := range []struct {
		method, body, header string
		again                bool
	}{
		{"GET", "", "", true}, {"HEAD", "", "", true}, {"OPTIONS", "", "", true}, {"TRACE", "", "", true},
		{"PUT", "", "", true}, {"DELETE", "", "", true},
		{"POST", "", "", false}, {"PATCH", "", "", false}, {"MKCOL", "", "", false},
		{"POST", "", "Idempotency-Key: 7", true}, {"PATCH", "", "X-Idempotency-Key: 7", true},
		{"POST", "text", "", false}, {"PUT", "text", "", false}, // the body is read once
	} {
		name := fmt.Sprint(i)
		req := w.request(c.method, "/", nil, "X-Case: "+name)
		if c.body != "" {
			req = w.request(c.method, "/", strings.NewReader(c.body), "X-Case: "+name)
		}
		if key, value, ok := strings.Cut(c.header, ": "); ok {
			req.Header.Set(key, value)
		}
		resp, body := w.do(req)
		status, arrivals := http.StatusBadGateway, 1
		if c.again {
			status, arrivals = http.StatusOK, 2
		}
		mu.Lock()
		if resp.StatusCode != status || arrived[name] != arrivals {
			t.Errorf("%+v: %d %s, arrived %d times", c, resp.StatusCode, body, arrived[name])
		}
		mu.Unlock()
	}
}

// A request that is cut while its answer comes was not ended by the target.
func TestPathForm_CutWithinTheAnswer_LogSaysByWhom(t *testing.T) {
	const other = "key-of-bob-0123456789"
	for cause, c := range map[string]struct {
		options string
		cut     func(*farwire.Gateway, *farwire.KeySet)
		log     string
	}{
		"ended by request": {"", func(gw *farwire.Gateway, _ *farwire.KeySet) {
			gw.EndWhere(func(farwire.Session) bool { return true }, "ended by request")
		}, `ended_by=gateway code=200 cause="ended by request"`},
		"key revoked": {"", func(gw *farwire.Gateway, keys *farwire.KeySet) {
			if err := keys.Replace(map[string]farwire.Principal{other: {Subject: "bob"}}); err != nil {
				t.Error(err)
			}
			gw.EndRevoked(t.Context())
		}, `ended_by=gateway code=200 cause="key revoked"`},
		"draining": {"", func(gw *farwire.Gateway, _ *farwire.KeySet) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := gw.Shutdown(ctx); err == nil {
				t.Error("a drain without time ends everything in time")
			}
		}, `ended_by=gateway code=200 cause=`},
		"idle timeout": {";idle_timeout=2", func(*farwire.Gateway, *farwire.KeySet) {},
			`ended_by=gateway code=`},
	} {
		t.Run(cause, func(t *testing.T) {
			keys := must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}, other: {Subject: "bob"}}))
			w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				io.WriteString(rw, "part")
				http.NewResponseController(rw).Flush()
				<-r.Context().Done()
			}), func(o *farwire.Options) { o.Auth = keys })
			req := w.request("GET", "/", nil)
			req.URL.Path = strings.Replace(req.URL.Path, testKey, testKey+c.options, 1)
			resp, err := plainClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadFull(resp.Body, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			c.cut(w.gw, keys)
			if rest, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("the answer ends well: %q", rest)
			}
			ended := func() bool { return strings.Contains(w.log.String(), `msg="session ended"`) }
			waitUntil(t, "the log line", ended)
			if line := w.log.String(); !strings.Contains(line, c.log) || !strings.Contains(line, cause) {
				t.Errorf("%s is not in %s", c.log, line)
			}
		})
	}
}
