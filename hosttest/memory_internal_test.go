package hosttest

import (
	"io"
	"testing"
	"testing/synctest"
)

// A pipe of which both ends are closed keeps no goroutine, whatever was not read, as two
// ends of TLS leave their last alerts.
func TestPipe_BothEndsClosed_NothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := newPipe()
		for _, end := range []*buffered{near, far} {
			if _, err := io.WriteString(end, "goodbye"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // both are being written
		near.Close()
		synctest.Wait()
		far.Close()
	})
}

// What was written before an end is closed is read.
func TestPipe_OneEndClosed_OtherReadsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := newPipe()
		defer far.Close()
		if _, err := io.WriteString(near, "goodbye"); err != nil {
			t.Fatal(err)
		}
		near.Close()
		synctest.Wait()
		if b, err := io.ReadAll(far); string(b) != "goodbye" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
	})
}
