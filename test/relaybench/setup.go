//go:build linux

package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"time"
)

// rootsVariable has the target's certificate, in PEM, for those who verify it.
const rootsVariable = "RELAYBENCH_ROOTS"

var aSession = unit{"ns/session", time.Nanosecond, 1, "sessions"}

// sessionLoad sets sessions up, each for one message.
var sessionLoad = named{"sessions", load{"sessions set up for one message each, 16 at a time", 128, 16, 20,
	func(int) part { return settingUp }, aSession}}

// secureLoads go to a target at wss://; the load itself speaks to the relay in clear.
var secureLoads = []named{
	{"sessions", entitled(sessionLoad.load, "sessions to a target with TLS, set up for one message each, 16 at a time")},
	{"lockstep", entitled(loads["lockstep"], "lock-step with a target with TLS, 128 bytes, 64 sessions")},
}

func entitled(ld load, title string) load {
	ld.title = title
	return ld
}

var settingUp = part{
	do: func(l *link, size, sessions int) error {
		out, in := frame(size, true), frame(size, false)
		for range sessions {
			one, err := l.open()
			if err != nil {
				return err
			}
			err = one.roundTrip(out, in)
			one.conn.Close()
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// openSession opens a WebSocket with that path, or with an empty path what will open
// sessions, one after the other.
func (r *relay) openSession(target, path string) (*link, error) {
	if path == "" {
		conn, err := net.Dial("tcp", target)
		return &link{conn: conn, open: func() (*link, error) { return r.openSession(target, "/echo?size=128") }}, err
	}
	secure := r.way == bySecure
	scheme := "ws://"
	if secure {
		scheme = "wss://"
	}
	switch {
	case len(r.processes) == 0:
		return dial(target, path, "")
	case r.name == "query": // one handshake, as with nginx
		q := url.Values{"fw_url": {scheme + target + path}, "fw_api_key": {benchKey}}
		return dial(r.processes[0].addr, "/ws?"+q.Encode(), "")
	case r.farwire:
		return dial(r.processes[0].addr, "/ws", scheme+target+path)
	case secure:
		path = "/secure" + path
	}
	return dial(r.processes[0].addr, path, "")
}

// measureSetup has each relay set sessions up, and carry some to a target with TLS.
func measureSetup(p *plan, target *process) ([]goal, error) {
	plain, err := inTurns(p, target, bySession, "nginx", []named{sessionLoad}, setupGoals("ws", 2))
	if err != nil {
		return nil, err
	}
	secure, err := inTurns(p, target, bySecure, "nginx", secureLoads, setupGoals("wss", 1.2))
	return append(plain, secure...), err
}

func setupGoals(scheme string, limit float64) func(string, *table) []goal {
	return func(load string, t *table) (goals []goal) {
		add := comparing(t, scheme+", "+load, &goals)
		if load == "lockstep" {
			limit = 1.1
		} else {
			add("query", "nginx", limit)
		}
		add("farwire", "nginx", limit)
		return goals
	}
}

// identity makes the target's certificate and lets the processes that start from
// now on have it.
func identity() (cert tls.Certificate, inPEM string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, "", err
	}
	now := time.Now()
	own := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		return cert, "", err
	}
	cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

// targetRoots is whom our relays trust.
func targetRoots() (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(os.Getenv(rootsVariable))) {
		return nil, errors.New("there is no certificate in " + rootsVariable)
	}
	return roots, nil
}

// A peeked connection has its first bytes in a reader.
type peeked struct {
	net.Conn
	br *bufio.Reader
}

func (c *peeked) Read(b []byte) (int, error) { return c.br.Read(b) }

// secured returns what TLS makes of a connection that begins with its handshake, and
// any other as it is, each with the reader of what comes first.
func secured(conn net.Conn, config *tls.Config) (net.Conn, *bufio.Reader, error) {
	const handshake = 22 // RFC 8446, section 5.1
	br := bufio.NewReaderSize(conn, 4096)
	first, err := br.Peek(1)
	if err != nil {
		return conn, nil, err
	}
	if first[0] == handshake {
		conn = tls.Server(&peeked{conn, br}, config)
		br = bufio.NewReaderSize(conn, 4096)
	}
	return conn, br, nil
}
