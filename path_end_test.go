package farwire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

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
		resp, body := w.fetch(req)
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
		"idle timeout": {";idle_timeout=6", func(*farwire.Gateway, *farwire.KeySet) {},
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

// What Connection names belongs to one hop, in a WebSocket's upgrade and its answer too.
func TestRelay_HeadersNamedInConnection_AreOfTheHop(t *testing.T) {
	for _, status := range []int{http.StatusSwitchingProtocols, http.StatusForbidden} {
		seen := make(chan string, 1)
		target := newRawTarget(t, func(conn net.Conn, head string) {
			seen <- head
			if status != http.StatusSwitchingProtocols {
				io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nConnection: X-Theirs\r\nX-Theirs: 1\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n")
				return
			}
			answer := strings.Replace(upgradeAnswerTo(head, "X-Theirs: 1", "X-Kept: 1"), "Connection: Upgrade", "Connection: Upgrade, X-Theirs", 1)
			io.WriteString(conn, answer)
		})
		host := strings.Trim(strings.TrimPrefix(target, "ws:"), "/")
		w := newPathWorld(t, http.NotFoundHandler())
		w.server.Config.Handler = w.gw.ForwardProxy(w.gw.PathForm())
		for form, request := range map[string]string{
			"path":     "GET /to/key=" + testKey + "/http/" + host + "/ HTTP/1.1\r\nHost: gw.test\r\n",
			"absolute": "GET http://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\nProxy-Authorization: " + proxyBasic("any", testKey) + "\r\n",
		} {
			conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(testTimeout))
			io.WriteString(conn, request+"Connection: keep-alive, Upgrade, X-Mine\r\nUpgrade: websocket\r\nX-Mine: 1\r\nX-Kept: 1\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
			answer := readHead(t, conn)
			if strings.Contains(answer, "X-Farwire-From: gateway") {
				t.Fatalf("%s: the target is not asked: %q", form, answer)
			}
			head := <-seen
			if strings.Contains(head, "X-Mine") || !strings.Contains(head, "X-Kept: 1") || !strings.Contains(head, "Upgrade: websocket") {
				t.Errorf("%s: the target sees %q", form, head)
			}
			if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", status)) || strings.Contains(answer, "X-Theirs: 1") || !strings.Contains(answer, "X-Kept: 1") {
				t.Errorf("%s: the client sees %q", form, answer)
			}
		}
	}
}

// An OPTIONS for a whole server is written "*" by the last proxy, and OPTIONS and TRACE
// go no further than they are told (RFC 9112, section 3.2.4; RFC 9110, section 7.6.2).
func TestForwardProxy_OptionsAndTrace_GoAsFarAsTheySay(t *testing.T) {
	seen := make(chan string, 1)
	target := newTCPTarget(t, func(c *net.TCPConn) {
		if head, ok := readRawHead(c); ok {
			seen <- head
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Theirs: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	})
	w := newProxyWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.StripHeaders = []string{"X-Corp-*"} })
	secrets := ""
	for _, name := range []string{
		"Authorization", "Cookie", "X-API-Key", "X-Forwarded-For", "Forwarded", "Cf-Access-Jwt-Assertion", "X-Goog-IAP-JWT-Assertion",
		"X-Amzn-Oidc-Data", "X-Auth-Request-Access-Token", "Tailscale-User-Login", "x-corp-user",
	} {
		secrets += name + ": secret\r\n"
	}
	for _, c := range []struct{ method, path, hops, want, left string }{
		{"OPTIONS", "", "", "OPTIONS * HTTP/1.1", ""},
		{"OPTIONS", "/", "", "OPTIONS / HTTP/1.1", ""},
		{"OPTIONS", "?", "", "OPTIONS /? HTTP/1.1", ""},
		{"GET", "", "", "GET / HTTP/1.1", ""},
		{"OPTIONS", "", "5", "OPTIONS * HTTP/1.1", "4"},
		{"TRACE", "/x", "1", "TRACE /x HTTP/1.1", "0"},
		{"TRACE", "/x", "many", "TRACE /x HTTP/1.1", "many"},
		{"GET", "/x", "0", "GET /x HTTP/1.1", "0"},
		{"OPTIONS", "", "0", "", ""},
		{"TRACE", "/x", "0", "", ""},
	} {
		request := c.method + " http://" + target + c.path + " HTTP/1.1\r\nHost: " + target + "\r\nX-Mine: 1\r\n" + secrets +
			"Connection: close\r\nProxy-Authorization: " + proxyBasic("any", testKey) + "\r\n"
		if c.hops != "" {
			request += "Max-Forwards: " + c.hops + "\r\n"
		}
		answer := rawExchange(t, w.server.Listener.Addr().String(), request+"\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || strings.Contains(answer, "X-Theirs: 1") != (c.want != "") {
			t.Errorf("%+v: %q", c, answer)
		}
		if c.want == "" {
			if (c.method == "TRACE") != strings.Contains(answer, "X-Mine: 1") || strings.Contains(answer, "secret") || !strings.Contains(answer, "X-Farwire-From: gateway") {
				t.Errorf("%+v: %q", c, answer)
			}
			continue
		}
		head := <-seen
		left := must(http.ReadRequest(newReaderOf(head))).Header.Get("Max-Forwards")
		if !strings.HasPrefix(head, c.want+"\r\n") || left != c.left {
			t.Errorf("%+v: the target sees %q", c, head)
		}
	}
	w.log.Await(t, "kind=http", "ended_by=gateway code=200 cause=\"\"")
}

// A client that ends its side alone cannot be told from one that has left. It is told why.
func TestForwarding_ClientEndsItsSide_TargetIsLeftAndClientTold(t *testing.T) {
	target := make(chan string, 1)
	w := newProxyWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		target <- "asked"
		<-r.Context().Done()
		target <- "left"
	}))
	mux := http.NewServeMux()
	mux.Handle("/to/", w.gw.PathForm())
	mux.Handle("/ws", w.gw.Relay())
	w.server.Config.Handler = w.gw.ForwardProxy(mux)
	const upgrade = "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	proxied, byPath := "GET "+w.target.URL+"/slow HTTP/1.1\r\nProxy-Authorization: "+proxyBasic("any", testKey), "GET /to/key="+testKey+"/http/"+w.host()+"/slow HTTP/1.1"
	for _, line := range []string{
		proxied, byPath, proxied + upgrade, byPath + upgrade,
		"GET /ws?api_key=" + testKey + "&url=" + url.QueryEscape(w.target.URL+"/slow") + " HTTP/1.1" + upgrade,
	} {
		conn := must(net.Dial("tcp", w.server.Listener.Addr().String()))
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(testTimeout))
		io.WriteString(conn, line+"\r\nHost: gateway.test\r\n\r\n")
		asked := <-target
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || err != nil || !strings.Contains(string(answer), "closed its side") || !strings.Contains(string(answer), `"bad_request"`) {
			t.Errorf("%s: %q, %v", line, answer, err)
		}
		if left := <-target; asked+left != "askedleft" {
			t.Errorf("%s: %s, %s", line, asked, left)
		}
	}
	w.log.Await(t, "kind=http", "ended_by=client", "code=0", `cause="the client left"`)
	w.log.Await(t, "kind=relay", "ended_by=client", "code=1006", `cause="the client left"`)
	if strings.Contains(w.log.String(), "WARN") {
		t.Errorf("an operator is warned: %s", w.log)
	}
}

func newReaderOf(head string) *bufio.Reader { return bufio.NewReader(strings.NewReader(head + "\r\n")) }

// A name in another script is dialled as DNS has it, whatever asks for it.
func TestAMQP_HostInAnotherScript_DialledAsPunycode(t *testing.T) {
	var dialled dialList
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exitBy("127.0.0.1:1", nil, &dialled) })
	for host, want := range map[string]string{"bücher.test": "xn--bcher-kva.test:5672", "BROKER_1.test": "broker_1.test:5672", "::1": "[::1]:5672"} {
		httpRefusal(w.subscribe(`{"apiKey":"` + testKey + `","host":"` + host + `","exchange":"e"}`).resp)
		waitFor(t, func() bool { return slices.Contains(dialled.all(), want) })
	}
}

// A page may read why its socket was refused.
func TestSockets_PlainErrors_AreForEveryOrigin(t *testing.T) {
	w := newWorld(t)
	for path, status := range map[string]int{"/ws": 426, "/ws/crawl": 426, "/ws?url=ftp://a.test/&api_key=" + testKey: 426} {
		resp := w.do("GET", path, "Origin: https://app.test")
		resp.Body.Close()
		if resp.StatusCode != status || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

// The time from a request to its answer is one, whoever takes it.
func TestRelay_SlowAuthenticatorAndSilentTarget_TwentySecondsInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(conn net.Conn) {
			defer conn.Close()
			io.Copy(io.Discard, conn)
		}, func(o *farwire.Options) {
			o.Auth = keyFunc(func(string) farwire.Principal {
				time.Sleep(15 * time.Second)
				return farwire.Principal{Subject: "alice"}
			})
		})
		conn := must(w.dialIn())
		defer conn.Close()
		began := time.Now()
		io.WriteString(conn, "GET /ws?url=ws://a.test/ HTTP/1.1\r\nHost: gw.test\r\nX-API-Key: "+testKey+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		answer := readHead(t, conn)
		if took := time.Since(began); took != 20*time.Second || !strings.HasPrefix(answer, "HTTP/1.1 504 ") {
			t.Errorf("after %v: %s", took, answer)
		}
	})
}

// HTTP/1.0 knows the end of an answer without a length by the connection's: what breaks
// off must be told apart from it. nginx before 1.29.7 asks in HTTP/1.0 by default.
func TestPathForm_AnswerBreaksOff_ClientOfHTTP10SeesNoEnd(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	w := newProxyWorld(t, http.NotFoundHandler())
	front := w.server.Listener.Addr().String()
	paths := newPathWorld(t, http.NotFoundHandler())
	for name, c := range map[string]struct {
		answer string
		whole  bool
	}{
		"whole":             {head + "4\r\npart\r\n0\r\n\r\n", true},
		"whole, to the end": {"HTTP/1.1 200 OK\r\n\r\npart", true},
		"between chunks":    {head + "4\r\npart\r\n", false},
		"within a chunk":    {head + "ff\r\npart", false},
		"invalid chunk":     {head + "4\r\npart\r\nzz\r\n", false},
		"within its length": {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", false},
	} {
		target := newOddTarget(t, c.answer)
		for form, ask := range map[string]func() (string, error){
			"path form": func() (string, error) {
				return untilEnd(t, paths.server.Listener.Addr().String(), "GET /to/key="+testKey+"/http/"+target.addr+"/ HTTP/1.0\r\n\r\n")
			},
			"forward proxy": func() (string, error) {
				return untilEnd(t, front, "GET http://"+target.addr+"/ HTTP/1.0\r\nProxy-Authorization: "+proxyBasic("any", testKey)+"\r\n\r\n")
			},
		} {
			got, err := ask()
			<-target.heads
			if reset := errors.Is(err, syscall.ECONNRESET); reset == c.whole || err != nil && !reset || !strings.HasSuffix(got, "\r\n\r\npart") {
				t.Errorf("%s, %s: %v behind %q", form, name, err, got)
			}
		}
	}
}
