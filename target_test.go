package farwire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// TestRelay_WrongAnswerOfTheTarget_IsReported has targets answer the upgrade in every wrong way.
func TestRelay_WrongAnswerOfTheTarget_IsReported(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ name, answer, want string }{
		{"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "target answered the upgrade with 404 Not Found"},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n", "target answered the upgrade with 302 Found"},
		{"unknown status", "HTTP/1.1 599 \r\n\r\n", "target answered the upgrade with 599"},
		{"ok", "HTTP/1.1 200 OK\r\n\r\n", "200 OK"},
		{"no Upgrade", "HTTP/1.1 101 x\r\nConnection: upgrade\r\nSec-WebSocket-Accept: KEY\r\n\r\n", "without Upgrade: websocket"},
		{"no Connection", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: KEY\r\n\r\n", "without Connection: Upgrade"},
		{"no Accept", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "wrong Sec-WebSocket-Accept"},
		{"wrong Accept", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", "wrong Sec-WebSocket-Accept"},
		{"subprotocol", "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: other\r\n\r\n", "subprotocol that was not offered"},
		{"two subprotocols", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: mine\r\nSec-WebSocket-Protocol: mine\r\n\r\n", "subprotocol that was not offered"},
		{"extension", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension that was not offered"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "did not answer the upgrade in HTTP/1.1"},
		{"nothing", "", "target closed the connection during the upgrade"},
		{"half a header", "HTTP/1.1 101 x\r\nUpgrade: web", "target closed the connection during the upgrade"},
		{"endless header", "HTTP/1.1 101 x\r\nX: " + strings.Repeat("x", 100<<10), "target answered the upgrade with a head of more than 65536 bytes"},
		{"endless hints", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10), "nothing but interim answers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := newRawTarget(t, func(conn net.Conn, head string) {
				key, _, _ := strings.Cut(head[strings.Index(head, "Sec-WebSocket-Key: ")+19:], "\r\n")
				io.WriteString(conn, strings.ReplaceAll(tt.answer, "KEY", acceptKey(key)))
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
			})
			p := w.in(t).open("/ws")
			p.ask(url, `"subprotocols":["mine"]`)
			p.wantError(1011, tt.want)
			p.wantEnd()
		})
	}
	t.Run("hints before the answer", func(t *testing.T) {
		url := newRawTarget(t, func(conn net.Conn, head string) {
			io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
			answerUpgrade(conn, head)
			echo(&peer{t: t, conn: conn, br: newReader(conn)})
		})
		w.in(t).connected(url, "").close(1000, "")
	})
	// A target, or a proxy, cannot fill the memory by never ending its answer.
	for name, more := range map[string]string{"": "", " of a proxy": `"proxy":"http://%s"`} {
		t.Run("an answer without an end"+name, func(t *testing.T) {
			url := newRawTarget(t, func(conn net.Conn, _ string) {
				line := []byte("X: " + strings.Repeat("x", 1000) + "\r\n")
				_, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n")
				for err == nil {
					_, err = conn.Write(line)
				}
			})
			if more != "" {
				more = fmt.Sprintf(more, strings.Trim(url, "ws:/"))
			}
			p := w.in(t).open("/ws")
			p.ask(url, more)
			p.wantError(1011, "with a head of more than 65536 bytes")
			p.wantEnd()
		})
	}
}

// An authority signs certificates for targets.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	a.key, a.cert = a.sign(t, template)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// certificate makes one for the names.
func (a *authority) certificate(t *testing.T, expires time.Duration, names ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(expires)}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	key, cert := a.sign(t, template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// listen serves TLS on loopback with a certificate for the names.
func (a *authority) listen(t *testing.T, expires time.Duration, names ...string) net.Listener {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.certificate(t, expires, names...)}})
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func TestRelay_TLSTarget_IsVerified(t *testing.T) {
	known, unknown := newAuthority(t), newAuthority(t)
	w := newWorld(t, func(o *farwire.Options) { o.RootCAs = known.pool })
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, tt := range []struct {
		name string
		ln   net.Listener
		want string // empty: connected
	}{
		{"verified", known.listen(t, time.Hour, "127.0.0.1"), ""},
		{"unknown authority", unknown.listen(t, time.Hour, "127.0.0.1"), "TLS: certificate signed by an unknown authority"},
		{"other name", known.listen(t, time.Hour, "target.example"), "TLS: certificate is not valid for 127.0.0.1, only for target.example"},
		{"expired", known.listen(t, -time.Hour, "127.0.0.1"), "TLS: certificate has expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serveTarget(t, tt.ln, echo)
			p := w.in(t).open("/ws")
			p.ask("wss://"+tt.ln.Addr().String()+"/", "")
			if tt.want != "" {
				p.wantError(1011, tt.want)
				return
			}
			p.wantConnected()
			big := strings.Repeat("over TLS", 100_000)
			p.text(big)
			p.wantText(big)
			p.close(1000, "")
			p.wantClose(1000, "")
			p.wantEnd()
		})
	}
	t.Run("plain target", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask("wss"+strings.TrimPrefix(plain.URL, "http"), "")
		p.wantError(1011, "TLS: the target does not speak TLS on this port")
	})
}

// TestGuard_ForbiddenTarget_IsRefused has the gateway refuse what the agent may not dial.
func TestGuard_ForbiddenTarget_IsRefused(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) {
		o.Agents = direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", Resolver: nameTable{"inside.test": {"10.1.2.3"}}})
	})
	url := newTarget(t, func(*peer) { t.Error("the guard let it through") })
	for _, u := range []string{url, strings.Replace(url, "127.0.0.1", "localhost", 1), strings.Replace(url, "127.0.0.1", "0x7f.1", 1), "ws://inside.test/", "ws://169.254.169.254/"} {
		p := w.open("/ws")
		p.ask(u, "")
		f := p.next()
		if !strings.Contains(string(f.payload), `"error"`) || strings.Contains(string(f.payload), "10.1.2.3") {
			t.Errorf("%s: got %v", u, f)
		}
		d := w.try("/ws?url="+escape(u), "X-API-Key: "+testKey)
		if d.resp.StatusCode != 403 && d.resp.StatusCode != 502 {
			t.Errorf("%s: the direct form got %s", u, d.resp.Status)
		}
	}
}

// TestRelay_AgentFails_TriesTheNext: until connected, an agent's failure goes to the next that
// fits, a target's does not.
func TestRelay_AgentFails_TriesTheNext(t *testing.T) {
	url := newTarget(t, echo)
	good := direct(t, agent.DirectOptions{Slug: "good", AllowPrivate: true})
	failing := func(f agent.Fault) agent.Exit {
		return agent.Exit{ID: "farwire-bad", Slug: "bad", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &agent.DialError{Fault: f, Err: errors.New("because of 10.9.8.7")}
		}}
	}
	for _, tt := range []struct {
		fault agent.Fault
		code  int // zero: connected through the other
	}{{agent.FaultAgent, 0}, {agent.FaultPolicy, 0}, {agent.FaultTarget, 1011}} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			w := newWorld(t, func(o *farwire.Options) {
				o.Agents = selector(func(q agent.Query) (agent.Exit, error) {
					for _, e := range []agent.Exit{failing(tt.fault), good} {
						if q.Fits(e) {
							return e, nil
						}
					}
					return agent.Exit{}, agent.ErrNoAgent
				})
			})
			p := w.open("/ws")
			p.ask(url, "")
			if tt.code != 0 {
				p.wantError(tt.code, "target unreachable")
			} else {
				p.wantText(`{"type":"connected","status":101,"node_id":"farwire-good"}`)
			}
			pinned := w.open("/ws")
			pinned.ask(url, `"agent":"bad"`)
			code := 1011
			if tt.fault == agent.FaultPolicy {
				code = 1008
			}
			f := pinned.next()
			if strings.Contains(string(f.payload), "10.9.8.7") || strings.Contains(string(f.payload), "connected") {
				t.Errorf("pinned: got %v", f)
			}
			if c := pinned.next(); c.op != opClose || int(binary.BigEndian.Uint16(c.payload)) != code {
				t.Errorf("pinned: got %v, want close %d", c, code)
			}
		})
	}
}

// TestRelay_AgentFails_ErrorNamesNoAddress: a client is told what is wrong with the agent, without
// addresses; the log has all of it.
func TestRelay_AgentFails_ErrorNamesNoAddress(t *testing.T) {
	for want, err := range map[string]error{
		"agent overloaded":   &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(10, 9, 8, 7)}, Err: os.NewSyscallError("socket", syscall.EMFILE)},
		"agent lost":         errors.New("session shutdown by 10.9.8.7"),
		"agent has no route": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
	} {
		w := newWorld(t, func(o *farwire.Options) {
			o.Agents = agent.Exit{ID: "a", Slug: "a", DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &agent.DialError{Fault: agent.FaultAgent, Err: err}
			}}
		})
		p := w.open("/ws")
		p.ask("ws://target.test/", "")
		p.wantError(1011, want)
		w.log.Await(t, "session ended", err.Error())
		wantDetail(t, w.try("/ws?url=ws://target.test/", "X-API-Key: "+testKey).resp, 502, want)
	}
}

// TestExit_FailureBehindTheDial_IsReported: what fails behind the dial is told to the exit.
func TestExit_FailureBehindTheDial_IsReported(t *testing.T) {
	var mu sync.Mutex
	var got []string
	exit := direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	exit.Report = func(host string, err error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprintf("%s %v", host, err))
	}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exit })
	for _, status := range []string{"403 Forbidden", "407 x", "429 x", "404 x"} {
		p := w.open("/ws")
		p.ask(newRawTarget(t, func(conn net.Conn, _ string) { fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", status) }), "")
		p.wantError(1011, status[:3])
	}
	w.connected(newTarget(t, echo), "")
	p := w.open("/ws")
	p.ask("wss"+strings.TrimPrefix(newTarget(t, echo), "ws"), "")
	p.wantError(1011, "TLS")
	mu.Lock()
	defer mu.Unlock()
	want := []string{"127.0.0.1 target answered the upgrade with 403 Forbidden", "127.0.0.1 target answered the upgrade with 407 Proxy Authentication Required",
		"127.0.0.1 target answered the upgrade with 429 Too Many Requests",
		"127.0.0.1 <nil>", "127.0.0.1 TLS: connection closed during the handshake: EOF"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("reports\n%q\nwant\n%q", got, want)
	}
}
