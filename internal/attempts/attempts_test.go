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

// Who has 65 536 networks to come from does not reset what others have shown.
func TestCounter_ManyNetworks_OldestMakeRoom(t *testing.T) {
	var c attempts.Counter
	now := time.Unix(1e9, 0)
	other := func(n int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1, byte(n >> 8), byte(n)})
	}
	for n := range 9_000 {
		c.Note(other(n), now)
	}
	guesser, late := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range attempts.PerMinute {
		c.Note(guesser, now.Add(30*time.Second))
	}
	for n := range 9_000 {
		c.Note(other(9_000+n), now.Add(40*time.Second))
	}
	if v := c.Note(guesser, now.Add(50*time.Second)); !v.TooMany || v.RetryAfter != 40*time.Second {
		t.Errorf("after other networks: %+v", v)
	}
	// A network whose minute begins anew is a young one.
	c.Note(late, now.Add(5*time.Second))
	for n := range 5_000 {
		c.Note(other(30_000+n), now.Add(50*time.Second))
	}
	for range attempts.PerMinute {
		c.Note(late, now.Add(70*time.Second))
	}
	for n := range 9_000 {
		c.Note(other(18_000+n), now.Add(80*time.Second))
	}
	if v := c.Note(late, now.Add(90*time.Second)); !v.TooMany {
		t.Errorf("in its second minute: %+v", v)
	}
}

func TestNetwork_MappedAddress_IsOneOfIPv4(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := attempts.Network(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
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
