package egress

import (
	"io"
	"sync"
)

// A chunkWatch reads along the chunks of an answer (RFC 9112, section 7.1) for how much of
// its body has arrived. What is not valid is for net/http to say, which reads the same
// bytes. The zero value waits for the first chunk.
type chunkWatch struct {
	arrived int64  // bytes of the body
	left    uint64 // bytes of the chunk that have not arrived; while its size is read, the size so far
	digits  int    // of that size
	part    chunkPart
}

type chunkPart int

const (
	chunkSize chunkPart = iota
	chunkExtension
	chunkLineEnd
	chunkData
	chunkReturn
	chunkNewline
	chunksOver // the last one has come, or one that is unusual or not valid
)

// take reads what came next.
func (w *chunkWatch) take(b []byte) {
	for len(b) > 0 && w.part != chunksOver {
		if w.part == chunkData {
			n := min(uint64(len(b)), w.left)
			w.arrived += int64(n)
			w.left -= n
			b = b[n:]
			if w.left == 0 {
				w.part = chunkReturn
			}
			continue
		}
		w.part = w.read(b[0])
		b = b[1:]
	}
}

// maxDigits is what net/http takes for a chunk's size.
const maxDigits = 16

// read reads a byte of what is between the data of two chunks.
func (w *chunkWatch) read(c byte) chunkPart {
	inSize := w.part == chunkSize
	switch {
	case c == '\r' && w.part == chunkReturn:
		return chunkNewline
	case c == '\n' && w.part == chunkNewline:
		w.digits = 0
		return chunkSize
	case c == '\n' && w.part == chunkLineEnd && w.left > 0:
		return chunkData
	case c == '\n', !inSize && w.part != chunkExtension:
	case c == '\r':
		return chunkLineEnd
	case !inSize, c == ';':
		return chunkExtension
	case w.digits == maxDigits:
	case '0' <= c && c <= '9':
		return w.digit(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return w.digit(c | 0x20 - 'a' + 10)
	}
	return chunksOver
}

func (w *chunkWatch) digit(d byte) chunkPart {
	w.left = w.left<<4 | uint64(d)
	w.digits++
	return chunkSize
}

const (
	readerSize = 4 << 10 // of the reader that net/http has for a connection
	aheadSize  = 64 << 10
)

var aheads = sync.Pool{New: func() any { return new([aheadSize]byte) }}

// readAhead reads once what net/http will read next, as much as there is, and reports
// whether it did: not while something is left of the last time. An error is left for
// net/http, too.
func (c *exclusiveConn) readAhead() bool {
	if len(c.ahead) > 0 || c.aheadErr != nil {
		return false
	}
	buf := aheads.Get().(*[aheadSize]byte)
	n, err := c.read(buf[:])
	c.ahead, c.aheadErr, c.aheadBuf = buf[:n], err, buf
	if n == 0 {
		c.takeAhead(nil)
	}
	return true
}

// takeAhead moves what was read ahead.
func (c *exclusiveConn) takeAhead(b []byte) int {
	n := copy(b, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		aheads.Put(c.aheadBuf)
		c.ahead, c.aheadBuf = nil, nil
	}
	return n
}

// arrived returns how many bytes of the answer's body have arrived, and whether more bytes
// of its chunks are to come.
func (c *exclusiveConn) arrived() (n int64, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chunks.arrived, c.chunks.part != chunksOver
}

// A chunkedBody is a body in chunks of which Read returns what has arrived. That of net/http
// keeps a part of a chunk until all of it has come, or as much as was asked for.
type chunkedBody struct {
	io.ReadCloser
	conn *exclusiveConn
	got  int64
	err  error // after it the connection is another request's
}

func (b *chunkedBody) Read(p []byte) (n int, err error) {
	for n < len(p) && b.err == nil {
		arrived, more := b.conn.arrived()
		there := arrived - b.got
		want := int64(len(p) - n)
		switch {
		case there > 0:
			want = min(want, there)
		case n > 0:
			return n, nil
		case more && len(p) > readerSize && b.conn.readAhead():
			continue
		case more:
			want = 1 // which brings along what has arrived with it
		}
		var m int
		m, b.err = b.ReadCloser.Read(p[n : n+int(want)])
		n += m
		b.got += int64(m)
	}
	return n, b.err
}
