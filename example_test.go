package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// The whole gateway in a host's own mux, and a client that relays through it.
func Example() {
	pool, err := agent.NewPool(agent.PoolOptions{Secret: "what the agents know too"})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Shutdown(context.Background())
	// Remote agents attach by themselves. One in this process is added; it may
	// dial loopback here because the example's target is there.
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := pool.Add(exit); err != nil {
		log.Fatal(err)
	}
	keys, err := farwire.APIKeys(map[string]string{"a-key-for-alice-1": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: pool, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /agents/attach", pool)
	mux.Handle("GET /ws", gw.Relay())
	mux.Handle("POST /amqp", gw.AMQP())
	mux.Handle("POST /auth/token", gw.Token())
	host := httptest.NewServer(mux)
	defer host.Close()
	defer gw.Shutdown(context.Background())

	target := echoServer()
	defer target.Close()

	ctx := context.Background()
	ws, _, err := websocket.Dial(ctx, host.URL+"/ws", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ws.CloseNow()
	wsjson.Write(ctx, ws, map[string]string{"apiKey": "a-key-for-alice-1", "url": wsURL(target), "geo": "US,DE"})
	var connected map[string]any
	wsjson.Read(ctx, ws, &connected)
	fmt.Println(connected["type"], connected["node_id"])

	ws.Write(ctx, websocket.MessageText, []byte("hello from far away"))
	_, message, _ := ws.Read(ctx)
	fmt.Println(string(message))
	ws.Close(websocket.StatusNormalClosure, "")
	// Output:
	// connected farwire-de1
	// hello from far away
}

// A client that cannot send a first message, as most libraries cannot, names
// the target in the query.
func ExampleGateway_Relay_direct() {
	gw, err := farwire.New(farwire.Options{Auth: mustAPIKeys(), Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	host := httptest.NewServer(gw.Relay())
	defer host.Close()
	defer gw.Shutdown(context.Background())
	target := echoServer()
	defer target.Close()

	ctx := context.Background()
	ws, resp, err := websocket.Dial(ctx, host.URL+"/ws?url="+wsURL(target)+"&api_key=a-key-for-alice-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ws.CloseNow()
	fmt.Println(resp.Header.Get("X-Farwire-Node"))
	ws.Write(ctx, websocket.MessageText, []byte("hello"))
	_, message, _ := ws.Read(ctx)
	fmt.Println(string(message))
	ws.Close(websocket.StatusNormalClosure, "")
	// Output:
	// farwire-de1
	// hello
}

// A host that knows its users already names them in a middleware of its own;
// no API key is needed then.
func ExampleWithPrincipal() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	session := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, _, ok := r.BasicAuth() // as a host's session cookie would
			if !ok {
				http.Error(w, "log in first", http.StatusUnauthorized)
				return
			}
			r.Header.Del("Authorization") // it was meant for us
			caller := farwire.Principal{Subject: user, Limits: farwire.Limits{Sessions: 5}}
			next.ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), caller)))
		})
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", session(gw.Relay()))
	mux.Handle("GET /usage", session(gw.Usage()))
	host := httptest.NewServer(mux)
	defer host.Close()

	for _, login := range []string{"", "bob:secret@"} {
		resp, err := http.Get(strings.Replace(host.URL, "//", "//"+login, 1) + "/usage")
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
	// Output:
	// 401
	// 200
}

// database stands for wherever a host keeps its keys.
type database map[string]farwire.Principal

// Authenticate finds the caller behind a key. What it does not know is
// ErrUnauthorized; everything else would be an internal error.
func (d database) Authenticate(_ context.Context, c farwire.Credentials) (farwire.Principal, error) {
	p, ok := d[c.Key]
	if !ok {
		return farwire.Principal{}, farwire.ErrUnauthorized
	}
	return p, nil
}

// Lookup is optional. With it, a key that was taken back is refused at once,
// and so are the tokens made of it.
func (d database) Lookup(_ context.Context, keyID string) (farwire.Principal, error) {
	for _, p := range d {
		if p.KeyID == keyID {
			return p, nil
		}
	}
	return farwire.Principal{}, farwire.ErrUnauthorized
}

// An Authenticator of one's own.
func ExampleAuthenticator() {
	keys := database{"a-key-of-carol-01": {Subject: "carol", KeyID: "17", Limits: farwire.Limits{Rate: 100}}}
	gw, err := farwire.New(farwire.Options{Auth: keys, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	try := func(key string) int {
		r := httptest.NewRequest("GET", "/usage", nil)
		r.Header.Set("X-API-Key", key)
		w := httptest.NewRecorder()
		gw.Usage().ServeHTTP(w, r)
		return w.Code
	}
	fmt.Println(try("a-key-of-carol-01"), try("a-key-of-nobody-1"))
	delete(keys, "a-key-of-carol-01")
	fmt.Println(try("a-key-of-carol-01"))
	// Output:
	// 200 403
	// 403
}

// byHost sends each target through an exit of its own.
type byHost map[string]agent.Exit

// SelectAgent honours the query's filters: a pinned agent is never replaced,
// and one that failed for this session is not offered again.
func (b byHost) SelectAgent(_ context.Context, q agent.Query) (agent.Exit, error) {
	exit, ok := b[q.Host]
	if !ok || !q.Fits(exit) {
		return agent.Exit{}, agent.ErrNoAgent
	}
	return exit, nil
}

// An AgentSelector of one's own. An exit is a dialer, so a plain net.Dialer
// makes one, without the guard that agent.Direct has.
func ExampleAgentSelector() {
	target := echoServer()
	defer target.Close()
	var d net.Dialer
	exits := byHost{"feed.example": {ID: "office", Slug: "office", Country: "AT",
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, target.Listener.Addr().String())
		}}}
	gw, err := farwire.New(farwire.Options{Auth: mustAPIKeys(), Agents: exits, Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	host := httptest.NewServer(gw.Relay())
	defer host.Close()
	defer gw.Shutdown(context.Background())

	for _, url := range []string{"ws://feed.example/", "ws://other.example/"} {
		ws, resp, err := websocket.Dial(context.Background(), host.URL+"/ws?api_key=a-key-for-alice-1&url="+url, nil)
		fmt.Println(resp.StatusCode, resp.Header.Get("X-Farwire-Node"))
		if err == nil {
			ws.CloseNow()
		}
	}
	// Output:
	// 101 office
	// 502
}

// Shutdown closes open sockets, which http.Server.Shutdown does not
// know of.
func ExampleGateway_Shutdown() {
	gw, err := farwire.New(farwire.Options{Auth: mustAPIKeys(), Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	host := httptest.NewServer(gw.Relay())
	target := echoServer()
	defer target.Close()
	ws, _, err := websocket.Dial(context.Background(), host.URL+"/ws?api_key=a-key-for-alice-1&url="+wsURL(target), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ws.CloseNow()

	done := make(chan error)
	go func() { // on SIGTERM
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- errors.Join(gw.Shutdown(ctx), host.Config.Shutdown(ctx))
	}()
	_, _, err = ws.Read(context.Background())
	fmt.Println(websocket.CloseStatus(err))
	fmt.Println(<-done)
	// Output:
	// StatusGoingAway
	// <nil>
}

// What the examples share.

var quiet = slog.New(slog.DiscardHandler)

func mustAPIKeys() farwire.Authenticator {
	keys, err := farwire.APIKeys(map[string]string{"a-key-for-alice-1": "alice"})
	if err != nil {
		log.Fatal(err)
	}
	return keys
}

func mustDirect() agent.Exit {
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		log.Fatal(err)
	}
	return exit
}

func wsURL(s *httptest.Server) string { return strings.Replace(s.URL, "http", "ws", 1) }

// echoServer is a target that says back what it hears.
func echoServer() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			kind, message, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			if err := ws.Write(r.Context(), kind, message); err != nil {
				return
			}
		}
	}))
}
