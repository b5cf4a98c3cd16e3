package nats_test

import (
	"bufio"
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// A wire is a client of NATS that hears all and may publish anything.
type wire struct {
	t    *testing.T
	conn net.Conn

	mu    sync.Mutex
	heard [][]byte
}

func (w *world) wire() *wire {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.nats.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	tap := &wire{t: w.t, conn: conn}
	done := make(chan struct{})
	w.t.Cleanup(func() { conn.Close(); <-done })
	if _, err := io.WriteString(conn, "CONNECT {\"verbose\":false}\r\nSUB > 1\r\n"); err != nil {
		w.t.Fatal(err)
	}
	go func() { defer close(done); tap.listen() }()
	return tap
}

// listen keeps what it hears until the connection ends.
func (w *wire) listen() {
	r := bufio.NewReader(w.conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "PING"):
			if _, err := io.WriteString(w.conn, "PONG\r\n"); err != nil {
				return
			}
		case len(fields) > 3 && fields[0] == "MSG":
			size, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				w.t.Errorf("NATS says %q", line)
				return
			}
			body := make([]byte, size+2)
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
			w.mu.Lock()
			w.heard = append(w.heard, body[:size])
			w.mu.Unlock()
		}
	}
}

func (w *wire) all() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([][]byte(nil), w.heard...)
}

func (w *wire) publish(body []byte) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.conn, "PUB farwire.farwire %d\r\n%s\r\n", len(body), body); err != nil {
		w.t.Fatal(err)
	}
}

// mac is one under a key that is derived from a secret.
func mac(t *testing.T, secret, label string, parts ...[]byte) []byte {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, label, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// Whoever reads and writes NATS, and knows the agents' secret, learns of no target and
// no client, and changes nothing.
func TestNATS_ClientWithTheAgentsSecret_ChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tap := w.wire()
	one, two := w.gateway(), w.gateway()
	w.agent("de1", 1, one)
	w.awaitAgents(1, []string{"de1"}, one, two)
	name := w.holders(two)["de1"][0]
	s := w.relay(two, "de1")
	w.eventually("gateways speak", func() bool { return len(tap.all()) > 10 })
	heard := tap.all()
	for _, b := range heard {
		for what, secret := range map[string]string{"the target": strings.TrimPrefix(w.target, "ws://"), "a key": key, "a caller": "alice",
			"the agents' secret": agentSecret, "the token's secret": w.secret} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("NATS is told %s: %q", what, b)
			}
		}
	}

	trap, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trap.Close()
	go func() {
		for {
			c, err := trap.Accept()
			if err != nil {
				return
			}
			c.Close()
			t.Error("a gateway has come to a gateway with another secret")
		}
	}()
	hash := sha256.Sum256([]byte(key))
	id := sha256.Sum256(append([]byte("farwire key id\x00"), hash[:]...))
	held := `{"link":1,"id":"farwire-evil","slug":"evil","country":"DE","instance":"x","enforces_rules":true}`
	for from, rest := range map[string]string{
		"evil":      `"kind":"list","parts":1,"holding":{"gateway":"evil","url":"http://` + trap.Addr().String() + `","agents":[` + held + `]}`,
		name:        `"kind":"list","number":99999,"parts":1,"holding":{"gateway":"` + name + `","url":"http://` + trap.Addr().String() + `","agents":[` + held + `]}`,
		name + " ":  `"kind":"bye"`,
		"evil too":  `"kind":"ask"`,
		"evil also": `"kind":"revoke","revoked":[{"key_id":"` + hex.EncodeToString(id[:8]) + `","at":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","gateway":"` + name + `"}]`,
	} {
		body := fmt.Appendf(nil, `{"from":%q,"at":%d,%s}`, strings.TrimSpace(from), time.Now().UnixNano(), rest)
		for _, secret := range []string{agentSecret, "", key} {
			tap.publish(append(mac(t, secret, "farwire nats v1", []byte("farwire.farwire\x00"), body), body...))
		}
	}
	for _, b := range heard {
		tap.publish(b) // what was there before
	}
	for _, g := range []*harness.Gateway{one, two} {
		w.eventually("all of it is dropped", func() bool { return w.dropped(g) >= 15 })
	}
	s.echo()
	for _, g := range []*harness.Gateway{one, two} {
		if by := w.holders(g); len(by) != 1 || len(by["de1"]) != 1 || by["de1"][0] != name {
			t.Errorf("agents %v", by)
		}
		w.relay(g, "de1")
	}
	w.wrongSecretAsPeer(one, name)
	s.echo()
}

// dropped is how many messages a gateway has not taken.
func (w *world) dropped(g *harness.Gateway) int {
	w.t.Helper()
	return w.metric(g, `farwire_cluster_messages_total{what="dropped"}`)
}

// metric is the value of a series of a gateway's.
func (w *world) metric(g *harness.Gateway, series string) int {
	w.t.Helper()
	resp, err := w.http.Get(g.Await(g.Stderr, `(?m)^metrics at (http://\S+)$`)[1])
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\d+)$`).FindSubmatch(text)
	if m == nil {
		w.t.Fatalf("a gateway does not tell %s:\n%s", series, text)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// wrongSecretAsPeer asks to be let in as a gateway by secrets that are not the cluster's.
func (w *world) wrongSecretAsPeer(g *harness.Gateway, name string) {
	w.t.Helper()
	nonce, at := strings.Repeat("0123456789abcdef", 4), strconv.FormatInt(time.Now().UnixMilli(), 10)
	var signed []byte
	for _, s := range []string{"ask", name, "", nonce, "", at, ""} {
		signed = append(binary.BigEndian.AppendUint64(signed, uint64(len(s))), s...)
	}
	for _, secret := range []string{agentSecret, key, ""} {
		req, err := http.NewRequest(http.MethodGet, g.HTTP("/agents/attach"), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		for header, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "farwire-peer", "Authorization": "Bearer " + agentSecret,
			"Farwire-Peer": name, "Farwire-Nonce": nonce, "Farwire-Time": at, "Farwire-Proof": hex.EncodeToString(mac(w.t, secret, "farwire peer v1", signed))} {
			req.Header.Set(header, value)
		}
		resp, err := w.http.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			w.t.Errorf("a gateway with another secret as a gateway: %s", resp.Status)
		}
	}
}
