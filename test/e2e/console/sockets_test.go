package console

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// Several sockets are open at once, each with its frames and its form; what was
// sent before is offered, and what crossed can be saved.
func TestRelay_SeveralSockets_EachWithItsFrames(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt/one")
	p.await(`!document.querySelector('#relay-url').checkVisibility()`) // what is settled is folded away
	p.says("#relay-target", "ws://echo.farwire.alt/one")
	p.fill("#relay-text", `{"of": "one"}`)
	p.click("#relay-send")
	p.awaitRows("relay-feed", 3)

	p.click("#relay-another")
	p.await(`document.activeElement.id === 'relay-url'`)
	p.relayTo("ws://user:se@cret@echo.farwire.alt/two")
	p.fill("#relay-text", `{"of": "two"}`)
	p.click("#relay-send")
	p.awaitRows("relay-feed", 6)
	p.choose("#relay-kind", "hex")
	p.fill("#relay-text", "00ff")
	p.click("#relay-send")
	p.awaitRows("relay-feed", 8)
	p.shot("relay-sockets")
	visible := func() string {
		return eval[string](p, `[...document.querySelectorAll('#relay-feed .row')].filter((row) => row.checkVisibility()).map((row) => row.innerText).join(' ')`)
	}
	if now := visible(); !strings.Contains(now, `"two"`) || strings.Contains(now, `"one"`) {
		t.Errorf("of the second socket is shown %s", now)
	}
	p.click("#relay-sockets [role=tab]:nth-child(1)")
	p.says("#relay-target", "ws://echo.farwire.alt/one")
	if now := visible(); !strings.Contains(now, `"one"`) || strings.Contains(now, `"two"`) {
		t.Errorf("of the first socket is shown %s", now)
	}
	p.click("#relay-connect")
	p.says("#relay-status", "Closed.")
	p.await(`document.querySelector('#relay-url').value === 'ws://echo.farwire.alt/one'`)
	p.click("#relay-sockets [role=tab]:nth-child(2)")
	p.says("#relay-status", "Connected through")

	// What was sent before is offered.
	sent := eval[[]string](p, `[...document.querySelectorAll('#relay-sent option')].map((o) => o.innerText)`)
	if fmt.Sprint(sent) != `[Sent before… 00ff {"of": "two"} {"of": "one"}]` {
		t.Errorf("offered are %q", sent)
	}
	p.choose("#relay-sent", "2")
	p.await(`document.querySelector('#relay-text').value === '{"of": "one"}'`)
	offered := eval[[]string](p, `[...document.querySelectorAll('#relay-targets option')].map((o) => o.value)`)
	if fmt.Sprint(offered) != "[ws://echo.farwire.alt/two ws://echo.farwire.alt/one]" {
		t.Errorf("offered are %q", offered)
	}

	// What crossed, as files: each session with its target.
	p.click("#relay-connect")
	p.says("#relay-status", "Closed.")
	p.relayTo("ws://echo.farwire.alt/three")
	p.await(`[...document.querySelectorAll('#relay-feed section:not([hidden]) .row')].length === 7`)
	front := "#relay-feed section:not([hidden]) "
	p.click(front + ".menu summary")
	lines := strings.Split(strings.TrimSpace(p.download(front+".menu button:nth-child(1)", "frames.jsonl")), "\n")
	if len(lines) != 7 || !strings.Contains(lines[0], "ws://echo.farwire.alt/two through") {
		t.Fatalf("the file has %d lines: %s", len(lines), lines)
	}
	var last struct{ Time, Direction, Kind, Data, Encoding string }
	if err := json.Unmarshal([]byte(lines[4]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Direction != "received" || last.Kind != "binary" || last.Data != base64.StdEncoding.EncodeToString([]byte{0, 0xff}) || last.Encoding != "base64" || last.Time == "" {
		t.Errorf("the last line is %+v", last)
	}
	p.click(front + ".menu summary")
	var har struct {
		Log struct {
			Version string
			Entries []struct {
				Request           struct{ URL string }
				ResourceType      string `json:"_resourceType"`
				WebSocketMessages []struct {
					Type, Data string
					Opcode     int
					Time       float64
				} `json:"_webSocketMessages"`
			}
		}
	}
	if err := json.Unmarshal([]byte(p.download(front+".menu button:nth-child(2)", "frames.har")), &har); err != nil {
		t.Fatal(err)
	}
	if len(har.Log.Entries) != 2 || har.Log.Entries[1].Request.URL != "ws://echo.farwire.alt/three" || har.Log.Version != "1.2" {
		t.Fatalf("the archive is %+v", har)
	}
	entry := har.Log.Entries[0]
	if entry.Request.URL != "ws://echo.farwire.alt/two" || entry.ResourceType != "websocket" || len(entry.WebSocketMessages) != 4 ||
		entry.WebSocketMessages[0].Type != "send" || entry.WebSocketMessages[1].Type != "receive" || entry.WebSocketMessages[3].Opcode != 2 || entry.WebSocketMessages[3].Data != "AP8=" {
		t.Errorf("the entry is %+v", entry)
	}

	// A tab can be closed, and the other stays.
	p.click("#relay-sockets [role=tab]:nth-child(1)")
	p.click("#relay-remove")
	p.says("#relay-target", "ws://echo.farwire.alt/three")
	p.await(`document.querySelector('#relay-sockets').hidden`)

	// With another key nothing of all that is left.
	p.click("#leave")
	p.await(`!document.querySelector('#welcome').hidden`)
	if kept := eval[string](p, `JSON.stringify({...sessionStorage})`); kept != "{}" {
		t.Errorf("the tab still keeps %s", kept)
	}
}

// A frame is read as JSON, as text and as bytes; and whoever does not see the
// page is told of frames, not of each.
func TestRelay_Frame_ReadInSeveralWaysAndTold(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, phone, g.HTTP("/"))
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt")
	// On a phone the frames stand above the message.
	if above := eval[bool](p, `document.querySelector('#relay-feed').getBoundingClientRect().top < document.querySelector('#relay-message').getBoundingClientRect().top`); !above {
		t.Error("the message stands above the frames")
	}
	p.fill("#relay-text", `{"a":[1]}`)
	p.click("#relay-send")
	p.awaitRows("relay-feed", 3)
	p.click("#relay-feed .row:last-child button.line")
	for name, want := range map[string]string{"JSON": "{\n  \"a\": [\n    1\n  ]\n}", "Text": `{"a":[1]}`, "Hex": "7b 22 61 22 3a 5b 31 5d 7d"} {
		eval[any](p, fmt.Sprintf(`void [...document.querySelectorAll('#relay-feed .views button')].find((b) => b.innerText === %q).click()`, name))
		p.says("#relay-feed .detail pre", want)
	}
	p.await(`/Received text/.test(document.querySelector('#relay-feed [role=status]').innerText)`)
	p.says("#relay-feed .rate", "a second")
}
