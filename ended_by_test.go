package farwire_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// A session whose target the guard of an exit or a rule of the key forbids is ended by the
// gateway, whatever its kind: the target was never asked.
func TestSession_TargetForbidden_IsEndedByTheGateway(t *testing.T) {
	for by, o := range map[string]struct {
		exit agent.DirectOptions
		deny []string
	}{
		"guard": {exit: agent.DirectOptions{Slug: "aa1", Country: "AA"}},
		"rule":  {agent.DirectOptions{Slug: "aa1", Country: "AA", AllowPrivate: true}, []string{"127.0.0.0/8"}},
	} {
		keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Deny: o.deny}})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan farwire.SessionResult, 1)
		w := newWorld(t, func(w *farwire.Options) {
			w.Auth, w.Agents = keys, exits{direct(t, o.exit)}
			w.Trace = &farwire.Trace{SessionEnd: func(_ context.Context, _ farwire.SessionInfo, r farwire.SessionResult) { ended <- r }}
		})
		also := w.also(w.gw.ForwardProxy(w.gw.PathForm()))
		for name, call := range map[string]func(w *world) refusal{
			"relay, message": func(w *world) refusal { return surfaces[0].call(w, testKey, "ws://127.0.0.1:1/") },
			"relay, direct":  func(w *world) refusal { return surfaces[1].call(w, testKey, "ws://127.0.0.1:1/") },
			"amqp": func(w *world) refusal {
				s := w.subscribe(`{"apiKey":"` + testKey + `","host":"127.0.0.1","port":1,"exchange":"e"}`)
				if text := s.event(); !strings.Contains(text, "target_forbidden") {
					t.Errorf("%s: %q", by, text)
				}
				return refusal{code: 1008}
			},
			"crawl": func(w *world) refusal {
				p := w.open("/ws/crawl?api_key=" + url.QueryEscape(testKey))
				p.text(`{"url":"http://127.0.0.1:1/"}`)
				for {
					if f := p.next(); f.op == opClose {
						p.frame(opClose, true, f.payload)
						return refusal{code: int(f.payload[0])<<8 | int(f.payload[1])}
					}
				}
			},
			"path form": func(*world) refusal {
				return httpRefusal(also.do("GET", "/to/-/http/127.0.0.1:1/", "X-API-Key: "+testKey))
			},
		} {
			t.Run(by+", "+name, func(t *testing.T) {
				if r := call(w.in(t)); r.code != 1008 && r.status != http.StatusForbidden {
					t.Errorf("%+v", r)
				}
				if r := <-ended; r.EndedBy != farwire.EndedByGateway || r.Err == nil {
					t.Errorf("ended by %q: %v", r.EndedBy, r.Err)
				}
			})
		}
	}
}
