package farwire_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
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

// What a gateway said while a clock was ahead does not hide what is said once it is right.
func TestEndRevoked_ClockWasAhead_IsHeard(t *testing.T) {
	const key = "0123456789abcdef-moves"
	stays := map[string]farwire.Principal{"0123456789abcdef-stays": {Subject: "alice"}}
	moves, err := farwire.NewKeySet(map[string]farwire.Principal{key: {Subject: "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	id := moves.KeyIDs()[0]
	all := map[string]farwire.Principal{key: {Subject: "bob"}}
	maps.Copy(all, stays)
	for name, restored := range map[string]bool{"revoked by a clock ahead": false, "restored by a clock ahead": true} {
		bus := new(farwire.LocalBus)
		keys, err := farwire.NewKeySet(all)
		if err != nil {
			t.Fatal(err)
		}
		one, err := farwire.New(farwire.Options{Auth: keys, Bus: bus.Join("one")})
		if err != nil {
			t.Fatal(err)
		}
		var told []farwire.Revocation
		bus.Join("two").Subscribe(func(r farwire.Revocation) { told = append(told, r) })
		before := bus.Join("one") // as one was, an hour ahead
		say := func(at time.Time, restored bool) {
			before.Publish(farwire.Revocation{KeyID: id, At: at, Restored: restored})
		}
		ahead := time.Now().Add(time.Hour)
		say(ahead, false)
		if restored {
			say(ahead.Add(time.Second), true)
		}
		for _, valid := range []map[string]farwire.Principal{stays, all} {
			if err := keys.Replace(valid); err != nil {
				t.Fatal(err)
			}
			one.EndRevoked(t.Context())
			if last := told[len(told)-1]; last.Restored != (len(valid) > 1) {
				t.Errorf("%s: %d keys here; the others were told %+v last", name, len(valid), last)
			}
		}
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
	socks, err := dialSOCKS(t, w.socks(), hangs, "any", testKey)
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
	crawl.receive().wantError(t, 1008, "key revoked")
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

// A slowBus holds the first message back until there is a second one, or long enough
// for one.
type slowBus struct {
	farwire.LocalBus
	mu     sync.Mutex
	told   []bool // Restored
	called atomic.Int32
	second chan struct{}
}

func (b *slowBus) Subscribe(func(farwire.Revocation)) {}

func (b *slowBus) Publish(r farwire.Revocation) {
	if b.called.Add(1) == 1 {
		select {
		case <-b.second:
		case <-time.After(time.Second):
		}
	} else {
		defer close(b.second)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, r.Restored)
}

// Two reloads at once tell the others last what the gateway knows last.
func TestRevocations_ReloadsAtOnce_ArePublishedInOrder(t *testing.T) {
	const key = "0123456789abcdef-goes"
	with := map[string]farwire.Principal{testKey: {Subject: "alice"}, key: {Subject: "bob"}}
	without := map[string]farwire.Principal{testKey: {Subject: "alice"}}
	records := []agent.Record{{Slug: "de1", Country: "DE", TokenSHA256: strings.Repeat("0f", 32)}}
	keys := must(farwire.NewKeySet(with))
	pool := must(agent.NewPool(agent.PoolOptions{Records: records}))
	defer pool.Shutdown(t.Context())
	for name, reload := range map[string]func(*farwire.Gateway, bool){
		"keys": func(g *farwire.Gateway, has bool) {
			given := without
			if has {
				given = with
			}
			if err := keys.Replace(given); err != nil {
				t.Error(err)
			}
			g.EndRevoked(t.Context())
		},
		"records": func(_ *farwire.Gateway, has bool) {
			given := records
			if !has {
				given = nil
			}
			if err := pool.SetRecords(given); err != nil {
				t.Error(err)
			}
		},
	} {
		bus := &slowBus{second: make(chan struct{})}
		g := must(farwire.New(farwire.Options{Auth: keys, Agents: pool, Bus: bus}))
		var all sync.WaitGroup
		all.Go(func() { reload(g, false) })
		for bus.called.Load() == 0 {
			runtime.Gosched()
		}
		reload(g, true)
		all.Wait()
		if len(bus.told) != 2 || bus.told[0] || !bus.told[1] {
			t.Errorf("%s: the others are told %v, want what is gone and then what is back", name, bus.told)
		}
	}
}

// What was revoked more than a day ago hides nothing, whoever said so.
func TestRevocationLog_OlderThanADay_HidesNothing(t *testing.T) {
	for _, restored := range []bool{false, true} {
		for _, gateway := range []string{"one", "two"} {
			synctest.Test(t, func(t *testing.T) {
				var log farwire.RevocationLog
				note := func(gateway string, restored bool) bool {
					return log.Note(farwire.Revocation{KeyID: "k", At: time.Now(), Gateway: gateway, Restored: restored})
				}
				note("one", false)
				if restored {
					time.Sleep(time.Second)
					note("one", true)
				}
				time.Sleep(25 * time.Hour)
				if !note(gateway, false) {
					t.Errorf("a day later %s cannot revoke it again (restored meanwhile: %v)", gateway, restored)
				}
				time.Sleep(time.Second)
				if all := log.All(); len(all) != 1 || all[0].Gateway != gateway || note(gateway, false) {
					t.Errorf("the log has %+v", all)
				}
			})
		}
	}
}

// A key that is revoked while it is let in ends its session, which no list had yet when the
// sessions of revoked keys were ended.
func TestEndRevoked_KeyIsBeingLetIn_EndsItsSession(t *testing.T) {
	var gw *farwire.Gateway
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = keys
		o.Limiter = limiterFunc(func() (farwire.Quota, error) { // behind the look at the key
			if err := keys.Replace(map[string]farwire.Principal{"another key of 16 bytes": {Subject: "bob"}}); err != nil {
				t.Error(err)
			}
			gw.EndRevoked(t.Context())
			return farwire.Quota{}, nil
		})
	})
	gw = w.gw
	p := w.open("/ws", "X-API-Key: "+testKey)
	p.ask(newTarget(t, echo), "")
	p.wantError(1008, "key revoked")
}
