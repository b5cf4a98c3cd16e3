//go:build unix

package wsframe_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// A target that asks for a change of keys again and again, and reads no answer, has us
// stop reading it; when it reads, everything goes on.
func TestPipe_TLSTargetAsksAndDoesNotRead_IsNotRead(t *testing.T) {
	pair := func(t testing.TB) (near, far net.Conn) { return buffered(t, 32<<10, 32<<10) }
	keyeds(t, pair, func(t *testing.T, s *session, k *keyed) {
		const most = 100_000 // asks, whose answers are 2.6 MB: more than any buffer between us
		down, last := text("x", false), text("y", false)
		var asked atomic.Int32
		var enough atomic.Bool
		wrote := make(chan error, 1)
		go func() {
			for range most {
				err := k.updateKeys(1, 5)
				if err == nil {
					_, err = k.Write(down)
				}
				if asked.Add(1); err != nil || enough.Load() {
					wrote <- err
					return
				}
			}
			wrote <- errors.New("all of it was read")
		}()
		read := make(chan error, 1)
		go func() {
			for got := make([]byte, len(last)); !bytes.Equal(got, last); {
				if _, err := io.ReadFull(s.client, got); err != nil {
					read <- err
					return
				}
			}
			read <- nil
		}()
		for before := int32(-1); asked.Load() != before && len(wrote) == 0; time.Sleep(200 * time.Millisecond) {
			before = asked.Load()
		}
		enough.Store(true)
		up := text("up", true)
		for writing := true; writing || k.updates < int(asked.Load()); {
			s.post(s.client, up)
			s.want(s.target, up)
			select {
			case err := <-wrote:
				if writing = false; err != nil {
					t.Fatal(err)
				}
			default:
			}
		}
		if _, err := k.Write(last); err != nil {
			t.Fatal(err)
		}
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		s.closeBoth()
	})
}
