package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// chunks is a body in chunks (RFC 9112, section 7.1). Unlike net/http's, it keeps nothing
// that has come of a chunk until the rest of it comes.
type chunks struct {
	on     bool
	left   uint64 // bytes that are missing of a chunk
	over   bool   // the last one has been read
	ends   bool   // all bytes of a chunk have been read, but not the line end behind them
	excess int64  // what was read besides the body, and is more than there should be
}

const (
	maxChunkLine = 4 << 10
	maxExcess    = 16 << 10
	maxDigits    = 16
)

// read reads what has come, and waits only when that is nothing. The error is io.EOF
// behind the last chunk.
func (k *chunks) read(br *bufio.Reader, p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case k.left == 0 && n > 0 && !k.lineCame(br):
			return n, nil
		case k.over:
			return n, io.EOF
		case k.left == 0:
			err := k.begin(br)
			k.over = err == io.EOF
			switch {
			case k.over && n > 0 && !endCame(br):
				return n, nil // trailers may follow
			case err != nil:
				return n, err
			}
			continue
		case n > 0 && br.Buffered() == 0:
			return n, nil
		}
		m, err := br.Read(p[n : n+int(min(uint64(len(p)-n), k.left))])
		n += m
		k.left -= uint64(m)
		k.ends = k.left == 0
		if err != nil {
			return n, unexpected(err)
		}
	}
	return n, nil
}

// lineCame reports whether the line that begins a chunk has come.
func (k *chunks) lineCame(br *bufio.Reader) bool {
	b, err := br.Peek(br.Buffered())
	if k.ends && len(b) >= 2 {
		b = b[2:]
	}
	return err == nil && bytes.IndexByte(b, '\n') >= 0
}

// endCame reports whether the body has come to its end, without trailers.
func endCame(br *bufio.Reader) bool {
	b, err := br.Peek(min(br.Buffered(), 2))
	return err == nil && string(b) == "\r\n"
}

// begin reads up to the data of a chunk. The error is io.EOF when it has none.
func (k *chunks) begin(br *bufio.Reader) error {
	if k.ends {
		end, err := br.Peek(2)
		switch {
		case len(end) < 2:
			return unexpected(err)
		case string(end) != "\r\n":
			return errors.New("a chunk is longer than it should be")
		}
		br.Discard(2) // which have been read
		k.ends = false
	}
	line, err := br.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull, len(line) > maxChunkLine:
		return errors.New("the line before a chunk is too long")
	case err != nil:
		return unexpected(err)
	case len(line) < 2 || bytes.IndexByte(line, '\r') != len(line)-2: // a line feed alone does not end it
		return errors.New("the line before a chunk is not valid")
	}
	if k.left, err = chunkSize(line[:len(line)-2]); err != nil {
		return err
	}
	if k.left == 0 {
		return io.EOF
	}
	// The smallest chunks have a few bytes besides their data. Long extensions are for those
	// who would keep somebody busy.
	if k.excess += int64(len(line)) - 16 - 2*int64(min(k.left, maxExcess)); k.excess < 0 {
		k.excess = 0
	}
	if k.excess > maxExcess {
		return errors.New("there is far more between the chunks than in them")
	}
	return nil
}

// chunkSize reads the size in the line before a chunk.
func chunkSize(line []byte) (size uint64, err error) {
	digits, _, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte(";"))
	if len(digits) == 0 || len(digits) > maxDigits {
		return 0, errors.New("the size of a chunk is not valid")
	}
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, errors.New("the size of a chunk is not valid")
		}
		size = size<<4 | uint64(c)
	}
	return size, nil
}
