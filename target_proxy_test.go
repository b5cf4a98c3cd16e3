package farwire_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

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

// TestRelay_ProxyOfTheClient_ReachesTheTarget reaches targets through a client's proxy.
func TestRelay_ProxyOfTheClient_ReachesTheTarget(t *testing.T) {
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

// TestGuard_TargetBehindProxy_IsLookedUpAtTheAgent: the hop to the proxy passes the guard, and the target
// is looked up at the agent although the proxy is given its name.
func TestGuard_TargetBehindProxy_IsLookedUpAtTheAgent(t *testing.T) {
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
