package natscluster_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
)

// FuzzMessage is what anybody may publish on NATS: with a wrong MAC nobody learns of
// it; with that of a gateway it may be anything.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"from":"one"}`, `{"from":"one","at":%d,"kind":"beat"}`,
		`{"from":"one","at":%d,"kind":"ask","to":"own"}`, `{"from":"one","at":%d,"kind":"ask"}`, `{"from":"one","at":%d,"kind":"bye"}`,
		`{"from":"one","at":%d,"kind":"list","holding":{"gateway":"two","url":"x","agents":[{"link":1,"slug":"a","country":"DE"}]},"parts":1}`,
		`{"from":"one","at":%d,"kind":"list","holding":{"agents":[]},"part":-1,"parts":-7}`,
		`{"from":"one","at":%d,"kind":"list","holding":{},"part":0,"parts":2}`,
		`{"from":"one","at":%d,"kind":"change","number":1,"holding":{"gone":[1,2]}}`,
		`{"from":"own","at":%d,"kind":"list","holding":{}}`,
		`{"from":"one","at":%d,"kind":"revoke","revoked":[{"key_id":"k","at":"2999-01-01T00:00:00Z"},{"agent":true}]}`,
	} {
		f.Add([]byte(s))
	}
	c, err := natscluster.Open(natscluster.Options{URL: "nats://127.0.0.1:1", Name: "own", Logger: slog.New(slog.DiscardHandler),
		Secrets: func() [][]byte { return [][]byte{[]byte(secret)} }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	forged := false
	c.Join(agent.Member{
		Holding: func() agent.Holding { return agent.Holding{Gateway: "own", URL: "http://127.0.0.1:1"} },
		Heard: func(h agent.Holding) {
			if forged || h.Gateway == "own" || h.Gateway == "" {
				f.Errorf("heard %+v, forged %v", h, forged)
			}
		},
		Lost: func(string) {},
	})
	c.Subscribe(func(r farwire.Revocation) {
		if forged || r.KeyID == "" {
			f.Errorf("received %+v, forged %v", r, forged)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		body = bytes.Replace(body, []byte("%d"), []byte(fmt.Sprint(time.Now().UnixNano())), 1)
		forged = true
		c.Take(body)
		sent := c.Sign(body)
		sent[0] ^= 1
		c.Take(sent)
		forged = false
		sent[0] ^= 1
		c.Take(sent)
		dropped := c.Stats().Dropped
		forged = true
		c.Take(sent) // what was there before
		if c.Stats().Dropped != dropped+1 {
			t.Errorf("%q is taken twice", body)
		}
		forged = false
	})
}
