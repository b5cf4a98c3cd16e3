package upstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/internal/deflate"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/forward"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/upgrade"
)

const (
	maxHead          = 64 << 10 // a longer header is not a handshake
	maxInformational = 5
	bodyWait         = time.Second // for what is kept of an answer that refuses
)

// answerReaders are for the heads of answers, of which nothing is needed once they have been read.
var answerReaders = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

// shakeHands does the client's half of RFC 6455, section 4.1, and keeps what came
// behind the 101.
func shakeHands(ctx context.Context, conn net.Conn, t *Target) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	if _, err := conn.Write(t.Request(key)); err != nil {
		return nil, upgradeLost(ctx, err)
	}
	head := &io.LimitedReader{R: conn, N: maxHead}
	br := answerReaders.Get().(*bufio.Reader)
	br.Reset(head)
	defer func() {
		br.Reset(nil)
		answerReaders.Put(br)
	}()
	header := switched(br)
	if header == nil {
		resp, err := readResponse(br)
		switch {
		case err != nil && head.N == 0:
			return nil, refused("target answered the upgrade with a head of more than %d bytes", maxHead)
		case err != nil:
			return nil, upgradeLost(ctx, err)
		case resp.StatusCode != http.StatusSwitchingProtocols:
			head.N += int64(t.Body)
			return nil, newRefusal(conn, resp, t.Body)
		}
		header = resp.Header
	}
	extensions, err := checkAnswer(header, key, t)
	if err != nil {
		return nil, err
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	rest, err := br.Peek(br.Buffered())
	if err != nil {
		return nil, err
	}
	protocol := header.Get(protocolField)
	return &Conn{conn, bytes.Clone(rest), protocol, extensions, WithoutHop(header)}, nil
}

// Request is the upgrade request: the client's headers as they were given,
// which net/http would rename and reorder.
func (t *Target) Request(key string) []byte {
	var b bytes.Buffer
	b.Grow(512)
	line := func(name, value string) {
		b.WriteString(name)
		b.WriteString(": ")
		b.WriteString(value)
		b.WriteString("\r\n")
	}
	b.WriteString("GET ")
	b.WriteString(t.URL.Path)
	b.WriteString(" HTTP/1.1\r\n")
	host := t.host
	if host == "" {
		host = t.URL.Authority()
	}
	line("Host", host)
	line("Upgrade", "websocket")
	line("Connection", "Upgrade")
	line("Sec-WebSocket-Key", key)
	line("Sec-WebSocket-Version", "13")
	if len(t.Subprotocols) > 0 {
		line("Sec-WebSocket-Protocol", strings.Join(t.Subprotocols, ", "))
	}
	if len(t.Extensions) > 0 {
		line("Sec-WebSocket-Extensions", strings.Join(t.Extensions, ", "))
	}
	for _, h := range t.header {
		line(h.Name, h.Value)
	}
	if t.cookie != "" {
		line("Cookie", t.cookie)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// readResponse skips the few interim answers that a server may send first.
func readResponse(br *bufio.Reader) (*http.Response, error) {
	for range maxInformational {
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
	return nil, refused("target answered the upgrade with nothing but interim answers")
}

// newRefusal keeps what the target answered, and as much of its body as comes
// in time.
func newRefusal(conn net.Conn, resp *http.Response, most int) *Refusal {
	r := &Refusal{Status: resp.StatusCode, Header: resp.Header,
		public: fault.New(fault.TargetRefused, "target answered the upgrade with "+statusText(resp.StatusCode))}
	if most > 0 && conn.SetReadDeadline(time.Now().Add(bodyWait)) == nil {
		var b bytes.Buffer
		io.CopyN(&b, resp.Body, int64(most)) // what is cut short was cut short by the target
		r.Body = b.Bytes()
	}
	return r
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// WithoutHop returns the header without what belongs to the handshake or the hop.
func WithoutHop(h http.Header) http.Header {
	out := maps.Clone(h)
	forward.RemoveHop(out)
	maps.DeleteFunc(out, func(name string, _ []string) bool { return OfHop(strings.ToLower(name)) })
	return out
}

func refused(format string, args ...any) error {
	return fault.Newf(fault.TargetRefused, format, args...)
}

// upgradeLost says what a failed read or write during the upgrade was.
func upgradeLost(ctx context.Context, err error) error {
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.Of(err) != nil, fault.IsTimeout(err):
		return err
	case alertOf(err) != "":
		// TLS 1.3 refuses a client only when it has finished its handshake.
		return TLS{}.failure(err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.TargetRefused, "target closed the connection during the upgrade", err)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fault.Wrap(fault.TargetRefused, "target reset the connection during the upgrade", err)
	case errors.As(err, &op):
		return fault.Wrap(fault.TargetRefused, "connection lost during the upgrade", err)
	}
	return fault.Wrap(fault.TargetRefused, "target did not answer the upgrade in HTTP/1.1", safetext.WithoutRepeats(err))
}

// checkAnswer is the list of RFC 6455, section 4.1, items 2 to 6. It returns
// the extensions that were agreed on.
func checkAnswer(h http.Header, key string, t *Target) (extensions string, err error) {
	protocols := h[protocolField]
	switch {
	case !httpguts.HeaderValuesContainsToken(h.Values("Upgrade"), "websocket"):
		return "", refused("target answered the upgrade without Upgrade: websocket")
	case !httpguts.HeaderValuesContainsToken(h.Values("Connection"), "upgrade"):
		return "", refused("target answered the upgrade without Connection: Upgrade")
	case h.Get(acceptField) != upgrade.AcceptKey(key):
		return "", refused("target answered the upgrade with a wrong Sec-WebSocket-Accept")
	case len(protocols) > 1, len(protocols) == 1 && !slices.Contains(t.Subprotocols, protocols[0]):
		return "", refused("target chose a subprotocol that was not offered")
	}
	extensions, err = deflate.Agreed(h[extensionsField], t.Extensions)
	if err != nil {
		return "", fault.Wrap(fault.TargetRefused, "target chose an extension that was not offered", err)
	}
	return extensions, nil
}
