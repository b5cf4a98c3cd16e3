package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// FuzzMessages holds the reading of messages to its limits.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{goodHello, `{}`, `[]`, `{"version":1e999}`, `{"addrs":["1.2.3.4","::1"]}`, `{"addrs":[""]}`,
		`{"op":"dial","network":"tcp","addr":"a:1","timeout_ms":-1,"policy":{"ports":[1],"deny":["10.0.0.0/8"]}}`,
		`{"type":"lost","stream":4294967296}`, `{"fault":"policy","cause":"private"}`} {
		f.Add([]byte(message(s) + "rest"))
	}
	f.Add([]byte{0xff, 0xff, '{', '}'})
	f.Fuzz(func(t *testing.T, in []byte) {
		for kind, limit := range agent.MessageKinds {
			r := bytes.NewReader(in)
			again, err := agent.ReadBack(kind, r)
			read := len(in) - r.Len()
			if err != nil {
				continue
			}
			if n := int(in[0])<<8 | int(in[1]); read != n+2 || n > limit {
				t.Fatalf("%s: read %d bytes of a message of %d, at most %d", kind, read, n, limit)
			}
			if !again {
				t.Fatalf("%s: %q changes when it is written and read again", kind, in)
			}
		}
	})
}

// play lets the other end of a connection be the fuzzer's, and waits for the
// end of what serves this one.
func play(t *testing.T, in []byte, serve func(net.Conn)) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); serve(ours) }()
	heard := make(chan struct{})
	go func() { defer close(heard); io.Copy(io.Discard, theirs) }()
	theirs.SetWriteDeadline(time.Now().Add(5 * time.Second))
	theirs.Write(in)
	theirs.Close()
	for _, c := range []chan struct{}{done, heard} {
		select {
		case <-c:
		case <-time.After(10 * time.Second):
			t.Fatalf("%q: it does not end with the connection", in)
		}
	}
}

// FuzzGateway plays an agent.
func FuzzGateway(f *testing.F) {
	lost := message(`{"type":"lost","stream":1,"cause":"connection reset"}`)
	for _, s := range []string{
		"", message(goodHello), message(goodHello) + controlStream(lost), message(goodHello) + controlStream(message(`{"type":"drain"}`)),
		message(goodHello) + controlStream(message(`{"type":"leave"}`)) + frame(goAway, 0, 0, 0, ""),
		message(goodHello) + frame(data, syn, 2, 3, "abc") + frame(window, rst, 2, 1, "") + frame(ping, syn, 0, 1, ""),
		message(goodHello) + controlStream(lost[:5]) + frame(data, fin, 2, uint32(len(lost)-5), lost[5:]) + frame(window, fin|ack, 2, 0, ""),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		play(t, in, func(c net.Conn) { p.AttachConn(c) })
		if n := len(p.Agents()); n != 0 {
			t.Fatalf("%q: %d agents are left", in, n)
		}
	})
}

// FuzzAgent plays a gateway.
func FuzzAgent(f *testing.F) {
	const welcome = `{"version":1,"gateway":"g","link":1,"id":"farwire-de1","slug":"de1","country":"DE"}`
	request := func(s string) string {
		return frame(window, syn, 1, 0, "") + frame(data, 0, 1, uint32(len(message(s))), message(s))
	}
	dial := request(`{"op":"dial","network":"tcp","addr":"1.1.1.1:1","timeout_ms":100}`)
	for _, s := range []string{
		"", message(welcome), message(`{"version":1,"refused":"no","code":"identity"}`), message(`{"version":2,"gateway":"g"}`),
		message(welcome) + dial, message(welcome) + dial + frame(data, fin, 1, 3, "abc"), message(welcome) + dial + frame(window, rst, 1, 0, ""),
		message(welcome) + request(`{"op":"resolve","addr":"x.test"}`), message(welcome) + request(`{"op":"x"}`) + frame(window, ack, 2, 0, ""),
		message(welcome) + frame(data, 0, 2, 0, "") + frame(data, 0, 2, 30, message(`{"type":"abort","stream":1}`)+"xx"),
		message(welcome) + dial + frame(data, ack, 2, 38, message(`{"type":"bye","code":"replaced"}    `)),
		message(`{"version":1,"gateway":"g","link":1,"peers":["https://x.test","ftp://x","\u0000"]}`),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		o := agent.RunOptions{
			Gateways: []string{"https://gw"}, Secret: secret, Slug: "de1", Country: "DE", DrainTimeout: -1,
			Resolver: fixed(map[string][]string{"x.test": {"1.1.1.1"}}), Logger: quiet,
		}
		play(t, in, func(c net.Conn) {
			agent.JoinConn(t.Context(), o, c, func(_ context.Context, addr string) (net.Conn, error) {
				if strings.Contains(addr, "127.") {
					t.Errorf("%q: dials %s", in, addr)
				}
				near, far := net.Pipe()
				far.Close()
				if addr == "1.1.1.1:1" {
					return near, nil
				}
				return nil, errors.New("nobody there")
			})
		})
	})
}
