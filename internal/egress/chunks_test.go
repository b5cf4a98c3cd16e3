package egress

import (
	"bytes"
	"io"
	"net/http/httputil"
	"testing"
)

// FuzzChunkWatch holds a chunkWatch to what net/http reads of the same bytes, wherever they
// are cut.
func FuzzChunkWatch(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", "5 \r\nhello\r\n1\r\n", "5\nhello\n0\n\n",
		"x\r\n", "5\r\nhelloxx", "\r\n", "00000000000000005\r\nhello\r\n", "fffffffffffffffff\r\nx", "5\r\rhello\r\n", "5",
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, wire []byte, cut int) {
		var whole, cutUp chunkWatch
		whole.take(wire)
		cut = max(1, cut%8)
		for at := 0; at < len(wire); at += cut {
			cutUp.take(wire[at:min(len(wire), at+cut)])
		}
		if whole.arrived != cutUp.arrived || whole.part != cutUp.part || whole.arrived > int64(len(wire)) {
			t.Fatalf("whole %+v, in parts of %d bytes %+v", whole, cut, cutUp)
		}
		body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(wire)))
		unusual := bytes.ContainsAny(wire, " \t")
		switch {
		case err == nil && (whole.arrived > int64(len(body)) || whole.arrived < int64(len(body)) && !unusual || whole.part != chunksOver):
			t.Errorf("%d bytes have arrived, %+v", len(body), whole)
		case err == io.ErrUnexpectedEOF && whole.arrived > int64(len(body)):
			t.Errorf("%d bytes have arrived, and more are awaited: %+v", len(body), whole)
		case whole.part != chunksOver && err != nil && err != io.ErrUnexpectedEOF:
			t.Errorf("net/http has refused it, and more is awaited: %+v, %v", whole, err)
		}
	})
}
