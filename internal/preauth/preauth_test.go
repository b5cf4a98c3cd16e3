package preauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/internal/preauth"
	"github.com/farwire/farwire/internal/upgrade"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A place is a guarded listener on loopback.
type place struct {
	t     *testing.T
	guard *preauth.Guard
	ln    net.Listener
}

func listen(t *testing.T, o preauth.Options) *place {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	g := preauth.New(o)
	return &place{t, g, g.Listen(ln)}
}

// connect opens a connection from an address and returns both its ends.
func (p *place) connect(from string) (client, server net.Conn) {
	p.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	client, err := dialer.Dial("tcp", p.ln.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { client.Close() })
	server, err = p.ln.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { server.Close() })
	return client, server
}

// isClosed reports whether the gateway's end of a connection was closed.
func isClosed(server net.Conn) bool {
	server.SetReadDeadline(time.Unix(1, 0))
	_, err := server.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func (p *place) wantClosed(want string, servers ...net.Conn) {
	p.t.Helper()
	var got strings.Builder
	for _, s := range servers {
		if isClosed(s) {
			got.WriteByte('x')
		} else {
			got.WriteByte('-')
		}
	}
	if got.String() != want {
		p.t.Errorf("closed: %s, want %s", got.String(), want)
	}
}

func TestPerNetwork_Surplus_ClosesTheLongestWaiting(t *testing.T) {
	p := listen(t, preauth.Options{PerNetwork: 3})
	var servers []net.Conn
	var clients []net.Conn
	for range 5 {
		c, s := p.connect("127.0.0.2")
		clients, servers = append(clients, c), append(servers, s)
	}
	p.wantClosed("xx---", servers...)
	if _, err := clients[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client of a closed connection reads %v, want its end", err)
	}
	// Other networks have room of their own.
	_, other := p.connect("127.0.0.3")
	p.wantClosed("xx----", append(servers, other)...)
	if n := p.guard.Len(); n != 4 {
		t.Errorf("%d connections count, want 4", n)
	}
	// One that ends makes room.
	servers[2].Close()
	_, next := p.connect("127.0.0.2")
	p.wantClosed("---", servers[3], servers[4], next)
}

func TestPerNetwork_ActiveAndIdle_ClosesTheOneThatWaitsLongest(t *testing.T) {
	p := listen(t, preauth.Options{PerNetwork: 3})
	_, a := p.connect("127.0.0.2")
	_, b := p.connect("127.0.0.2")
	_, c := p.connect("127.0.0.2")
	p.guard.ConnState(a, http.StateActive)
	p.guard.ConnState(b, http.StateActive)
	p.guard.ConnState(b, http.StateIdle) // since after c came
	_, d := p.connect("127.0.0.2")
	p.wantClosed("--x-", a, b, c, d)
	_, e := p.connect("127.0.0.2")
	p.wantClosed("-xx--", a, b, c, d, e)
	// When all are being served the first of them goes.
	p.guard.ConnState(d, http.StateActive)
	p.guard.ConnState(e, http.StateActive)
	_, f := p.connect("127.0.0.2")
	p.wantClosed("x--", a, d, f)
}

func TestPerNetwork_KeyShown_CountsNoMore(t *testing.T) {
	p := listen(t, preauth.Options{PerNetwork: 2})
	var servers []net.Conn
	for range 6 {
		_, s := p.connect("127.0.0.2")
		ctx := p.guard.ConnContext(context.Background(), s)
		upgrade.KeyShown(ctx)()
		servers = append(servers, s)
	}
	p.wantClosed("------", servers...)
	if n := p.guard.Len(); n != 0 {
		t.Errorf("%d connections count, want none", n)
	}
}

func TestPerNetwork_LoopbackAndTrusted_DoNotCount(t *testing.T) {
	p := listen(t, preauth.Options{PerNetwork: 1, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.9.0/24")}})
	var servers []net.Conn
	for _, from := range []string{"127.0.0.1", "127.0.0.1", "127.0.9.1", "127.0.9.1"} {
		_, s := p.connect(from)
		servers = append(servers, s)
	}
	p.wantClosed("----", servers...)
}

func TestTotal_Surplus_ClosesTheLongestWaitingOfAll(t *testing.T) {
	p := listen(t, preauth.Options{PerNetwork: 3, Total: 4, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.9.0/24")}})
	var servers []net.Conn
	for _, from := range []string{"127.0.0.1", "127.0.9.1", "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.4"} {
		_, s := p.connect(from)
		servers = append(servers, s)
	}
	p.wantClosed("xx----", servers...)
}

func TestIdle_NoKey_ClosedAfter20s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := listen(t, preauth.Options{PerNetwork: 9, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.9.0/24")}})
		_, unknown := p.connect("127.0.0.1")
		_, busy := p.connect("127.0.0.1")
		_, known := p.connect("127.0.0.1")
		_, proxy := p.connect("127.0.9.1")
		for _, s := range []net.Conn{unknown, busy, known, proxy} {
			p.guard.ConnState(s, http.StateActive)
		}
		upgrade.KeyShown(p.guard.ConnContext(t.Context(), known))()
		for _, s := range []net.Conn{unknown, busy, known, proxy} {
			p.guard.ConnState(s, http.StateIdle)
		}
		time.Sleep(19 * time.Second)
		p.guard.ConnState(busy, http.StateActive)
		synctest.Wait()
		p.wantClosed("----", unknown, busy, known, proxy)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p.wantClosed("x---", unknown, busy, known, proxy)
		p.guard.ConnState(busy, http.StateIdle)
		time.Sleep(19 * time.Second)
		synctest.Wait()
		p.wantClosed("x---", unknown, busy, known, proxy)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p.wantClosed("xx--", unknown, busy, known, proxy)
	})
}

// An exhausted listener has no descriptor for a while.
type exhausted struct {
	net.Listener
	times int
	err   error
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.times--; l.times >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", l.err)}
	}
	return nil, net.ErrClosed
}

func TestAccept_NoDescriptorLeft_GoesOnAndWarnsOnceAMinute(t *testing.T) {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			o := preauth.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			p := listen(t, o)
			_, first := p.connect("127.0.0.1")
			_, second := p.connect("127.0.0.1")
			begin := time.Now()
			// Its pauses grow to a second, so this lasts for longer than two minutes.
			full := p.guard.Listen(&exhausted{p.ln, 150, errno})
			if _, err := full.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept ended with %v, want the listener's own end", err)
			}
			minutes := int(time.Since(begin) / time.Minute)
			warned := strings.Count(log.String(), "level=WARN")
			if minutes < 2 || warned != minutes+1 {
				t.Errorf("%d warnings in %d minutes:\n%s", warned, minutes, log.String())
			}
			p.wantClosed("xx", first, second) // they made room
		})
	}
}

func TestAccept_OtherError_IsReturned(t *testing.T) {
	p := listen(t, preauth.Options{})
	l := p.guard.Listen(&exhausted{p.ln, 1, syscall.EINVAL})
	if _, err := l.Accept(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Accept returned %v, want EINVAL", err)
	}
}
