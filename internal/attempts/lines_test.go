package attempts_test

import (
	"testing"
	"time"

	"github.com/farwire/farwire/internal/attempts"
)

// Of many lines ten are written, and then one a second, which says how many were not.
func TestLines_Many_AreThinnedAndCounted(t *testing.T) {
	var l attempts.Lines
	start := time.Unix(1000, 0)
	written, left := 0, 0
	for i := range 5000 { // one a millisecond
		n, write := l.Next(start.Add(time.Duration(i) * time.Millisecond))
		if write {
			written, left = written+1, left+n
		}
	}
	if written != 14 {
		t.Errorf("%d lines are written, want 14", written)
	}
	n, write := l.Next(start.Add(time.Hour))
	if left += n; !write || written+1+left != 5001 {
		t.Errorf("after an hour: written %v, and %d of 5001 are accounted for", write, written+1+left)
	}
}
