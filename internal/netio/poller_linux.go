package netio

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A poller is an epoll instance (epoll(7)). The runtime's own watches it, so whoever
// waits for it is a goroutine like any other, and no thread is blocked: a thread in a
// system call would have the scheduler look after it many times a millisecond.
//
//	sockets ──▶ fd ──▶ gate ──▶ the runtime's
//
// Each event that the runtime sees wakes a thread that has nothing else to do. While
// the loop finds something whenever it asks, nobody waits for that: the gate, an
// instance that watches fd alone, is shut then.
type poller struct {
	fd     int
	gate   *os.File
	raw    syscall.RawConn // of the gate
	gateFD int
	shut   bool
	found  int // polls in a row that found something
	waker  int // an eventfd
	events []syscall.EpollEvent
	n      int // of events
	try    func(fd uintptr) bool
}

const (
	// maxEvents bounds what is done before calls are looked at.
	maxEvents = 128
	// busyPolls is how many polls in a row find something when the gate is shut.
	busyPolls = 8
	// theWaker stands where sockets have their slot.
	theWaker = -1
)

func newPoller() (*poller, error) {
	fd, err := newEpoll()
	if err != nil {
		return nil, err
	}
	gate, err := newEpoll()
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	p := &poller{fd: fd, gate: os.NewFile(uintptr(gate), "epoll"), gateFD: gate, waker: -1, events: make([]syscall.EpollEvent, maxEvents)}
	p.try = func(uintptr) bool { return p.poll() > 0 }
	if p.raw, err = p.gate.SyscallConn(); err == nil {
		err = control(gate, syscall.EPOLL_CTL_ADD, int32(fd), 0, syscall.EPOLLIN)
	}
	if err == nil {
		err = p.addWaker()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// newEpoll returns an instance that does not block: the runtime watches only those.
func newEpoll() (int, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

func (p *poller) addWaker() error {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return os.NewSyscallError("eventfd2", errno)
	}
	p.waker = int(fd)
	return control(p.fd, syscall.EPOLL_CTL_ADD, int32(p.waker), theWaker, syscall.EPOLLIN)
}

func (p *poller) close() {
	p.gate.Close()
	syscall.Close(p.fd)
	if p.waker >= 0 {
		syscall.Close(p.waker)
	}
}

// poll asks what has happened, and never waits.
func (p *poller) poll() int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p.events))), uintptr(len(p.events)), 0, 0, 0)
	p.n = int(n)
	if errno != 0 { // interrupted: there is a next time
		p.n = 0
	}
	if p.n == 0 {
		p.found = 0
	} else if p.found++; p.found == busyPolls && !p.shut {
		p.shut = control(p.gateFD, syscall.EPOLL_CTL_MOD, int32(p.fd), 0, 0) == nil // else it costs more
	}
	return p.n
}

// wait waits until something has happened.
func (p *poller) wait() {
	var err error
	if p.shut {
		err = control(p.gateFD, syscall.EPOLL_CTL_MOD, int32(p.fd), 0, syscall.EPOLLIN)
		p.shut = err != nil
	}
	if err == nil {
		err = p.raw.Read(p.try)
	}
	if err != nil {
		// The runtime cannot watch it. A thread can, as long as a call may take.
		n, err := syscall.EpollWait(p.fd, p.events, 100)
		p.n = n
		if err != nil {
			p.n = 0
		}
	}
}

// each tells of what has happened.
func (p *poller) each(tell func(slot int32, read, write bool)) {
	const failed = syscall.EPOLLERR | syscall.EPOLLHUP
	for i := range p.n {
		e := &p.events[i]
		if e.Fd == theWaker {
			var count [8]byte
			_, _ = syscall.Read(p.waker, count[:]) // empty: somebody else's wake was read with the last
			continue
		}
		tell(e.Fd, e.Events&(syscall.EPOLLIN|failed) != 0, e.Events&(syscall.EPOLLOUT|failed) != 0)
	}
}

// wake ends a wait, from any goroutine.
func (p *poller) wake() {
	one := [8]byte{1}
	_, _ = syscall.Write(p.waker, one[:]) // full: it is awake
}

// set changes what is told of a descriptor.
func (p *poller) set(fd, slot int32, old, want uint8) error {
	var events uint32
	if want&wantRead != 0 {
		events |= syscall.EPOLLIN
	}
	if want&wantWrite != 0 {
		events |= syscall.EPOLLOUT
	}
	switch {
	case want == 0: // else its end would be told of again and again
		return control(p.fd, syscall.EPOLL_CTL_DEL, fd, slot, 0)
	case old == 0:
		return control(p.fd, syscall.EPOLL_CTL_ADD, fd, slot, events)
	}
	return control(p.fd, syscall.EPOLL_CTL_MOD, fd, slot, events)
}

// control tells an instance what to watch of a descriptor.
func control(epoll, op int, fd, slot int32, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: slot}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}

// duplicate returns another descriptor of a connection that is a socket and
// nothing else.
func duplicate(conn net.Conn) (fd int32, err error) {
	raw := Raw(conn)
	if raw == nil {
		return -1, errors.ErrUnsupported
	}
	var errno syscall.Errno
	err = raw.Control(func(old uintptr) {
		var n uintptr
		n, _, errno = syscall.RawSyscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		fd = int32(n)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("fcntl", errno)
	}
	return fd, err
}

func closeFD(fd int32) { _ = syscall.Close(int(fd)) } // nobody can do anything about it

func shutWrite(fd int32) error {
	return os.NewSyscallError("shutdown", syscall.Shutdown(int(fd), syscall.SHUT_WR))
}

// watchFD is WatchPeer for a descriptor that package net does not know.
func watchFD(fd int32, owes time.Duration) {
	_ = keepAliveFD(int(fd)) // neither is essential
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(owes/time.Millisecond))
}

func keepAliveFD(fd int) error {
	for _, o := range []struct{ level, option, value int }{
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, int(KeepAlive.Idle / time.Second)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, int(KeepAlive.Interval / time.Second)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, KeepAlive.Count},
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
	} {
		if err := syscall.SetsockoptInt(fd, o.level, o.option, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// ListenConfig has the connections of a listener probe a silent peer by KeepAlive. They
// inherit that from the listener's socket, where package net makes four system calls
// for each.
func ListenConfig() net.ListenConfig {
	return net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			if failed := c.Control(func(fd uintptr) { err = keepAliveFD(int(fd)) }); failed != nil {
				return failed
			}
			return err
		},
	}
}

// queuedIn is SIOCOUTQ of tcp(7).
func queuedIn(fd uintptr) (n int, known bool) {
	var size int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&size)))
	return int(size), errno == 0
}
