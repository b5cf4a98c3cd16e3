//go:build linux

// Package link makes two network namespaces and a link between them that has
// the delay, the rate and the loss of a long one. It needs root.
//
// Each namespace has a TUN device. What the kernel sends into one is read here,
// kept for as long as it would be on its way, and written into the other:
//
//	namespace ── tun ── read ── lose? ── queue at the rate ── wait ── write ── tun ── namespace
package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Options are what the link is like, in each direction.
type Options struct {
	Delay time.Duration // one way
	Rate  int           // bytes per second
	Queue int           // bytes that wait for the rate; what comes then is dropped
	Loss  float64       // of all packets, at random
}

// A Link joins two namespaces. In each the other has the address of its end.
type Link struct {
	Near, Far               string // names of the namespaces
	NearAddress, FarAddress string

	tuns    [2]*os.File
	pumps   sync.WaitGroup
	dropped atomic.Int64
	lost    atomic.Int64
	carried atomic.Int64
}

const mtu = 1500

// New makes the namespaces and the link. Close ends both.
func New(o Options) (*Link, error) {
	l := &Link{
		Near: fmt.Sprintf("soak%dn", os.Getpid()), Far: fmt.Sprintf("soak%df", os.Getpid()),
		NearAddress: "10.231.7.1", FarAddress: "10.231.7.2",
	}
	for i, end := range []struct{ ns, own, other string }{
		{l.Near, l.NearAddress, l.FarAddress}, {l.Far, l.FarAddress, l.NearAddress},
	} {
		tun, name, err := openTun()
		if err == nil {
			l.tuns[i] = tun
			err = ip(
				"netns add "+end.ns,
				"link set "+name+" netns "+end.ns,
				"-n "+end.ns+" link set lo up",
				"-n "+end.ns+" addr add "+end.own+" peer "+end.other+" dev "+name,
				fmt.Sprintf("-n %s link set %s up mtu %d txqueuelen 10000", end.ns, name, mtu),
			)
		}
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	l.pump(o, l.tuns[0], l.tuns[1])
	l.pump(o, l.tuns[1], l.tuns[0])
	return l, nil
}

// Close ends the link and the namespaces, and whatever runs in them has no
// network any more.
func (l *Link) Close() error {
	var err error
	for i, ns := range []string{l.Near, l.Far} {
		if l.tuns[i] != nil {
			err = errors.Join(err, l.tuns[i].Close())
		}
		if _, missing := os.Stat("/run/netns/" + ns); missing == nil {
			err = errors.Join(err, ip("netns del "+ns))
		}
	}
	l.pumps.Wait()
	return err
}

// Counts returns how many packets were carried, lost at random, and dropped
// because the queue was full.
func (l *Link) Counts() (carried, lost, dropped int64) {
	return l.carried.Load(), l.lost.Load(), l.dropped.Load()
}

// A packet on its way.
type packet struct {
	due   time.Time
	bytes *[mtu]byte
	size  int
}

// pump carries what goes from one end to the other.
func (l *Link) pump(o Options, from, to *os.File) {
	free := sync.Pool{New: func() any { return new([mtu]byte) }}
	way := make(chan packet, 1<<16) // more than can be on it
	l.pumps.Go(func() {
		defer close(way)
		var sent time.Time // when the last packet has left the queue
		for {
			b := free.Get().(*[mtu]byte)
			n, err := from.Read(b[:])
			if err != nil {
				return // closed
			}
			if o.Loss > 0 && rand.Float64() < o.Loss {
				l.lost.Add(1)
				free.Put(b)
				continue
			}
			now := time.Now()
			if sent.Before(now) {
				sent = now
			}
			waits := time.Duration(float64(o.Queue) / float64(o.Rate) * float64(time.Second))
			if sent.Sub(now) > waits {
				l.dropped.Add(1)
				free.Put(b)
				continue
			}
			sent = sent.Add(time.Duration(float64(n) / float64(o.Rate) * float64(time.Second)))
			way <- packet{sent.Add(o.Delay), b, n}
		}
	})
	l.pumps.Go(func() {
		for p := range way {
			if early := time.Until(p.due); early > 0 {
				time.Sleep(early)
			}
			if _, err := to.Write(p.bytes[:p.size]); err == nil {
				l.carried.Add(1)
			}
			free.Put(p.bytes)
		}
	})
}

// openTun makes a TUN device and returns it with the name that it got.
func openTun() (*os.File, string, error) {
	const iffTun, iffNoPI, tunSetIff = 0x0001, 0x1000, 0x400454ca // linux/if_tun.h
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	request.flags = iffTun | iffNoPI
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
		syscall.Close(fd)
		return nil, "", fmt.Errorf("making a TUN device: %w", errno)
	}
	name, _, _ := strings.Cut(string(request.name[:]), "\x00")
	return os.NewFile(uintptr(fd), "/dev/net/tun"), name, nil
}

// ip runs commands of iproute2.
func ip(commands ...string) error {
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", c, err, out)
		}
	}
	return nil
}
