package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// maxInline is how large the head of a request may be that its caller writes, who cannot
// read an answer meanwhile: a socket takes that much.
const maxInline = 4 << 10

// A head is that of a request.
type head struct {
	text   []byte
	names  []string
	length int64 // of the body; -1: it is sent in chunks
}

var heads = sync.Pool{New: func() any { return &head{text: make([]byte, 0, 1<<10)} }}

func (h *head) release() {
	if cap(h.text) > 64<<10 {
		return
	}
	clear(h.names)
	heads.Put(h)
}

// newHead returns the head of a request (RFC 9112, section 3). Of a method that mostly
// has no body, it begins to read one whose length is not known, which may turn out to be
// none; o has then what is left of it.
func newHead(req *http.Request, o *Options) (*head, error) {
	uri, host := req.URL.RequestURI(), req.Host
	if host == "" {
		host = req.URL.Host
	}
	switch {
	case !httpguts.ValidHeaderFieldName(req.Method): // a token, too
		return nil, fmt.Errorf("the method %q is not valid", req.Method)
	case host == "" || !httpguts.ValidHostHeader(host):
		return nil, fmt.Errorf("the host %q is not valid", host)
	case strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, errors.New("the address has a control character")
	}
	length, err := probe(req, o)
	if err != nil {
		return nil, err
	}
	h := heads.Get().(*head)
	h.text, h.names, h.length = h.text[:0], h.names[:0], length
	h.text = append(append(append(append(h.text, req.Method...), ' '), uri...), " HTTP/1.1\r\n"...)
	h.field("Host", host)
	for name, values := range req.Header {
		switch name {
		case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) || !allValid(values) {
			return nil, fmt.Errorf("the header %q is not valid", name)
		}
		h.names = append(h.names, name)
	}
	if agent := req.Header["User-Agent"]; len(agent) > 0 && agent[0] != "" {
		if !allValid(agent) {
			return nil, errors.New("the header User-Agent is not valid")
		}
		h.field("User-Agent", agent[0])
	}
	h.framing(req, o)
	slices.Sort(h.names)
	for _, name := range h.names {
		for _, v := range req.Header[name] {
			h.field(name, v)
		}
	}
	h.text = append(h.text, "\r\n"...)
	return h, nil
}

func allValid(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) })
}

func (h *head) field(name, value string) {
	h.text = append(append(append(append(h.text, name...), ": "...), textproto.TrimString(value)...), "\r\n"...)
}

// framing says where the body ends.
func (h *head) framing(req *http.Request, o *Options) {
	switch {
	case o.Body != nil && h.length < 0:
		h.field("Transfer-Encoding", "chunked")
		if names := trailerNames(req.Trailer); len(names) > 0 {
			h.field("Trailer", strings.Join(names, ","))
		}
	case o.Body != nil:
		h.text = append(strconv.AppendInt(append(h.text, "Content-Length: "...), h.length, 10), "\r\n"...)
	case req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch:
		h.field("Content-Length", "0")
	}
}

// trailerNames returns those that may be sent, in order.
func trailerNames(h http.Header) (names []string) {
	for name := range h {
		if httpguts.ValidTrailerHeader(name) && httpguts.ValidHeaderFieldName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// probe returns the length of the body that is to be sent.
func probe(req *http.Request, o *Options) (int64, error) {
	switch {
	case o.Body == nil:
		return 0, nil
	case req.ContentLength > 0:
		return req.ContentLength, nil
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, "PROPFIND", "SEARCH":
	default:
		return -1, nil
	}
	b := &begun{came: make(chan ahead, 1), rest: o.Body}
	go b.begin() // ends with the server's body at the latest
	late := time.NewTimer(probeWait)
	defer late.Stop()
	select {
	case a := <-b.came:
		switch {
		case a.err == io.EOF:
			o.Body = nil
			return 0, nil
		case a.err != nil:
			return 0, a.err
		}
		b.came <- a
	case <-late.C: // the client may want the head of the answer first
	case <-req.Context().Done():
		return 0, context.Cause(req.Context())
	}
	o.Body = b
	return -1, nil
}

// probeWait is how long a request waits for its body to begin.
const probeWait = 200 * time.Millisecond

// A begun body is one whose first byte is read by another goroutine.
type begun struct {
	came chan ahead // nil: the first byte has been read
	rest io.Reader
}

func (b *begun) begin() {
	var a ahead
	a.n, a.err = io.ReadFull(b.rest, a.b[:])
	b.came <- a
}

func (b *begun) Read(p []byte) (int, error) {
	if b.came == nil || len(p) == 0 {
		return b.rest.Read(p)
	}
	a := <-b.came
	b.came = nil
	return copy(p, a.b[:a.n]), a.err
}
