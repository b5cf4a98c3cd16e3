package farwire_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/farwire/farwire"
)

// A file that holds no key, but the hash of each.
func ExampleParseKeysFile() {
	file := fmt.Sprintf(`[{"name": "alice", "key_sha256": "%x", "limits": {"rate": 20}, "allow": ["*.example.com:443"]}]`,
		sha256.Sum256([]byte("the-key-of-alice")))
	records, err := farwire.ParseKeysFile([]byte(file))
	if err != nil {
		log.Fatal(err)
	}
	var keys farwire.KeySet
	if err := keys.ReplaceRecords(records); err != nil {
		log.Fatal(err)
	}
	p, err := keys.Authenticate(context.Background(), farwire.Credentials{Key: "the-key-of-alice"})
	fmt.Println(p.Subject, p.Limits.Rate, p.Allow, err)

	_, err = farwire.ParseKeysFile([]byte(strings.Replace(file, "allow", "alow", 1)))
	fmt.Println(err)
	// Output:
	// alice 20 [*.example.com:443] <nil>
	// line 1: entry 1: "alow" is not one of the names here
}

// Two gateways of one process: a key that one of them loses is gone at both.
func ExampleLocalBus() {
	var bus farwire.LocalBus
	alice, bob := farwire.Principal{Subject: "alice"}, farwire.Principal{Subject: "bob"}
	both := map[string]farwire.Principal{"the-key-of-alice": alice, "the-key-of-bob--": bob}
	gateway := func(name string) (*farwire.Gateway, *farwire.KeySet) {
		keys, err := farwire.NewKeySet(both)
		if err != nil {
			log.Fatal(err)
		}
		gw, err := farwire.New(farwire.Options{Auth: keys, Agents: mustDirect(), Logger: quiet, Name: name, Bus: bus.Join(name)})
		if err != nil {
			log.Fatal(err)
		}
		return gw, keys
	}
	one, keys := gateway("gw-1")
	two, _ := gateway("gw-2")
	ask(two.SessionsHandler(), "/sessions", "the-key-of-bob--")
	if err := keys.Replace(map[string]farwire.Principal{"the-key-of-alice": alice}); err != nil {
		log.Fatal(err)
	}
	one.EndRevoked(context.Background())
	ask(two.SessionsHandler(), "/sessions", "the-key-of-bob--")
	ask(two.SessionsHandler(), "/sessions", "the-key-of-alice")
	// Output:
	// 200 {"sessions":[]}
	// 403 {"detail":"API key invalid","code":"key_invalid"}
	// 200 {"sessions":[]}
}

// What a Bus of a host's own keeps for gateways that come later. Only who said that a
// key is gone can say that it is there again.
func ExampleRevocationLog() {
	var known farwire.RevocationLog
	at := time.Now()
	fmt.Println(known.Note(farwire.Revocation{KeyID: "k1", Gateway: "gw-1", At: at}))
	fmt.Println(known.Note(farwire.Revocation{KeyID: "k1", Gateway: "gw-1", At: at})) // heard again
	back := farwire.Revocation{KeyID: "k1", Gateway: "gw-2", At: at.Add(time.Second), Restored: true}
	fmt.Println(known.Note(back))
	back.Gateway = "gw-1"
	fmt.Println(known.Note(back))
	for _, r := range known.All() {
		fmt.Println(r.KeyID, r.Gateway, r.Restored)
	}
	// Output:
	// true
	// false
	// false
	// true
	// k1 gw-1 true
}

// A page of the host's own opens a socket by the cookie of its login. Behind a proxy
// that ends TLS the host says that the request came by https: the page's Origin is held
// to that.
func ExampleWithScheme() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	signedIn := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "alice"})
		ctx = farwire.WithScheme(ctx, r.Header.Get("X-Forwarded-Proto")) // of a proxy that the host trusts
		gw.Usage().ServeHTTP(w, r.WithContext(ctx))
	})
	for _, origin := range []string{"https://app.example.com", "http://app.example.com"} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example.com/usage", nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		signedIn.ServeHTTP(w, r)
		fmt.Println(origin, w.Code)
	}
	// Output:
	// https://app.example.com 200
	// http://app.example.com 403
}

// An operator sees the sessions of all callers, and ends those of one.
func ExampleGateway_AllSessionsHandler() {
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	for _, subject := range []string{"alice", "bob", "bob"} {
		c, err := gw.Open(context.Background(), farwire.OpenOptions{Addr: target.Addr().String(), Principal: farwire.Principal{Subject: subject}})
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
	}
	operators := gw.AllSessionsHandler() // mounted where nobody else comes
	w := httptest.NewRecorder()
	operators.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sessions", nil))
	fmt.Println(strings.Count(w.Body.String(), `"subject":"bob"`), "of bob")
	w = httptest.NewRecorder()
	operators.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/sessions?subject=bob", nil))
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	// Output:
	// 2 of bob
	// 200 {"ended":2}
}

// Two traces as one: what begins in the first ends in it last.
func ExampleJoinTraces() {
	named := func(name string) *farwire.Trace {
		return &farwire.Trace{
			SessionStart: func(ctx context.Context, i farwire.SessionInfo) context.Context {
				fmt.Println(name, "begin", i.Kind)
				return ctx
			},
			SessionEnd: func(_ context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
				fmt.Println(name, "end", i.Kind, r.Err)
			},
		}
	}
	gw, err := farwire.New(farwire.Options{Agents: mustDirect(), Logger: quiet, Trace: farwire.JoinTraces(named("metrics"), nil, named("audit"))})
	if err != nil {
		log.Fatal(err)
	}
	target := listener()
	defer target.Close()
	c, err := gw.Open(context.Background(), farwire.OpenOptions{Addr: target.Addr().String(), Principal: farwire.Principal{Subject: "alice"}})
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
	if err := gw.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// metrics begin tunnel
	// audit begin tunnel
	// audit end tunnel <nil>
	// metrics end tunnel <nil>
}
