package attempts_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/attempts"
)

func TestCounter_TenAMinute_ThenTooMany(t *testing.T) {
	var c attempts.Counter
	now := time.Unix(1e9, 0)
	remote, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	for n := range attempts.PerMinute {
		if v := c.Note(remote, now); v.TooMany || v.Warn != (n == 0) {
			t.Errorf("number %d: %+v", n+1, v)
		}
	}
	if v := c.Note(other, now.Add(time.Second)); !v.TooMany || !v.Warn || v.RetryAfter != 59*time.Second {
		t.Errorf("one more from the same /64: %+v", v)
	}
	if v := c.Note(netip.MustParseAddr("2001:db8:0:1::1"), now); v.TooMany {
		t.Errorf("from another /64: %+v", v)
	}
	if v := c.Note(remote, now.Add(time.Minute)); v.TooMany {
		t.Errorf("a minute later: %+v", v)
	}
	for range 2 * attempts.PerMinute {
		if v := c.Note(netip.Addr{}, now); v.TooMany {
			t.Fatalf("from an unknown address: %+v", v)
		}
	}
}

func TestCounter_ManyNetworks_BoundedMemory(t *testing.T) {
	var c attempts.Counter
	now := time.Unix(1e9, 0)
	var b [4]byte
	for n := range uint32(100_000) {
		binary.BigEndian.PutUint32(b[:], n)
		c.Note(netip.AddrFrom4(b), now)
	}
	if n := c.Len(); n > 10_000 {
		t.Errorf("%d networks are kept", n)
	}
}
