package faulttest

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// A session is one client and the target that it has reached.
type session struct {
	id      uint64
	gateway string    // where the client has come to, host:port
	node    string    // the agent between the two
	asked   time.Time // when it was asked for
	began   time.Time
	client  *endpoint
	target  *endpoint
	done    chan struct{} // closed when both have ended
}

// A endpoint is one end of a session: it sends its own script and holds what
// arrives against the other one's.
type endpoint struct {
	conn    net.Conn
	arrival int // of a target's: how many connections came before
	script  script
	in      reader
	gap     time.Duration
	writing sync.Mutex // one frame at a time
	sent    atomic.Uint64
	quiet   chan struct{} // closed when nothing but a close frame is to be sent any more
	silence sync.Once
	done    chan struct{} // closed when the connection has ended; what follows is set then

	closed *closing // the close frame that came, or nil
	err    error    // why there was none: errInside, errOutside, or what went wrong
	at     time.Time
}

func newEndpoint(conn net.Conn, br *bufio.Reader, out, in script, gap time.Duration) *endpoint {
	return &endpoint{
		conn: conn, script: out, in: reader{script: in, br: br}, gap: gap,
		quiet: make(chan struct{}), done: make(chan struct{}),
	}
}

// run sends and receives until the other side ends it. A close frame is
// answered with its own code.
func (p *endpoint) run() {
	defer close(p.done)
	defer p.conn.Close()
	var sending sync.WaitGroup
	sending.Go(p.send)
	for p.closed == nil && p.err == nil {
		p.closed, p.err = p.in.frame()
	}
	p.at = time.Now()
	if p.closed != nil {
		p.sendClose(p.closed.code)
		p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, _ := io.Copy(io.Discard, p.in.br); n > 0 {
			p.err = fmt.Errorf("%d bytes came after the close frame", n)
		}
	}
	p.conn.Close() // first, for one who is still writing
	p.silence.Do(func() { close(p.quiet) })
	sending.Wait()
}

// send sends the script until it is told to be quiet or cannot. Every other
// frame leaves in two parts with a while between them, so that at any moment
// many sessions are inside a frame and many are not.
func (p *endpoint) send() {
	for n := uint64(0); ; n++ {
		if !p.pause() {
			return
		}
		wire := p.script.frame(n).wire(p.script.masked)
		p.writing.Lock()
		select {
		case <-p.quiet: // a close frame may have left meanwhile
			p.writing.Unlock()
			return
		default:
		}
		first := len(wire)
		if n%2 == 0 {
			first = 1 + rand.IntN(len(wire))
		}
		_, err := p.conn.Write(wire[:first])
		if err == nil && first < len(wire) {
			p.pause()
			_, err = p.conn.Write(wire[first:])
		}
		if err == nil {
			p.sent.Add(1)
		}
		p.writing.Unlock()
		if err != nil {
			return // the one who reads finds out why
		}
	}
}

// pause waits for about half the gap, and returns false when all is said.
func (p *endpoint) pause() bool {
	timer := time.NewTimer(rand.N(p.gap))
	defer timer.Stop()
	select {
	case <-p.quiet:
		return false
	case <-timer.C:
		return true
	}
}

// sendClose sends a close frame where a frame ends, unless one has been sent.
func (p *endpoint) sendClose(code int) {
	p.silence.Do(func() {
		close(p.quiet)
		p.sendFrame(closeFrame(code))
	})
}

// sendFrame sends a frame that is not in the script. When it cannot, the one
// who reads finds out why.
func (p *endpoint) sendFrame(f frame) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
	p.conn.Write(f.wire(p.script.masked))
}

// scripts of the two sides of a session.
func scripts(id uint64) (client, target script) {
	return script{seed: 2 * id, masked: true}, script{seed: 2*id + 1}
}

// dial opens a session through the gateway and waits until it is connected.
func dial(ctx context.Context, gateway, target string, id uint64, gap time.Duration) (p *endpoint, node string, err error) {
	conn, br, node, err := connect(ctx, gateway, fmt.Sprintf("ws://%s/%d", target, id), harness.Key)
	if err != nil {
		return nil, "", err
	}
	out, in := scripts(id)
	p = newEndpoint(conn, br, out, in, gap)
	p.in.ping = func(payload []byte) { p.sendFrame(frame{op: opPong, fin: true, tail: payload}) }
	return p, node, nil
}

// connect asks a gateway to connect to a target and waits until it has.
func connect(ctx context.Context, gateway, target, key string) (conn net.Conn, br *bufio.Reader, node string, err error) {
	opened, err := new(net.Dialer).DialContext(ctx, "tcp", gateway)
	if err != nil {
		return nil, nil, "", err
	}
	conn = opened
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	ask, err := json.Marshal(map[string]string{"apiKey": key, "url": target})
	if err != nil {
		return nil, nil, "", err
	}
	head := "GET /ws HTTP/1.1\r\nHost: " + gateway + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	message := frame{op: opText, fin: true, head: ask}
	if _, err := conn.Write(append([]byte(head), message.wire(true)...)); err != nil {
		return nil, nil, "", err
	}
	br = bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, nil, "", err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, "", fmt.Errorf("the gateway answers %s", resp.Status)
	}
	answer, err := readText(br)
	if err != nil {
		return nil, nil, "", err
	}
	var said struct {
		Type, Message string
		Node          string `json:"node_id"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Type != "connected" {
		return nil, nil, "", fmt.Errorf("the gateway says %s", answer)
	}
	conn.SetDeadline(time.Time{})
	return conn, br, said.Node, nil
}

// readText reads one short text message of a server.
func readText(br *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(br, head[:2]); err != nil {
		return nil, err
	}
	size := int(head[1])
	if size == 126 {
		if _, err := io.ReadFull(br, head[2:]); err != nil {
			return nil, err
		}
		size = int(head[2])<<8 | int(head[3])
	} else if size > 126 {
		return nil, errors.New("no short message")
	}
	b := make([]byte, size)
	_, err := io.ReadFull(br, b)
	if err == nil && head[0] != 0x80|opText {
		err = fmt.Errorf("the first frame begins with %x: %q", head[0], b)
	}
	return b, err
}

// accept reads the upgrade request that a target gets; the path is the
// session's number. The answer is still to be sent, before run.
func accept(conn net.Conn, gap time.Duration) (p *endpoint, id uint64, answer []byte, err error) {
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	br := bufio.NewReader(conn)
	req, err := http.ReadRequest(br)
	if err != nil {
		return nil, 0, nil, err
	}
	if id, err = strconv.ParseUint(strings.TrimPrefix(req.URL.Path, "/"), 10, 64); err != nil {
		return nil, 0, nil, err
	}
	conn.SetDeadline(time.Time{})
	in, out := scripts(id)
	return newEndpoint(conn, br, out, in, gap), id, switching(req), nil
}

// switching is the answer to an upgrade request.
func switching(req *http.Request) []byte {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
}
