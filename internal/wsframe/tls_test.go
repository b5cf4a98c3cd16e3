package wsframe_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	. "github.com/farwire/farwire/internal/wsframe"
)

// A keyed is the server's end of TLS 1.3 that makes its records itself, so that it can
// say what crypto/tls never says.
type keyed struct {
	net.Conn
	write   sync.Mutex
	out, in half
	read    []byte
	updates int // of the client's keys
}

// half is one direction of it (RFC 8446, section 7.3).
type half struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
)

func expand(secret []byte, label string, size int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(append(info, byte(len(label))), label...)
	b, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
	if err != nil {
		panic(err)
	}
	return b
}

func (h *half) use(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	h.secret, h.iv, h.seq = secret, expand(secret, "iv", 12), 0
	if h.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
}

func (h *half) update() { h.use(expand(h.secret, "traffic upd", sha256.Size)) }

func (h *half) nonce() []byte {
	n := append([]byte(nil), h.iv...)
	for i := range 8 {
		n[4+i] ^= byte(h.seq >> (56 - 8*i))
	}
	h.seq++
	return n
}

func (h *half) seal(kind byte, b []byte) []byte {
	head := binary.BigEndian.AppendUint16([]byte{recordData, 3, 3}, uint16(len(b)+1+h.aead.Overhead()))
	return h.aead.Seal(head, h.nonce(), append(append([]byte(nil), b...), kind), head)
}

// send sends bytes in records of a kind and a size.
func (k *keyed) send(kind byte, b []byte, size int) error {
	k.write.Lock()
	defer k.write.Unlock()
	for len(b) > 0 {
		n := min(len(b), size)
		if _, err := k.Conn.Write(k.out.seal(kind, b[:n])); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Write sends data.
func (k *keyed) Write(b []byte) (int, error) {
	if err := k.send(recordData, b, 16<<10); err != nil {
		return 0, err
	}
	return len(b), nil
}

// updateKeys is KeyUpdate of section 4.6.3. The message may be cut into records.
func (k *keyed) updateKeys(request byte, size int) error {
	if err := k.send(recordHandshake, []byte{24, 0, 0, 1, request}, size); err != nil {
		return err
	}
	k.write.Lock()
	defer k.write.Unlock()
	k.out.update()
	return nil
}

// Read returns data, and follows the client's updates of its keys.
func (k *keyed) Read(b []byte) (int, error) {
	for len(k.read) == 0 {
		head := make([]byte, 5)
		if _, err := io.ReadFull(k.Conn, head); err != nil {
			return 0, err
		}
		record := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err := io.ReadFull(k.Conn, record); err != nil {
			return 0, err
		}
		plain, err := k.in.aead.Open(nil, k.in.nonce(), record, head)
		if err != nil {
			return 0, err
		}
		last := len(plain) - 1
		switch kind := plain[last]; {
		case kind == recordData:
			k.read = plain[:last]
		case kind == recordAlert && plain[1] == 0:
			return 0, io.EOF
		case kind == recordHandshake && plain[0] == 24:
			k.updates++
			k.in.update()
		default:
			return 0, fmt.Errorf("record of type %d: % x", kind, plain)
		}
	}
	n := copy(b, k.read)
	k.read = k.read[n:]
	return n, nil
}

// keyedPair is a pair over TLS whose far end is a keyed.
func keyedPair(pair func(testing.TB) (near, far net.Conn)) func(testing.TB) (near, far net.Conn) {
	return func(t testing.TB) (near, far net.Conn) {
		t.Helper()
		var log strings.Builder
		n, f := pair(t)
		c := tlsConfig().Clone()
		c.KeyLogWriter, c.SessionTicketsDisabled, c.MinVersion = &log, true, tls.VersionTLS13
		server, client := tls.Server(f, c), tls.Client(n, &tls.Config{InsecureSkipVerify: true}) // the pair is our own
		shaken := make(chan error, 1)
		go func() { shaken <- server.Handshake() }()
		if err := errors.Join(client.Handshake(), <-shaken); err != nil {
			t.Fatal(err)
		}
		if suite := server.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
			t.Fatalf("the suite is %s, and these tests know one", tls.CipherSuiteName(suite))
		}
		k := &keyed{Conn: f}
		for line := range strings.Lines(log.String()) {
			if part := strings.Fields(line); len(part) == 3 {
				secret, err := hex.DecodeString(part[2])
				if err != nil {
					t.Fatal(err)
				}
				switch part[0] {
				case "SERVER_TRAFFIC_SECRET_0":
					k.out.use(secret)
				case "CLIENT_TRAFFIC_SECRET_0":
					k.in.use(secret)
				}
			}
		}
		return client, k
	}
}

// keyeds runs a test with a target that is a keyed, for goroutines and for a loop.
func keyeds(t *testing.T, pair func(testing.TB) (near, far net.Conn), test func(t *testing.T, s *session, k *keyed)) {
	for name, pair := range map[string]func(testing.TB) (near, far net.Conn){
		"tls":      inTurns(pair, keyedPair(pair)),
		"tls/loop": inTurns(loopPair(pair), keyedPair(forTLS(loopPair(pair)))),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, pair, nil)
			test(t, s, s.target.(*keyed))
		})
	}
}

// A target may change its keys, ask for a change of ours, and say what is no data, in
// as many records as it likes.
func TestPipe_TLSTargetUpdatesKeys_BytesCross(t *testing.T) {
	keyeds(t, tcpPair, func(t *testing.T, s *session, k *keyed) {
		ticket := []byte{4, 0, 0, 18, 0, 0, 1, 0, 1, 2, 3, 4, 1, 9, 0, 4, 't', 'i', 'c', 'k', 0, 0}
		for i, size := range []int{100, 1, 2} {
			s.post(s.client, text("up", true))
			s.want(s.target, text("up", true))
			if err := errors.Join(k.updateKeys(byte(i%2), size), k.send(recordHandshake, ticket, size), k.updateKeys(1, size)); err != nil {
				t.Fatal(err)
			}
			s.post(s.target, text("down", false), text("and more", false))
			s.want(s.client, text("down", false), text("and more", false))
			for range 3 {
				s.post(s.client, text("up", true))
				s.want(s.target, text("up", true))
			}
		}
		if k.updates != 4 {
			t.Errorf("the gateway changed its keys %d times, want 4", k.updates)
		}
		s.closeBoth()
	})
}

// How the target's connection ends, the client is told in one way.
func TestPipe_TLSTargetEnds_Closes1013(t *testing.T) {
	ends := map[string]struct {
		end  func(k *keyed)
		want error
	}{
		"close_notify": {func(k *keyed) { k.send(recordAlert, []byte{1, 0}, 2) }, ErrNoClose},
		"abrupt":       {func(k *keyed) { k.Conn.Close() }, ErrNoClose},
		"inside a record": {func(k *keyed) {
			k.Conn.Write([]byte{recordData, 3, 3, 0, 50, 1, 2, 3})
			k.Conn.Close()
		}, io.ErrUnexpectedEOF},
		"alert":       {func(k *keyed) { k.send(recordAlert, []byte{2, 80}, 2) }, nil},
		"not genuine": {func(k *keyed) { k.Conn.Write([]byte{recordData, 3, 3, 0, 20, 19: 0, 24: 0}) }, nil},
	}
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			keyeds(t, tcpPair, func(t *testing.T, s *session, k *keyed) {
				s.post(s.target, text("the last", false))
				s.want(s.client, text("the last", false))
				test.end(k)
				s.wantClose(s.client, CloseTryAgain, "")
				s.client.Close()
				if r := s.result(Target, CauseLoss, CloseTryAgain); r.Err == nil || test.want != nil && !errors.Is(r.Err, test.want) {
					t.Errorf("%v, want %v", r.Err, test.want)
				}
			})
		})
	}
	t.Run("inside a frame", func(t *testing.T) {
		keyeds(t, tcpPair, func(t *testing.T, s *session, k *keyed) {
			half := text("truncated", false)[:5]
			s.post(s.target, half)
			s.want(s.client, half)
			k.send(recordAlert, []byte{1, 0}, 2)
			s.wantEnd(s.client)
			s.result(Target, CauseLoss, CloseAbnormal)
		})
	})
}
