//go:build unix

package wsframe_test

import (
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
		const asks = 10_000 // whose answers are 260 KB
		down := text("x", false)
		var asked atomic.Int32
		wrote := make(chan error, 1)
		go func() {
			for range asks {
				err := k.updateKeys(1, 5)
				if err == nil {
					_, err = k.Write(down)
				}
				if err != nil {
					wrote <- err
					return
				}
				asked.Add(1)
			}
			wrote <- nil
		}()
		read := make(chan error, 1)
		go func() {
			for range asks {
				if _, err := io.ReadFull(s.client, make([]byte, len(down))); err != nil {
					read <- err
					return
				}
			}
			read <- nil
		}()
		for before := int32(-1); asked.Load() != before; time.Sleep(200 * time.Millisecond) {
			before = asked.Load()
		}
		if n := asked.Load(); n == asks {
			t.Fatal("all of it was read")
		}
		up := text("up", true)
		s.post(s.client, up)
		s.want(s.target, up)
		for k.updates < asks {
			s.post(s.client, up)
			s.want(s.target, up)
		}
		if err := errors.Join(<-wrote, <-read); err != nil {
			t.Fatal(err)
		}
		s.closeBoth()
	})
}
