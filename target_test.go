package farwire_test

import (
	"bufio"
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
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// TestWrongAnswers has targets answer the upgrade in every wrong way.
func TestWrongAnswers(t *testing.T) {
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

func TestTLSTargets(t *testing.T) {
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

// A fakeProxy speaks CONNECT and SOCKS5 well enough to be a proxy.
type fakeProxy struct {
	addr     string
	mu       sync.Mutex
	asked    []string // the targets it was asked for, as it was asked
	user     string   // wanted credentials, "user:password"; empty: none
	redirect string   // dial this instead of what was asked
}

func (f *fakeProxy) targets() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

func (f *fakeProxy) note(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, target)
}

func (f *fakeProxy) start(t *testing.T, serve func(net.Conn)) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = ln.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			wg.Go(func() { defer c.Close(); serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
}

func (f *fakeProxy) join(client net.Conn, br io.Reader, target string) {
	far, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer far.Close()
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(far, br); far.(*net.TCPConn).CloseWrite() })
	io.Copy(client, far)
	client.(*net.TCPConn).CloseWrite()
	wg.Wait()
}

func newConnectProxy(t *testing.T, user string) *fakeProxy {
	f := &fakeProxy{user: user}
	f.start(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		req, err := http.ReadRequest(br)
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		if name, password, _ := (&http.Request{Header: http.Header{"Authorization": req.Header["Proxy-Authorization"]}}).BasicAuth(); f.user != "" && name+":"+password != f.user {
			io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
			return
		}
		f.note(req.Host)
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
		target := req.Host
		if f.redirect != "" {
			target = f.redirect
		}
		f.join(c, br, target)
	})
	return f
}

func newSOCKS5(t *testing.T, user string) *fakeProxy {
	f := &fakeProxy{user: user}
	f.start(t, func(c net.Conn) {
		read := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(c, b); err != nil {
				return make([]byte, n)
			}
			return b
		}
		read(int(read(2)[1]))
		if f.user == "" {
			c.Write([]byte{5, 0})
		} else {
			c.Write([]byte{5, 2})
			name := string(read(int(read(2)[1])))
			password := string(read(int(read(1)[0])))
			if name+":"+password != f.user {
				c.Write([]byte{1, 1})
				return
			}
			c.Write([]byte{1, 0})
		}
		var host string
		switch read(4)[3] {
		case 1:
			host = netip.AddrFrom4([4]byte(read(4))).String()
		case 3:
			host = string(read(int(read(1)[0])))
		case 4:
			host = netip.AddrFrom16([16]byte(read(16))).String()
		}
		target := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(read(2)))))
		f.note(target)
		if host == "refused.test" {
			c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		if f.redirect != "" {
			target = f.redirect
		}
		f.join(c, c, target)
	})
	return f
}

// TestProxies reaches targets through a client's proxy.
func TestProxies(t *testing.T) {
	url := newTarget(t, echo)
	host := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/")
	w := newWorld(t)
	for _, tt := range []struct {
		name, scheme, user, sent string
		start                    func(*testing.T, string) *fakeProxy
	}{
		{"http", "http://", "", "", newConnectProxy},
		{"http with credentials", "http://", "us er:p@ss", "us%20er:p%40ss@", newConnectProxy},
		{"socks5", "socks5://", "", "", newSOCKS5},
		{"socks5 with credentials", "socks5://", "user:p@ss", "user:p%40ss@", newSOCKS5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.start(t, tt.user)
			p := w.in(t).open("/ws")
			p.ask(url, fmt.Sprintf(`"proxy":%q`, tt.scheme+tt.sent+f.addr))
			p.wantConnected()
			p.text("by a way round")
			p.wantText("by a way round")
			if got := f.targets(); len(got) != 1 || got[0] != host {
				t.Errorf("the proxy was asked for %q", got)
			}
		})
	}
	t.Run("wrong credentials", func(t *testing.T) {
		f := newConnectProxy(t, "user:right-password")
		p := w.in(t).open("/ws")
		p.ask(url, fmt.Sprintf(`"proxy":"http://user:wrong-password@%s"`, f.addr))
		p.wantError(1011, "proxy answered CONNECT with 407 Proxy Authentication Required")
		s := newSOCKS5(t, "user:right-password")
		p = w.in(t).open("/ws")
		p.ask(url, fmt.Sprintf(`"proxy":"socks5://user:wrong-password@%s"`, s.addr))
		p.wantError(1011, "proxy refused: ")
		if strings.Contains(w.log.String(), "wrong-password") {
			t.Error("the log has the proxy's password")
		}
	})
	t.Run("refused by the proxy", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask("ws://refused.test/", fmt.Sprintf(`"proxy":"socks5://%s"`, newSOCKS5(t, "").addr))
		p.wantError(1011, "proxy refused: connection refused")
	})
	t.Run("no proxy there", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask(url, fmt.Sprintf(`"proxy":"http://%s"`, harness.FreeAddr(t)))
		p.wantError(1011, "proxy unreachable: connection refused")
	})
	t.Run("the environment's proxy is not used", func(t *testing.T) {
		t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
		t.Setenv("ALL_PROXY", "socks5://127.0.0.1:1")
		w.in(t).connected(url, "")
	})
}

// A nameTable resolves names for an agent, and may change its mind.
type nameTable map[string][]string

func (n nameTable) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, s := range n[host] {
		out = append(out, netip.MustParseAddr(s))
	}
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

// TestGuardBehindProxy: the hop to the proxy passes the guard, and the target
// is looked up at the agent although the proxy is given its name.
func TestGuardBehindProxy(t *testing.T) {
	url := newTarget(t, echo)
	host := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/")
	f := newSOCKS5(t, "")
	f.redirect = host
	names := nameTable{"public.test": {"93.184.216.34"}, "mixed.test": {"93.184.216.34", "10.0.0.1"}, "private.test": {"192.168.1.1"}}
	guarded := direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", Resolver: names})
	open := direct(t, agent.DirectOptions{AllowPrivate: true})
	// The agent may reach the proxy on loopback and nothing else that is private.
	exit := guarded
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == f.addr {
			return open.DialContext(ctx, network, addr)
		}
		return guarded.DialContext(ctx, network, addr)
	}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = exit })
	for _, tt := range []struct{ url, want, given string }{
		{"ws://public.test/", "", "public.test:80"},
		{"ws://unknown.test:99/", "", "unknown.test:99"},
		{"ws://mixed.test/", "--allow-private", ""},
		{"ws://private.test/", "--allow-private", ""},
		{"ws://127.0.0.1/", "--allow-private", ""},
		{"ws://[::ffff:10.0.0.1]/", "--allow-private", ""},
	} {
		before := len(f.targets())
		p := w.open("/ws")
		p.ask(tt.url, fmt.Sprintf(`"proxy":"socks5://%s"`, f.addr))
		if tt.want != "" {
			p.wantError(1008, tt.want)
			if got := f.targets(); len(got) != before {
				t.Errorf("%s: the proxy was asked for %q", tt.url, got[before:])
			}
			continue
		}
		p.wantConnected()
		if got := f.targets(); got[len(got)-1] != tt.given {
			t.Errorf("%s: the proxy was asked for %q, want %q", tt.url, got[len(got)-1], tt.given)
		}
	}
	t.Run("proxy itself forbidden", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Agents = guarded })
		p := w.open("/ws")
		p.ask("ws://public.test/", fmt.Sprintf(`"proxy":"http://%s"`, f.addr))
		p.wantError(1008, "--allow-private")
	})
	t.Run("by address", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Agents = exit; o.Relay.ProxyByAddress = true })
		p := w.open("/ws")
		p.ask("ws://public.test/", fmt.Sprintf(`"proxy":"socks5://%s"`, f.addr))
		p.wantConnected()
		if got := f.targets(); got[len(got)-1] != "93.184.216.34:80" {
			t.Errorf("the proxy was asked for %q", got[len(got)-1])
		}
	})
}

// TestGuard has the gateway refuse what the agent may not dial.
func TestGuard(t *testing.T) {
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

// TestAnotherAgent: until connected, an agent's failure goes to the next that
// fits, a target's does not.
func TestAnotherAgent(t *testing.T) {
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

// TestAgentFaults: a client is told what is wrong with the agent, without
// addresses.
func TestAgentFaults(t *testing.T) {
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
		wantDetail(t, w.try("/ws?url=ws://target.test/", "X-API-Key: "+testKey).resp, 502, want)
	}
}

// TestReports: what fails behind the dial is told to the exit.
func TestReports(t *testing.T) {
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
