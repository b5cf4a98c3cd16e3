package netio_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/farwire/farwire/internal/netio"
)

var tlsConfig = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})

// secured shakes hands between the two ends of a connection. Near is the client.
func secured(t *testing.T, near, far net.Conn, version uint16) (client, server *tls.Conn) {
	t.Helper()
	client = tls.Client(near, &tls.Config{InsecureSkipVerify: true, MaxVersion: version}) // the ends are our own
	server = tls.Server(far, tlsConfig())
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return client, server
}

// A fragmentingConn sends what is written in pieces, whatever the records are: each is
// sent when the other end has read the one before.
type fragmentingConn struct {
	*net.TCPConn
	queue *os.File // the other end
	kept  []byte
	keeps bool // until send
}

func (c *fragmentingConn) Write(b []byte) (int, error) {
	if c.keeps {
		c.kept = append(c.kept, b...)
		return len(b), nil
	}
	return c.TCPConn.Write(b)
}

// SetWriteDeadline is called by crypto/tls when it closes: what was kept is sent later.
func (c *fragmentingConn) SetWriteDeadline(time.Time) error { return nil }

// send sends what was kept, in pieces of these sizes, less one, one after the other;
// without any whole.
func (c *fragmentingConn) send(sizes []byte) error {
	for i := 0; len(c.kept) > 0; i++ {
		size := len(c.kept)
		if len(sizes) > 0 {
			size = min(size, int(sizes[i%len(sizes)])+1)
		}
		if _, err := c.TCPConn.Write(c.kept[:size]); err != nil {
			return err
		}
		c.kept = c.kept[size:]
		for len(sizes) > 0 && c.unread() > 0 {
			time.Sleep(10 * time.Microsecond) // the kernel does not signal this
		}
	}
	return nil
}

// unread is FIONREAD of the other end.
func (c *fragmentingConn) unread() (n int32) {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, c.queue.Fd(), 0x541B, uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return 0
	}
	return n
}

// The ways in which TLS ends.
const (
	endNotify = iota // close_notify
	endBehind        // close_notify that comes with the last data
	endFIN           // between two records
	endInside        // inside of one
	endWays
)

// echoes sends to an echo over TLS in a loop, in records of a size, cut as sizes says,
// and compares what comes back. The echo reads so many bytes at once.
func echoes(t *testing.T, sent []byte, record int, sizes []byte, version uint16, end, most int) {
	_, near, far := ends(t)
	queue, err := near.File()
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	cut := &fragmentingConn{TCPConn: far, queue: queue}
	client, server := secured(t, netio.ForTLS(near), cut, version)
	early := min(len(sent), record) // is with crypto/tls when the session joins the loop
	if _, err := server.Write(sent[:early]); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, early/2)
	if _, err := io.ReadFull(client, first); err != nil {
		t.Fatal(err)
	}

	var l netio.Loop
	e := newEcho(t, &l, client)
	e.rest, e.most = first, most
	e.conn.Call()
	got := make([]byte, len(sent))
	if n, err := io.ReadFull(server, got[:early]); err != nil {
		t.Fatalf("of what came before %d of %d bytes came back, %v", n, early, err)
	}
	cut.keeps = true
	for b := sent[early:]; len(b) > 0; {
		n, err := server.Write(b[:min(len(b), record)])
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if end == endBehind {
		server.CloseWrite()
	}
	wrote := make(chan error, 1)
	go func() { wrote <- cut.send(sizes) }()
	if n, err := io.ReadFull(server, got[early:]); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back the same, %v", early+n, len(sent), err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	cut.keeps = false
	want := io.EOF
	switch end {
	case endNotify:
		server.CloseWrite()
	case endInside:
		cut.Write([]byte{23, 3, 3, 0, 99, 1, 2, 3})
		want = io.ErrUnexpectedEOF
		fallthrough
	case endFIN:
		far.CloseWrite()
	}
	if err := <-e.ended; err != want {
		t.Fatalf("ended with %v, want %v", err, want)
	}
}

func TestLoop_TLSCutAnywhere_CarriesAll(t *testing.T) {
	much := make([]byte, 200_000)
	rand.Read(much) // never fails
	for name, test := range map[string]struct {
		sent   []byte
		record int
		sizes  []byte
		most   int
	}{
		"whole":             {much, len(much), nil, 64 << 10},
		"byte by byte":      {much[:3000], 1000, []byte{0}, 64 << 10},
		"small records":     {much[:20_000], 100, []byte{255, 0, 254, 3}, 64 << 10},
		"many at once":      {much, 50, nil, 64 << 10},
		"large records":     {much, 16 << 10, []byte{255, 254, 253}, 64 << 10},
		"one byte a record": {much[:300], 1, []byte{40}, 64 << 10},
		"small reads":       {much[:50_000], 300, nil, 17},
		"reads of a record": {much, 700, nil, 16 << 10},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+", "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				for end := range endWays {
					echoes(t, test.sent, test.record, test.sizes, version, end, test.most)
				}
			})
		}
	}
}

func FuzzLoop_TLS(f *testing.F) {
	f.Add([]byte("a message"), uint16(3), []byte{0, 6, 1}, false, uint8(0), uint16(10))
	f.Add(bytes.Repeat([]byte("much"), 10_000), uint16(16<<10), []byte{255}, true, uint8(1), uint16(1<<15))
	f.Add([]byte{1}, uint16(1), []byte{}, true, uint8(2), uint16(1))
	f.Fuzz(func(t *testing.T, sent []byte, record uint16, sizes []byte, old bool, end uint8, most uint16) {
		version := uint16(tls.VersionTLS13)
		if old {
			version = tls.VersionTLS12
		}
		if len(sent) == 0 || len(sent) > 50_000 || max(len(sent)/(int(record)+1), len(sent)/(int(most)+1)) > 1000 {
			return
		}
		echoes(t, sent, int(record)+1, sizes, version, int(end)%endWays, int(most)+1)
	})
}

// A tls.Conn whose socket cannot move stays as it is.
func TestLoop_TLSOverABareSocket_JoinsNothing(t *testing.T) {
	var l netio.Loop
	_, near, far := ends(t)
	client, server := secured(t, near, far, tls.VersionTLS13)
	if l.Join(&echo{t: t}, make([]netio.LoopConn, 1), client) {
		t.Fatal("it has joined")
	}
	go server.Write([]byte("x"))
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// Whoever closes a connection of a loop says nothing in TLS, unless CloseWrite does;
// both of a closed one are told.
func TestLoop_TLSClosed_SaysSoWhenAsked(t *testing.T) {
	for _, notify := range []bool{true, false} {
		var l netio.Loop
		_, near, far := ends(t)
		client, server := secured(t, netio.ForTLS(near), far, tls.VersionTLS13)
		c := &closer{notify: notify, did: make(chan error, 1)}
		joined := make([]netio.LoopConn, 1)
		if !l.Join(c, joined, client) {
			t.Fatal("it cannot join")
		}
		c.conn = &joined[0]
		c.conn.Call()
		if err := <-c.did; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed connection: %v", err)
		}
		raw := &bytes.Buffer{}
		if _, err := io.Copy(raw, far); err != nil {
			t.Error(err)
		}
		if notified := raw.Len() > 0; notified != notify {
			t.Errorf("close_notify: %v, want %v", notified, notify)
		}
		server.Close()
	}
}

// A closer closes its connection as soon as it may, and tries to use it.
type closer struct {
	conn   *netio.LoopConn
	notify bool
	did    chan error
}

func (c *closer) Called() {
	if c.notify {
		c.conn.CloseWrite()
	}
	c.conn.Close()
	_, reading := c.conn.Read(make([]byte, 1))
	_, writing := c.conn.Write(make([]byte, 1))
	if reading == nil || writing == nil || c.conn.CloseWrite() == nil {
		c.did <- errors.New("it can be used")
		return
	}
	c.did <- reading
}

func (c *closer) Ready(*netio.LoopConn, bool, bool) {}
