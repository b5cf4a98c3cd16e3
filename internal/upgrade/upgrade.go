// Package upgrade takes a connection over from net/http, through whatever
// middleware a host program has around the handler.
//
// A middleware may wrap the http.ResponseWriter. Some wrappers have a Hijack
// method of their own, some have only Unwrap, some have a Hijack that looks no
// further than the next wrapper, and some keep the status until a body comes:
//
//	handler
//	   │  WriteHeader(101)        Hijack
//	   ▼                            ▼
//	wrapper (keeps the status)   wrapper (asks the next one only)
//	   ▼                            ▼
//	wrapper (only Unwrap)        wrapper (only Unwrap)
//	   ▼                            ▼
//	net/http: the status must arrive here before the connection is taken
//
// So the status goes through all of them, which lets a session middleware add
// its cookie; what was held back is written to net/http's own ResponseWriter;
// and the outermost wrapper that can hand the connection over is asked for it.
package upgrade

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"strings"

	"github.com/coder/websocket"
)

// A HiddenError says that the connection cannot be taken over, because a
// middleware hides it.
type HiddenError struct {
	Middleware string // Go type of the ResponseWriter that leads no further
	Err        error  // what its Hijack returned; nil: it has none
}

// Error names the type, and so is for logs and not for clients.
func (e *HiddenError) Error() string {
	text := "the middleware's " + e.Middleware + " hides http.Hijacker"
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what the middleware's Hijack returned.
func (e *HiddenError) Unwrap() error { return e.Err }

// maxLayers bounds a chain of wrappers, which a faulty one could make endless.
const maxLayers = 100

// Layers returns w and, from the outside in, what Unwrap leads to.
func Layers(w http.ResponseWriter) []http.ResponseWriter {
	layers := []http.ResponseWriter{w}
	for len(layers) < maxLayers {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		if w = u.Unwrap(); w == nil {
			break
		}
		layers = append(layers, w)
	}
	return layers
}

// Innermost names the type of the last of the Layers: where a capability of the
// server's is missing, this is what hides it.
func Innermost(w http.ResponseWriter) string {
	layers := Layers(w)
	return fmt.Sprintf("%T", layers[len(layers)-1])
}

// Check returns a *HiddenError when the connection cannot be taken over, and
// changes nothing. It is asked first, because nobody can answer 500 any more
// when a status 101 has been written.
func Check(w http.ResponseWriter) error {
	layers := hijackers(w)
	last := layers[len(layers)-1]
	if _, ok := last.(http.Hijacker); !ok {
		return &HiddenError{Middleware: fmt.Sprintf("%T", last)}
	}
	return nil
}

// hijackers returns the Layers of w and, where the last of them is a wrapper that
// has a Hijack and no Unwrap, those of the ResponseWriter that it embeds: its Hijack
// leads there, or only fails.
func hijackers(w http.ResponseWriter) []http.ResponseWriter {
	layers := Layers(w)
	for len(layers) < maxLayers {
		last := layers[len(layers)-1]
		if _, ok := last.(http.Hijacker); !ok {
			break
		}
		next := embedded(last)
		if next == nil {
			break
		}
		layers = append(layers, Layers(next)...)
	}
	return layers
}

// embedded is the http.ResponseWriter that a wrapper's struct embeds, or nil.
func embedded(w http.ResponseWriter) http.ResponseWriter {
	v := reflect.Indirect(reflect.ValueOf(w))
	if v.Kind() != reflect.Struct {
		return nil
	}
	field, ok := v.Type().FieldByName("ResponseWriter")
	if !ok || !field.Anonymous || len(field.Index) > 1 {
		return nil
	}
	inner, _ := v.FieldByIndex(field.Index).Interface().(http.ResponseWriter)
	return inner
}

// AcceptKey is what a server answers to a Sec-WebSocket-Key (RFC 6455, section 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Switch answers 101 with the headers set on w, Connection and Upgrade for the
// given protocol among them, and takes the connection over. The caller closes
// it. early is what the client sent behind its request and net/http has read.
func Switch(w http.ResponseWriter, protocol string) (conn net.Conn, early []byte, err error) {
	if err := Check(w); err != nil {
		return nil, nil, err
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", protocol)
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, _, early, err = take(w)
	return conn, early, err
}

// Take takes the connection over as it is, without an answer: the caller writes
// it. The caller closes the connection. early is what the client sent behind its
// request and net/http has read.
func Take(w http.ResponseWriter) (conn net.Conn, early []byte, err error) {
	conn, brw, err := hijack(hijackers(w))
	if err != nil {
		return nil, nil, err
	}
	return conn, buffered(brw), nil
}

// buffered returns what was read from the client already.
func buffered(brw *bufio.ReadWriter) []byte {
	early, _ := brw.Reader.Peek(brw.Reader.Buffered()) // there are so many
	return bytes.Clone(early)
}

// WebSocket answers a WebSocket's opening handshake (RFC 6455, section 4.2.2).
// The WebSocket then runs on what wrap makes of the connection and of the bytes
// that net/http has read already, which the WebSocket reads too. A nil wrap
// leaves the connection as it is. The caller closes the WebSocket.
func WebSocket(w http.ResponseWriter, r *http.Request, o *websocket.AcceptOptions,
	wrap func(conn net.Conn, early []byte) net.Conn) (*websocket.Conn, error) {
	if err := Check(w); err != nil {
		return nil, err
	}
	t := &taker{ResponseWriter: w, wrap: wrap}
	ws, err := websocket.Accept(t, r, o)
	if err != nil && t.conn != nil {
		t.conn.Close()
	}
	if t.err != nil {
		return nil, t.err // whole, where Accept gives its text alone
	}
	return ws, err
}

// A taker is the ResponseWriter that the WebSocket library takes a connection
// from.
type taker struct {
	http.ResponseWriter
	wrap func(net.Conn, []byte) net.Conn
	conn net.Conn
	err  error
}

func (t *taker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader spells the handshake's headers as RFC 6455 does, which net/http's
// Header does not.
func (t *taker) WriteHeader(status int) {
	h := t.Header()
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
			delete(h, name)
			h["Sec-WebSocket-"+rest] = values
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, early, err := take(t.ResponseWriter)
	if err != nil {
		t.err = err
		return nil, nil, err
	}
	t.conn = conn
	if t.wrap == nil {
		return conn, brw, nil
	}
	wrapped := t.wrap(conn, early)
	brw.Writer.Reset(wrapped) // net/http made it for the connection
	return wrapped, brw, nil
}

// take has the status that was written leave, and takes the connection over.
func take(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, []byte, error) {
	layers := hijackers(w)
	for _, layer := range layers {
		// gin keeps the status until it is told to write it.
		if lazy, ok := layer.(interface{ WriteHeaderNow() }); ok {
			lazy.WriteHeaderNow()
		}
	}
	if server := layers[len(layers)-1]; headerUnsent(server) {
		server.WriteHeader(http.StatusSwitchingProtocols)
	}
	conn, brw, err := hijack(layers)
	if err != nil {
		return nil, nil, nil, err
	}
	return conn, brw, buffered(brw), nil
}

// headerUnsent reports whether a status that was written never reached the
// server's ResponseWriter, because a middleware that compresses waits for a body
// before it lets a status through; a connection that is taken over never has
// one. Only net/http's own field tells: writing the status twice to make sure
// would have the server log it for every session. Where there is no such field
// nothing is known, and the middleware is believed.
func headerUnsent(server http.ResponseWriter) bool {
	v := reflect.Indirect(reflect.ValueOf(server))
	if v.Kind() != reflect.Struct {
		return false
	}
	wrote := v.FieldByName("wroteHeader")
	return wrote.Kind() == reflect.Bool && !wrote.Bool()
}

// hijack asks the outermost layer that can hand the connection over.
// http.ResponseController would stop at the first that has a Hijack method, and
// some of those look for the next Hijacker in the layer below alone. Asked they
// must be, because some have to know that nothing more is theirs to write.
func hijack(layers []http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
	hidden := &HiddenError{Middleware: fmt.Sprintf("%T", layers[len(layers)-1]), Err: http.ErrNotSupported}
	for _, w := range layers {
		if hj, ok := w.(http.Hijacker); ok {
			conn, brw, err := try(hj)
			if err == nil {
				if c, ok := conn.(interface{ TakenOver() net.Conn }); ok {
					conn = c.TakenOver() // what the server needed around it
				}
				return conn, brw, nil
			}
			hidden.Err = err
		}
	}
	return nil, nil, hidden
}

// try survives a Hijack that asserts, as gin's does, that the next layer has
// one too.
func try(hj http.Hijacker) (conn net.Conn, brw *bufio.ReadWriter, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		assertion, ok := v.(*runtime.TypeAssertionError)
		if !ok {
			panic(v)
		}
		err = errors.New(assertion.Error())
	}()
	return hj.Hijack()
}
