package http1

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire/internal/safetext"
)

// readHead reads the head of an answer, and prepares the reading of its body.
func (x *exchange) readHead(req *http.Request) (*http.Response, error) {
	resp, err := x.parseHead(req)
	if err != nil {
		return nil, x.cut(err)
	}
	return resp, nil
}

// cut is the error of a head or a trailer that was not read. A line that the end of the
// connection cuts is given to its reader as if it were whole, and may not be valid then:
// the error is why reading has ended.
func (x *exchange) cut(err error) error {
	if x.c.failed != nil {
		err = x.c.failed
	}
	return unexpected(err)
}

func (x *exchange) parseHead(req *http.Request) (*http.Response, error) {
	line, err := x.c.r.text.ReadLine()
	if err != nil {
		return nil, err
	}
	resp := &http.Response{Request: req, Body: http.NoBody}
	var ok bool
	if resp.Proto, resp.Status, ok = strings.Cut(line, " "); !ok {
		return nil, invalid("the first line is not one of HTTP", line)
	}
	resp.Status = strings.TrimLeft(resp.Status, " ")
	if resp.ProtoMajor, resp.ProtoMinor, ok = http.ParseHTTPVersion(resp.Proto); !ok || resp.ProtoMajor == 0 {
		return nil, invalid("the version of HTTP is not valid", line)
	}
	code, _, _ := strings.Cut(resp.Status, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 {
		return nil, invalid("the status is not valid", line)
	}
	resp.StatusCode = int(n)
	header, err := x.c.r.text.ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	resp.Header = http.Header(header)
	if err := x.frame(resp); err != nil {
		return nil, err
	}
	resp.Close = x.closes
	return resp, nil
}

// invalid is an error that quotes what a target has sent, as far as it fits into a log line and repeats nothing of the request.
func invalid(what string, sent ...string) error {
	return safetext.WithoutRepeats(fmt.Errorf("%s: %q", what, safetext.Clip(strings.Join(sent, ", "), maxQuoted)))
}

const maxQuoted = 100

// unexpected is an error of reading a head, trailers or what is around a chunk.
func unexpected(err error) error {
	var invalid textproto.ProtocolError
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case errors.As(err, &invalid):
		return safetext.WithoutRepeats(textproto.ProtocolError(safetext.Clip(string(invalid), maxQuoted)))
	}
	return err
}

// frame finds out where the answer ends (RFC 9112, section 6.3), and whether another one
// may follow it.
func (x *exchange) frame(resp *http.Response) error {
	chunked, err := x.isChunked(resp)
	if err != nil {
		return err
	}
	length, err := lengthOf(resp.Header)
	if err != nil {
		return err
	}
	if chunked {
		if resp.Trailer, err = announced(resp.Header); err != nil {
			return err
		}
	}
	if chunked && length >= 0 {
		// This smells of an attempt to hide one answer in another (section 11.2).
		delete(resp.Header, "Content-Length")
		x.closes, length = true, -1
	}
	if !persists(resp) {
		x.closes = true
	}
	status, head := resp.StatusCode, resp.Request.Method == http.MethodHead
	switch {
	case head && !chunked:
		resp.ContentLength = length
	case head:
		resp.ContentLength = -1
	case status/100 == 1:
		x.closes = x.closes || status == http.StatusSwitchingProtocols || chunked || length > 0
	case status == http.StatusNoContent:
		x.closes = x.closes || chunked || length > 0 // which others may take for a body
	case status == http.StatusNotModified:
		x.closes = x.closes || chunked
	case chunked:
		resp.ContentLength, resp.TransferEncoding = -1, []string{"chunked"}
		x.body = body{resp: resp, chunks: chunks{on: true}}
	case length > 0:
		resp.ContentLength = length
		x.body = body{resp: resp, left: length}
	case length < 0:
		resp.ContentLength = -1
		x.closes = true
		x.body = body{resp: resp, left: math.MaxInt64, toEnd: true}
	}
	if x.body.resp != nil {
		resp.Body = x
	}
	return nil
}

// isChunked takes Transfer-Encoding out of the header. There is no other coding that net/http
// knows, save that old servers say identity (RFC 2616, section 3.6) where they mean none, and
// HTTP/1.0 has none: framing that it names there is not to be relied on.
func (x *exchange) isChunked(resp *http.Response) (bool, error) {
	coding, ok := resp.Header["Transfer-Encoding"]
	if !ok {
		return false, nil
	}
	delete(resp.Header, "Transfer-Encoding")
	switch {
	case !resp.ProtoAtLeast(1, 1), len(coding) == 1 && strings.EqualFold(coding[0], "identity"):
		x.closes = true
		return false, nil
	case len(coding) != 1 || !strings.EqualFold(coding[0], "chunked"):
		return false, invalid("the transfer coding is not known", coding...)
	}
	return true, nil
}

// lengthOf returns the length that the header tells; -1: none. It may be repeated.
func lengthOf(h http.Header) (int64, error) {
	values := h["Content-Length"]
	if len(values) == 0 {
		return -1, nil
	}
	first := textproto.TrimString(values[0])
	for _, v := range values[1:] {
		if textproto.TrimString(v) != first {
			return 0, invalid("the answer has different lengths", values...)
		}
	}
	if len(values) > 1 {
		h["Content-Length"] = []string{first}
	}
	n, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return 0, invalid("the length of the answer is not valid", values...)
	}
	return int64(n), nil
}

// persists reports whether the connection can be used for another request (RFC 9112,
// section 9.3).
func persists(resp *http.Response) bool {
	says := resp.Header["Connection"]
	switch {
	case len(says) > 0 && httpguts.HeaderValuesContainsToken(says, "close"):
		return false
	case !resp.ProtoAtLeast(1, 1):
		return httpguts.HeaderValuesContainsToken(says, "keep-alive")
	}
	return true
}

// announced takes Trailer out of the header and returns the names in it, without values.
func announced(h http.Header) (http.Header, error) {
	var names http.Header
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name == "" {
				continue
			}
			switch name = http.CanonicalHeaderKey(name); name {
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return nil, fmt.Errorf("%s is no trailer", name)
			}
			if names == nil {
				names = make(http.Header)
			}
			names[name] = nil
		}
	}
	delete(h, "Trailer")
	return names, nil
}

// A body is what is left of an answer after its head.
type body struct {
	resp   *http.Response // nil: the answer has no body
	chunks chunks         // that it comes in, if it does
	left   int64          // bytes that are missing
	toEnd  bool           // it ends with the connection
	err    error          // which it has ended with
}

// Read reads the body of the answer. It is for one goroutine.
func (x *exchange) Read(p []byte) (n int, err error) {
	if x.err != nil {
		return 0, x.err
	}
	if x.ended.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	x.c.left = math.MaxInt64
	if x.chunks.on {
		if len(p) > smallReader {
			x.c.enlarge()
		}
		if n, err = x.chunks.read(x.c.r.Reader, p); err == io.EOF {
			err = x.readTrailer()
		}
	} else {
		n, err = x.c.r.Read(p[:min(int64(len(p)), x.left)])
		switch x.left -= int64(n); {
		case x.left == 0:
			err = io.EOF
		case err == io.EOF && !x.toEnd:
			err = io.ErrUnexpectedEOF
		}
	}
	if x.err = err; err != nil {
		x.end(err == io.EOF)
	}
	return n, err
}

// readTrailer reads what follows the last chunk. Its error is io.EOF when that is all.
func (x *exchange) readTrailer() error {
	x.c.left = MaxHead
	h, err := x.c.r.text.ReadMIMEHeader()
	if err != nil {
		return x.cut(err)
	}
	if x.resp.Trailer == nil && len(h) > 0 {
		x.resp.Trailer = make(http.Header, len(h))
	}
	for name, values := range h {
		x.resp.Trailer[name] = values
	}
	return io.EOF
}

// Close cuts the connection of an answer that was not read to its end.
func (x *exchange) Close() error {
	x.end(false)
	return nil
}
