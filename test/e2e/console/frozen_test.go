package console

import (
	"fmt"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// A gateway that stands still keeps its connections: what is asked of it ends with a
// sentence, what is open says so, and goes on when the gateway does.
func TestPanels_GatewayFrozen_SayItIsSilent(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t, "--rate", "1000", "--keepalive", "10m")
	p := open(t, desktop, g.HTTP("/"))
	p.expect("closed before the connection is established")
	p.pollFast()
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt/one")
	p.click("#tab-network")
	p.says("#network-rows", "local")
	p.click("#tab-relay")
	p.click("#relay-another")
	g.Signal(harness.Freeze)
	defer g.Signal(harness.Thaw)

	// All wait at once.
	p.fill("#relay-url", "ws://echo.farwire.alt/two")
	p.click("#relay-connect")
	p.says("#relay-status", "Connecting")
	p.click("#tab-http")
	p.fill("#http-url", "http://echo.farwire.alt/")
	p.click("#http-send")
	p.says("#http-status", "Waiting for the answer")
	p.click("#tab-crawl")
	p.fill("#crawl-url", "http://echo.farwire.alt/")
	p.click("#crawl-start")
	p.says("#crawl-status", "Crawling.")
	p.click("#tab-amqp")
	p.fill("#amqp-host", "broker.example.com")
	p.click("#amqp-start")
	p.says("#amqp-status", "Asking the broker")
	for _, c := range []struct{ panel, button, word, status string }{
		{"amqp", "start", "Start streaming", "Not streaming."},
		{"crawl", "start", "Start crawling", "The crawl did not finish."},
		{"http", "send", "Send", "There is no answer."},
		{"relay", "connect", "Connect", "Not connected."},
	} {
		p.click("#tab-" + c.panel)
		p.says("#"+c.panel+"-notice", "The gateway does not answer.")
		p.says("#"+c.panel+"-"+c.button, c.word)
		if status := p.text("#" + c.panel + "-status"); status != c.status {
			t.Errorf("%s: the status is %q, want %q", c.panel, status, c.status)
		}
	}
	p.shot("frozen-connecting")
	p.click("#tab-network")
	p.await(`document.querySelector('#network').matches('.stale')`)

	// What is open is grey, and lives.
	p.click("#tab-relay")
	p.click("#relay-sockets [role=tab]:nth-child(1)")
	p.says("#relay-status", "Connected through farwire-local.")
	p.says("#relay-status.silent", "The gateway does not answer.")
	p.await(`[...document.querySelectorAll('#relay-sockets .state')].every((s) => s.dataset.state !== 'open')`)
	p.sound("relay-silent")
	p.shot("frozen-open")
	g.Signal(harness.Thaw)
	p.await(`!document.querySelector('#relay-status').matches('.silent')`)
	if status := p.text("#relay-status"); status != "Connected through farwire-local." {
		t.Errorf("the status is %q after the gateway went on", status)
	}
	rows := `document.querySelectorAll('#relay-feed section:not([hidden]) .row').length`
	before := eval[int](p, rows)
	p.fill("#relay-text", "still here")
	p.click("#relay-send")
	p.await(fmt.Sprintf("%s === %d", rows, before+2))
	p.click("#tab-network")
	p.await(`!document.querySelector('#network').matches('.stale')`)
	p.says("#network-fresh", "As of")
}

// A crawl and an answer that have begun stay
// on the page while the gateway stands still.
func TestPanels_GatewayFreezesLater_WhatRunsIsGrey(t *testing.T) {
	t.Parallel()
	endless := api(t) + "/slow"
	held := site(t, manual, map[string]chan struct{}{"/waste": make(chan struct{})})
	g := harness.Serve(t, "--allow-private", "--rate", "1000")
	p := open(t, desktop, g.HTTP("/"))
	p.pollFast()
	p.enter(g.Key)
	p.click("#tab-http")
	p.fill("#http-url", endless)
	p.click("#http-send")
	p.says("#http-body", "the first")
	p.click("#tab-crawl")
	p.fill("#crawl-url", held)
	p.click("#crawl-start")
	p.await(`document.querySelector('#crawl-progress').value >= 1`)
	g.Signal(harness.Freeze)
	defer g.Signal(harness.Thaw)
	p.says("#crawl-status.silent", "The gateway does not answer.")
	p.click("#tab-http")
	p.says("#http-status.silent", "The gateway does not answer.")
	p.says("#http-status", "Receiving")
	g.Signal(harness.Thaw)
	p.await(`!document.querySelector('#http-status').matches('.silent')`)
	p.click("#http-send")
	p.says("#http-status", "Stopped.")
	p.click("#tab-crawl")
	p.click("#crawl-start")
	p.says("#crawl-status", "Stopped.")
}
