package farwire_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

func TestEndRevoked_KeyGoneAtOneGateway_IsGoneEverywhere(t *testing.T) {
	const stays, goes = "0123456789abcdef-stays", "0123456789abcdef-goes"
	all := map[string]farwire.Principal{stays: {Subject: "alice"}, goes: {Subject: "bob"}}
	bus := new(farwire.LocalBus)
	make := func(name string) (*farwire.KeySet, *farwire.Gateway) {
		keys, err := farwire.NewKeySet(all)
		if err != nil {
			t.Fatal(err)
		}
		g, err := farwire.New(farwire.Options{Auth: keys, Bus: bus.Join(name)})
		if err != nil {
			t.Fatal(err)
		}
		return keys, g
	}
	status := func(g *farwire.Gateway, key string) int {
		r := httptest.NewRequest(http.MethodGet, "/usage", nil)
		r.Header.Set("X-API-Key", key)
		w := httptest.NewRecorder()
		g.Usage().ServeHTTP(w, r)
		return w.Code
	}
	keys, one := make("one")
	_, two := make("two")
	replace := func(with map[string]farwire.Principal) {
		if err := keys.Replace(with); err != nil {
			t.Fatal(err)
		}
		one.EndRevoked(t.Context())
	}
	if status(two, goes) != http.StatusOK {
		t.Fatal("the key is not valid")
	}
	replace(map[string]farwire.Principal{stays: {Subject: "alice"}})
	_, late := make("late")
	for name, g := range map[string]*farwire.Gateway{"one": one, "two": two, "late": late} {
		if a, b := status(g, goes), status(g, stays); a != http.StatusForbidden || b != http.StatusOK {
			t.Errorf("%s: the key that is gone %d, the other %d", name, a, b)
		}
	}
	replace(all)
	if a := status(two, goes); a != http.StatusOK {
		t.Errorf("the key is there again, and it is answered %d", a)
	}
}

// Sessions of every kind end with their key, those that are just being connected too.
func TestEndRevoked_EveryKind_Ends(t *testing.T) {
	keys := must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}, otherKey: {Subject: "bob"}}))
	w := newWorld(t, func(o *farwire.Options) { o.Auth = keys })
	hangs := newTCPTarget(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	host, port, err := net.SplitHostPort(hangs)
	if err != nil {
		t.Fatal(err)
	}

	target := newTarget(t, echo)
	bobs := w.open("/ws")
	bobs.text(fmt.Sprintf(`{"apiKey":%q,"url":%q}`, otherKey, target))
	bobs.wantConnected()
	relay := w.connected(target, "")
	connecting := w.open("/ws")
	connecting.ask("ws://"+hangs+"/", "")
	crawl := w.crawl(fmt.Sprintf(`{"url":"http://%s/"}`, hangs))
	stream := w.subscribe(fmt.Sprintf(`{"apiKey":%q,"host":%q,"port":%s}`, testKey, host, port))
	_, tunnel, resp := w.also(w.gw.ForwardProxy(http.NotFoundHandler())).connect(hangs, "any", testKey)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("a tunnel: %s", resp.Status)
	}
	socks, err := dialSOCKS(t, (&pathWorld{t: t, gw: w.gw}).socks(), hangs, "any", testKey)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	address := "http://" + w.also(w.gw.PathForm()).ln.Addr().String() + "/to/key=" + testKey + "/http/" + hangs + "/"
	go func() {
		resp, err := plainClient.Get(address)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(resp.StatusCode, " ", string(body), " ", err)
	}()
	running := func(subject string) (n int) {
		for s := range w.gw.Sessions() {
			if s.Subject == subject {
				n++
			}
		}
		return n
	}
	waitUntil(t, "seven sessions run", func() bool { return running("alice") == 7 })

	if err := keys.Replace(map[string]farwire.Principal{otherKey: {Subject: "bob"}}); err != nil {
		t.Fatal(err)
	}
	if n := w.gw.EndRevoked(t.Context()); n != 7 {
		t.Errorf("%d sessions end", n)
	}
	relay.wantClose(1008, "key revoked")
	relay.close(1008, "")
	connecting.wantError(1008, "key revoked")
	connecting.close(1008, "")
	crawl.hear().wantError(t, 1008, "key revoked")
	if got := stream.event(); !strings.Contains(got, `{"message": "key revoked", "code": 1008, "reason": "ended"}`) {
		t.Errorf("the stream got %q", got)
	}
	if got := <-answer; !strings.HasPrefix(got, "503 ") || !strings.Contains(got, `"detail":"key revoked","code":"ended"`) {
		t.Errorf("the request got %s", got)
	}
	for name, r := range map[string]io.Reader{"CONNECT": tunnel, "SOCKS5": socks} {
		if _, err := r.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a tunnel by %s: %v", name, err)
		}
	}
	waitUntil(t, "no session of the key runs", func() bool { return running("alice") == 0 })
	bobs.text("still")
	bobs.wantText("still")
}
