package console

import (
	"testing"

	"github.com/farwire/farwire/cmd/internal/rig"
)

// enter gives the page the gateway's key.
func (p *page) enter(key string) {
	p.t.Helper()
	p.fill("#key", key)
	p.click("#enter")
	p.await(`!document.querySelector('#panels').hidden`)
}

// A person without a target of their own tries the echo.
func TestRelayToTheEcho(t *testing.T) {
	g := rig.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.click("#relay-echo")
	p.choose("#relay-through", "agent:local")
	p.click("#relay-connect")
	p.says("#relay-status", "Connected through farwire-local")
	p.click("#relay-send")
	p.await(`document.querySelectorAll('#relay-feed .row').length === 3`)
	p.shot("relay")
}
