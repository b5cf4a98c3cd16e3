package decode

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Accepted is what a request says in Accept-Encoding.
const Accepted = "gzip, br"

// ErrTooLarge says that a body is larger than it may be.
var ErrTooLarge = errors.New("too large")

const maxLayers = 3 // of encodings around a body

// Body takes the content encodings off a body as it was sent, RFC 9110 section
// 8.4, and gzip that no header names. The result may share memory with sent.
// Room, if not nil, is asked for an empty buffer to unpack into, and for a larger one
// before more than small bytes are held; nil is fresh memory, or the same as before.
func Body(ctx context.Context, sent []byte, encodings string, limit int64, small int, room func(large bool) (*bytes.Buffer, error)) ([]byte, error) {
	var names []string
	for name := range strings.SplitSeq(encodings, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			names = append(names, name)
		}
	}
	if len(names) > maxLayers {
		return nil, fmt.Errorf("it is packed %d times", len(names))
	}
	o := opener{ctx: ctx, limit: limit, small: small, room: room}
	defer o.close()
	body := sent
	for i := len(names) - 1; i >= 0; i-- {
		out, err := o.open(names[i], body)
		if err != nil {
			return nil, err
		}
		body = out
	}
	for layer := 0; layer < 2 && isGzip(body); layer++ {
		out, err := o.open("gzip", body)
		if err != nil {
			return nil, err
		}
		body = out
	}
	if int64(len(body)) > limit {
		return nil, ErrTooLarge
	}
	return body, nil
}

// Stream takes content encodings off a stream, and gzip as [Reader] does.
func Stream(sent io.Reader, encodings string) (io.Reader, error) {
	names := strings.Split(strings.ToLower(encodings), ",")
	if len(names) > maxLayers { // each of which takes memory
		return nil, fmt.Errorf("it is packed %d times", len(names))
	}
	for i := len(names) - 1; i >= 0; i-- {
		name := strings.TrimSpace(names[i])
		head := bufio.NewReaderSize(sent, 512)
		begin, err := head.Peek(256)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if sent = head; isText(begin) && !(mayLookLikeText(name) && !isUTF8(begin)) {
			continue // it says that it is packed, and is not
		}
		switch name {
		case "br":
			sent = brotli.NewReader(head)
		case "gzip", "x-gzip":
			sent, err = gzip.NewReader(head)
		case "deflate":
			// Meant is zlib's form, sent is often the bare one.
			if len(begin) > 1 && begin[0]&0x0f == 8 && (int(begin[0])<<8|int(begin[1]))%31 == 0 {
				sent, err = zlib.NewReader(head)
			} else {
				sent, err = flate.NewReader(head), nil
			}
		case "zstd":
			sent, err = newZstd(head)
		case "identity", "none", "":
			continue
		default:
			if isGzip(begin) {
				continue // "aws-chunked", which a server has taken off and still says
			}
			return nil, unknownCoding(name)
		}
		if err != nil && err != io.EOF {
			return nil, invalidCoding(name)
		}
		sent = named{sent, name}
	}
	return Reader(sent)
}

// isGzip reports a body that begins as gzip does.
func isGzip(body []byte) bool { return bytes.HasPrefix(body, []byte("\x1f\x8b\x08")) }

// mayLookLikeText reports a coding of which a short body may be without control characters.
func mayLookLikeText(coding string) bool {
	return coding == "deflate" || coding == "br" || coding == "zstd"
}

// isUTF8 reports UTF-8, of which the last character may be cut.
func isUTF8(b []byte) bool {
	for cut := range min(utf8.UTFMax, len(b)+1) {
		if utf8.Valid(b[:len(b)-cut]) {
			return true
		}
	}
	return false
}

// newZstd reads as much back as browsers do, RFC 9659. It starts no goroutine.
func newZstd(in io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
}

// Reader takes gzip off a stream, if it has any, twice at most.
func Reader(sent io.Reader) (io.Reader, error) {
	for range 2 {
		head := make([]byte, 3)
		n, err := io.ReadFull(sent, head)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		sent = io.MultiReader(bytes.NewReader(head[:n]), sent)
		if !isGzip(head[:n]) {
			return sent, nil
		}
		if sent, err = gzip.NewReader(sent); err != nil {
			return nil, invalidCoding("gzip")
		}
		sent = named{sent, "gzip"}
	}
	return sent, nil
}

// named is what is in a coding, and says which one when that is broken.
type named struct {
	r    io.Reader
	name string
}

func (n named) Read(b []byte) (int, error) {
	c, err := n.r.Read(b)
	if err != nil && err != io.EOF && !errors.As(err, new(invalidCoding)) {
		err = invalidCoding(n.name)
	}
	return c, err
}

// invalidCoding says that a body is not in the coding with this name.
type invalidCoding string

func (name invalidCoding) Error() string { return "it is not valid " + string(name) }

func unknownCoding(name string) error {
	return fmt.Errorf("its content encoding %.40q is unknown", name)
}

// opener takes one encoding after the other off a body. Two buffers are enough for any
// number of them: one has the body, and the other gets what is in it.
type opener struct {
	ctx    context.Context
	limit  int64
	small  int
	room   func(large bool) (*bytes.Buffer, error)
	begun  bool             // room was asked for a buffer
	large  bool             // and for a large one
	out    [2]*bytes.Buffer // the first has what was opened last, if anything was
	brotli *brotli.Reader   // whose window is used again
	zstd   *zstd.Decoder    // as well
}

func (o *opener) close() {
	if o.zstd != nil {
		o.zstd.Close()
	}
}

// open takes one encoding off.
func (o *opener) open(name string, body []byte) ([]byte, error) {
	var r io.Reader
	var err error
	in := &watched{o.ctx, bytes.NewReader(body)}
	switch name {
	case "identity", "none", "":
		return body, nil
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(in)
	case "deflate":
		// Meant is zlib's form, sent is often the bare one.
		if r, err = zlib.NewReader(in); err != nil {
			in.r.Reset(body)
			r, err = flate.NewReader(in), nil
		}
	case "br":
		if o.brotli == nil {
			o.brotli = brotli.NewReader(in)
		} else if err := o.brotli.Reset(in); err != nil {
			return nil, err
		}
		r = o.brotli
	case "zstd":
		if o.zstd == nil {
			o.zstd, err = newZstd(in)
		} else {
			err = o.zstd.Reset(in)
		}
		r = o.zstd
	default:
		if isText(body) || isGzip(body) {
			return body, nil // "utf-8", as some servers say
		}
		return nil, unknownCoding(name)
	}
	if err == nil {
		var out []byte
		if out, err = o.readAll(r); err == nil || errors.Is(err, ErrTooLarge) || o.ctx.Err() != nil {
			return out, err
		}
	}
	switch {
	case o.ctx.Err() != nil:
		return nil, o.ctx.Err()
	case isText(body):
		return body, nil // it says that it is packed, and is not
	}
	return nil, invalidCoding(name)
}

// readAll reads to the end, looking at the context and the limits.
func (o *opener) readAll(r io.Reader) ([]byte, error) {
	b, err := o.buffer()
	if err != nil {
		return nil, err
	}
	for {
		if err := o.ctx.Err(); err != nil {
			return nil, err
		}
		step := min(64<<10, o.limit+1-int64(b.Len()))
		if o.room != nil && !o.large {
			step = min(step, int64(max(1, o.small+1-b.Len())))
		}
		_, err := io.CopyN(b, r, step)
		if int64(b.Len()) > o.limit {
			return nil, ErrTooLarge
		}
		if b.Len() > o.small && o.room != nil && !o.large {
			next, err := o.room(true)
			if err != nil {
				return nil, err
			}
			if o.large = true; next != nil {
				next.Write(b.Bytes())
				b = next
			}
		}
		if err == io.EOF {
			o.out = [2]*bytes.Buffer{b, o.out[0]}
			return b.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// buffer is an empty one in which the body does not stand.
func (o *opener) buffer() (*bytes.Buffer, error) {
	b := o.out[1]
	if o.room != nil && !o.begun {
		o.begun = true
		var err error
		if b, err = o.room(false); err != nil {
			return nil, err
		}
	}
	if b == nil {
		return bytes.NewBuffer(make([]byte, 0, min(int64(64<<10), o.limit)+2*bytes.MinRead)), nil
	}
	b.Reset()
	return b, nil
}

// watched is a body that ends with a context: of what is packed much may be read until
// there is anything of what is in it.
type watched struct {
	ctx context.Context
	r   *bytes.Reader
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(b[:min(len(b), 16<<10)])
}

// isText reports a body that begins as HTML or other text does.
func isText(body []byte) bool {
	head := body[:min(len(body), 256)]
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(trimmed) == 0 {
		return len(body) == 0
	}
	for _, c := range trimmed {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f' {
			return false
		}
	}
	return trimmed[0] == '<' || trimmed[0] < 0x80
}
