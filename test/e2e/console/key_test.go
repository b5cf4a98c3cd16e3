package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/farwire/farwire/internal/harness"
)

// A key is in memory and nowhere else.
func TestKey_NotRemembered_IsInMemoryAlone(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.expect("403 (Forbidden)")
	p.await(`document.activeElement.id === 'key'`)
	p.shot("welcome")
	p.press(kb.Enter)
	p.says("#key-notice", "There is no key yet.")
	p.fill("#key", "not-a-key-of-this-gateway")
	p.press(kb.Enter)
	p.says("#key-notice", "The gateway does not know this key.")
	p.fill("#key", "  "+g.Key+" ")
	p.press(kb.Enter)
	p.await(`!document.querySelector('#panels').hidden && document.querySelector('#welcome').hidden`)
	p.says("#subject", "key-1")
	if kept := eval[string](p, `JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie`); kept != "{}" {
		t.Errorf("the device keeps %s", kept)
	}
	if at := eval[string](p, `location.href`); strings.Contains(at, g.Key) {
		t.Errorf("the key is in the address: %s", at)
	}
	p.do(chromedp.Reload())
	p.await(`!document.querySelector('#welcome').hidden`)
}

// Whoever asks for it is remembered, until they ask for the opposite.
func TestKey_Remembered_IsKeptUntilForgotten(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/#network"))
	p.fill("#key", g.Key)
	p.click("#remember")
	p.click("#enter")
	p.await(`!document.querySelector('#network').hidden`)
	p.do(chromedp.Reload())
	p.await(`!document.querySelector('#network').hidden`)
	if at := eval[string](p, `document.activeElement.id`); at != "tab-network" {
		t.Errorf("the focus is on %s", at)
	}
	p.says("#leave", "Forget key")
	p.click("#leave")
	p.await(`document.querySelector('#panels').hidden && document.activeElement.id === 'key'`)
	if kept := eval[string](p, `JSON.stringify({...localStorage})`); kept != "{}" {
		t.Errorf("the device still keeps %s", kept)
	}
}

// A token works like a key until its time is over.
func TestKey_IsAToken_WorksUntilItExpires(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--allow-private")
	req, err := http.NewRequest(http.MethodPost, g.HTTP("/auth/token"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", g.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	p := open(t, desktop, g.HTTP("/"))
	p.enter(answer.Token)
	p.relayTo("ws://echo.farwire.alt")
	p.click("#tab-crawl")
	p.fill("#crawl-url", site(t, map[string]string{"/": "One page"}, nil))
	p.click("#crawl-start")
	p.says("#crawl-status", "Done.")

	// Another gateway's token is as invalid here as one that has expired.
	other := harness.Serve(t)
	p = open(t, desktop, other.HTTP("/"))
	p.expect("403 (Forbidden)")
	p.fill("#key", answer.Token)
	p.press(kb.Enter)
	p.says("#key-notice", "The token is not valid any more.")
}

// A token that runs out between two crawls, and a key that is revoked, are told
// where they are missed.
func TestKey_Revoked_IsShown(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.expect("403 (Forbidden)", "401 (Unauthorized)")
	p.enter(g.Key)
	// The page cannot tell a gateway that lost the key from another one that
	// never had it: each of its requests now goes with a key of no use.
	eval[any](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'gateway.js')).then((m) => m.useKey('revoked-key-0123456789'))`)
	for _, c := range []struct{ tab, field, value, button, notice string }{
		{"#tab-relay", "#relay-url", "ws://echo.farwire.alt", "#relay-connect", "#relay-notice"},
		{"#tab-amqp", "#amqp-host", "broker.example.com", "#amqp-start", "#amqp-notice"},
		{"#tab-crawl", "#crawl-url", "https://docs.example.com/", "#crawl-start", "#crawl-notice"},
	} {
		p.click(c.tab)
		p.fill(c.field, c.value)
		p.click(c.button)
		p.says(c.notice, "The gateway does not know this key.")
	}
	p.click("#tab-network")
	p.says("#network-notice", "The gateway does not know this key.")
	eval[any](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'gateway.js')).then((m) => m.useKey('a.b.c'))`)
	p.click("#tab-crawl")
	p.click("#crawl-start")
	p.says("#crawl-notice", "The token is not valid any more.")
}

func TestTheme_Chosen_IsKept(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, night, g.HTTP("/"))
	ground := func() string {
		return eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	}
	dark := ground()
	p.shot("welcome-dark")
	p.click("#theme") // light
	light := ground()
	if light == dark {
		t.Errorf("chosen light on a dark device looks the same: %s", light)
	}
	p.do(chromedp.Reload())
	if now := ground(); now != light {
		t.Errorf("after a reload the ground is %s, was %s", now, light)
	}
	p.click("#theme") // dark
	p.use(desktop)
	if now := ground(); now != dark {
		t.Errorf("chosen dark on a light device is %s, want %s", now, dark)
	}
	p.click("#theme") // as the device has it
	if now := ground(); now != light {
		t.Errorf("on a light device the ground is %s, want %s", now, light)
	}
}
