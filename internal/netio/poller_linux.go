package netio

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A poller is an epoll instance (epoll(7)). The instance itself is watched by the
// runtime's own, so whoever waits for it is a goroutine like any other, and no
// thread is blocked: a thread in a system call would have the scheduler look after
// it many times a millisecond.
type poller struct {
	file   *os.File
	raw    syscall.RawConn
	fd     int
	waker  int // an eventfd
	events []syscall.EpollEvent
	n      int // of events
	try    func(fd uintptr) bool
}

// maxEvents bounds what is done before calls are looked at.
const maxEvents = 128

// theWaker stands where sockets have their slot.
const theWaker = -1

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// The runtime watches only what does not block.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, waker: -1, events: make([]syscall.EpollEvent, maxEvents)}
	p.try = func(uintptr) bool { return p.poll() > 0 }
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.addWaker()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) addWaker() error {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return os.NewSyscallError("eventfd2", errno)
	}
	p.waker = int(fd)
	return p.control(syscall.EPOLL_CTL_ADD, int32(p.waker), theWaker, syscall.EPOLLIN)
}

func (p *poller) close() {
	p.file.Close()
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
	return p.n
}

// wait waits until something has happened.
func (p *poller) wait() {
	if err := p.raw.Read(p.try); err != nil {
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
		return p.control(syscall.EPOLL_CTL_DEL, fd, slot, 0)
	case old == 0:
		return p.control(syscall.EPOLL_CTL_ADD, fd, slot, events)
	}
	return p.control(syscall.EPOLL_CTL_MOD, fd, slot, events)
}

func (p *poller) control(op int, fd, slot int32, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: slot}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
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
