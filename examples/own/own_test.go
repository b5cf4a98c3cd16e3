package own_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/examples/own"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// gateway has one customer, with a key, two requests and the agent at1.
func gateway() (*farwire.Gateway, *own.Directory, *own.MemoryStorage) {
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	check(err)
	for slug, country := range map[string]string{"at1": "AT", "de1": "DE"} {
		exit, err := agent.Direct(agent.DirectOptions{Slug: slug, Country: country})
		check(err)
		check(pool.Add(exit))
	}
	directory := &own.Directory{ByKey: map[string]farwire.Principal{"key-of-alice": {Subject: "alice", KeyID: "1"}}}
	files := new(own.MemoryStorage)
	gw, err := own.New(directory, &own.Plans{Pool: pool, Of: map[string][]string{"alice": {"at1"}}},
		&own.Quotas{Left: map[string]int{"alice": 2}}, files)
	check(err)
	return gw, directory, files
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		panic(err)
	}
}

func ask(h http.Handler, method, key string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set("X-API-Key", key)
	h.ServeHTTP(rec, r)
	return rec
}

// A token is counted as its caller is, and ends with the key that it was made of.
func Example() {
	gw, directory, _ := gateway()
	token := ask(gw.Token(), "POST", "key-of-alice").Body.String()
	_, token, _ = strings.Cut(token, `{"token":"`)
	token, _, _ = strings.Cut(token, `"`)

	fmt.Println(ask(gw.Network(), "GET", token).Code, "while the key is in the directory")
	fmt.Println(ask(gw.Network(), "GET", token).Code, "when the quota is used up")
	delete(directory.ByKey, "key-of-alice")
	fmt.Println(ask(gw.Network(), "GET", token).Code, "when the key is gone")
	// Output:
	// 200 while the key is in the directory
	// 429 when the quota is used up
	// 403 when the key is gone
}

// A plan narrows what its customers may take, and is never widened by what they
// ask for.
func ExamplePlans() {
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	check(err)
	for slug, country := range map[string]string{"at1": "AT", "de1": "DE"} {
		exit, err := agent.Direct(agent.DirectOptions{Slug: slug, Country: country})
		check(err)
		check(pool.Add(exit))
	}
	plans := &own.Plans{Pool: pool, Of: map[string][]string{"alice": {"at1"}, "carol": {}}}
	for _, q := range []agent.Query{
		{Subject: "alice"}, {Subject: "bob", Countries: []string{"DE"}}, {Subject: "alice", Countries: []string{"DE"}},
		{Subject: "alice", Slugs: []string{"DE1", "AT1"}}, {Subject: "alice", Slugs: []string{"de1"}}, {Subject: "carol"},
	} {
		exit, err := plans.SelectAgent(context.Background(), q)
		fmt.Println(q.Subject, q.Countries, q.Slugs, exit.ID, err)
	}
	// Output:
	// alice [] [] farwire-at1 <nil>
	// bob [DE] [] farwire-de1 <nil>
	// alice [DE] []  no agent is attached that fits
	// alice [] [DE1 AT1] farwire-at1 <nil>
	// alice [] [de1]  no agent is attached that fits
	// carol [] []  no agent is attached that fits
}

func TestStorage_OlderVersion_IsStale(t *testing.T) {
	_, _, s := gateway()
	ctx := context.Background()
	if url, err := s.Save(ctx, farwire.File{Name: "a/llms.txt", Version: 2}); err != nil || url != "https://files.example.com/a/llms.txt" {
		t.Errorf("%s, %v", url, err)
	}
	if _, err := s.Save(ctx, farwire.File{Name: "a/llms.txt", Version: 1}); !errors.Is(err, farwire.ErrStale) {
		t.Errorf("an older version: %v", err)
	}
}

// A crawl of another port is refused with the host's own text and code.
func TestPermit_PortOfACrawl_IsRefused(t *testing.T) {
	for port, refused := range map[uint16]bool{80: false, 443: false, 8443: true} {
		err := own.Permit(t.Context(), farwire.Principal{Subject: "alice"}, farwire.Target{Kind: farwire.KindCrawl, Host: "docs.example.com", Port: port})
		var refusal *farwire.Refusal
		if errors.As(err, &refusal) != refused || refused && refusal.Code != "port_not_sold" {
			t.Errorf("port %d: %v", port, err)
		}
	}
}
