package opening

import (
	"bytes"
	"sync"

	"github.com/farwire/farwire/internal/wsframe"
)

// plainBuffers are for first messages, of which nothing is needed once they have been read.
var plainBuffers = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// plainMessage reads a first message that comes as most do: as one frame of text, with
// nothing before it. It returns nil where it comes otherwise, and keeps what it has read.
func (c *Client) plainMessage() ([]byte, error) {
	b := plainBuffers.Get().(*[4 << 10]byte)
	defer plainBuffers.Put(b)
	if c.deflate || len(c.early) > len(b) {
		return nil, nil
	}
	n := copy(b[:], c.early)
	for {
		msg, size, plain := wsframe.PlainText(b[:n])
		switch {
		case !plain, size > len(b):
			c.early = bytes.Clone(b[:n])
			return nil, nil
		case msg != nil:
			c.early = bytes.Clone(b[size:n])
			return msg, nil
		}
		more, err := c.Conn.Read(b[n:])
		if n += more; more == 0 && err != nil {
			return nil, err // one that came with bytes is returned by the next Read, too
		}
	}
}
