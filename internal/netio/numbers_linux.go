//go:build linux && !386

package netio

import "syscall"

const (
	sysRecvfrom   = syscall.SYS_RECVFROM
	sysSendto     = syscall.SYS_SENDTO
	sysGetsockopt = syscall.SYS_GETSOCKOPT
)
