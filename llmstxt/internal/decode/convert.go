package decode

import (
	"context"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// converter decodes one body from one encoding or another. What one gave is gone with
// the next: it is tried only because that was not text.
type converter struct {
	ctx context.Context
	out []byte
}

// convert decodes piece by piece, looking at the context.
func (c *converter) convert(body []byte, enc encoding.Encoding) ([]byte, error) {
	out := c.out[:0]
	defer func() { c.out = out }()
	whole := len(body)
	t := enc.NewDecoder().Transformer
	var piece [16 << 10]byte
	for {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		n, used, err := t.Transform(piece[:], body, true)
		body = body[used:]
		if taken := whole - len(body); len(out)+n > cap(out) && taken > 0 {
			// The rest is as dense as what has been read, and an eighth more: append alone
			// would copy all several times.
			rest := int(int64(len(out)+n) * int64(len(body)) / int64(taken))
			out = slices.Grow(out, n+rest+rest/8)
		}
		out = append(out, piece[:n]...)
		if err == nil {
			return out, nil
		}
		if err != transform.ErrShortDst || n == 0 && used == 0 {
			return nil, ErrText
		}
	}
}

// checked refuses text of which too much is invalid or a control character.
func checked(text []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	bad, other := 0, 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
				bad++
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError || r >= 0x80 && r < 0xa0 {
			bad++
		}
		other++
		i += n
	}
	if bad > 3 && (bad*20 > other+len(text)/20 || bad*4 > other) {
		return nil, ErrText
	}
	return text, nil
}
