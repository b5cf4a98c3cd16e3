//go:build !linux

package netio

import (
	"errors"
	"net"
	"time"
)

// ListenConfig has the connections of a listener probe a silent peer by KeepAlive.
func ListenConfig() net.ListenConfig { return net.ListenConfig{KeepAliveConfig: KeepAlive} }

// Here no loop begins: Join finds nothing to take over, and so nothing of what
// follows is called.
type poller struct{}

func newPoller() (*poller, error)                         { return nil, errors.ErrUnsupported }
func duplicate(net.Conn) (int32, error)                   { return -1, errors.ErrUnsupported }
func (*poller) close()                                    {}
func (*poller) poll() int                                 { return 0 }
func (*poller) wait()                                     {}
func (*poller) each(func(slot int32, read, write bool))   {}
func (*poller) wake()                                     {}
func (*poller) set(fd, slot int32, old, want uint8) error { return errors.ErrUnsupported }
func closeFD(int32)                                       {}
func shutWrite(int32) error                               { return errors.ErrUnsupported }
func watchFD(int32, time.Duration)                        {}
func queuedIn(uintptr) (n int, known bool)                { return 0, false }
