package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// ask asks a handler with a key and prints its answer.
func ask(h http.Handler, path, key string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("X-API-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

// The payload of a day: the session that passes it goes on, the next one is refused.
func ExampleLimits_bytesPerDay() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	o := farwire.OpenOptions{Addr: target.Addr().String(),
		Principal: farwire.Principal{Subject: "trial", Limits: farwire.Limits{BytesPerDay: 1 << 10}}}
	c, err := gw.Open(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 2<<10)); err != nil {
		log.Fatal(err)
	}
	_, err = gw.Open(context.Background(), o)
	said, _, _ := strings.Cut(err.Error(), ";")
	fmt.Println(said)
	if refusal, ok := errors.AsType[*farwire.Refusal](err); ok {
		fmt.Println(refusal.Code, refusal.RetryAfter.Round(time.Hour))
	}
	// Output:
	// farwire: Open: limit reached: 1024 bytes a day
	// limit_reached 24h0m0s
}

// fleet is a selector of a host's own, which can say which exits it has.
type fleet struct{ exit agent.Exit }

func (f fleet) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	return f.exit.SelectAgent(ctx, q)
}

func (f fleet) Agents() []agent.Info {
	return []agent.Info{{ID: f.exit.ID, Slug: f.exit.Slug, Country: f.exit.Country, State: agent.Available}}
}

// A selector that lists its exits is shown by Gateway.Network.
func ExampleAgentLister() {
	var selector farwire.AgentLister = fleet{mustDirect()}
	gw, err := farwire.New(farwire.Options{Agents: selector, Logger: quiet, Name: "gw-1"})
	if err != nil {
		log.Fatal(err)
	}
	for _, info := range selector.Agents() {
		fmt.Println(info.ID, info.Fits(agent.Query{Countries: []string{"DE"}}))
	}
	r := httptest.NewRequest(http.MethodGet, "/network", nil)
	w := httptest.NewRecorder()
	gw.Network().ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "alice"})))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `"slug":"de1"`))
	// Output:
	// farwire-de1 true
	// 200 true
}

// customers is an Authenticator of a host's own that is asked at each use of a token.
type customers map[string]farwire.Principal // by key; the key id is the subject

func (c customers) Authenticate(_ context.Context, shown farwire.Credentials) (farwire.Principal, error) {
	p, ok := c[shown.Key]
	if !ok {
		return farwire.Principal{}, farwire.ErrUnauthorized
	}
	return p, nil
}

func (c customers) Lookup(_ context.Context, keyID string) (farwire.Principal, error) {
	for _, p := range c {
		if p.KeyID == keyID {
			return p, nil
		}
	}
	return farwire.Principal{}, farwire.ErrUnauthorized
}

// A key that is gone takes its tokens along where the Authenticator can be asked.
func ExampleKeyLookuper() {
	known := customers{"a-key-of-16-bytes-or-more": {Subject: "alice", KeyID: "alice"}}
	gw, err := farwire.New(farwire.Options{Auth: known, Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/auth/token", nil)
	r.Header.Set("X-API-Key", "a-key-of-16-bytes-or-more")
	w := httptest.NewRecorder()
	gw.Token().ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		log.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(answer), `"token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	ask(gw.SessionsHandler(), "/sessions", token)
	clear(known)
	ask(gw.SessionsHandler(), "/sessions", token)
	// Output:
	// 200 {"sessions":[]}
	// 403 {"detail":"token invalid or expired","code":"key_invalid"}
}

// What a load balancer asks, and what it is told once the gateway is to leave.
func ExampleGateway_Ready() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	ask(gw.Ready(), "/readyz", "")
	gw.Unready()
	ask(gw.Ready(), "/readyz", "")
	// Output:
	// 200 {"agents":1,"stores":{}}
	// 503 {"agents":1,"stores":{},"detail":"the gateway is draining","code":"draining"}
}

// A key has rules: which targets it reaches, and by which kinds of sessions.
func ExamplePrincipal() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pathHost(gw, farwire.Principal{Subject: "alice", Allow: []string{"*.example.com:443"}}))
	fmt.Println(pathHost(gw, farwire.Principal{Subject: "bob", Kinds: []farwire.Kind{farwire.KindRelay}}))
	// Output:
	// 403 Forbidden {"detail":"target refused: \"127.0.0.1\" is not allowed to this key","code":"target_forbidden"}
	// 403 Forbidden {"detail":"this key is not for sessions of kind http","code":"target_forbidden"}
}

// Token keys change without a cut: the new one signs, the old one is accepted still.
func ExampleGateway_SetTokenKeys() {
	old, recent := []byte("an old key of at least 32 bytes ..."), []byte("a new key of at least 32 bytes ....")
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet, TokenKeys: [][]byte{old}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(gw.SetTokenKeys([][]byte{recent, old}))
	fmt.Println(gw.SetTokenKeys([][]byte{[]byte("short")}))
	// Output:
	// <nil>
	// farwire: SetTokenKeys: key 1 has 5 bytes; at least 32 are needed
}
