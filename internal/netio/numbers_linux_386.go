package netio

// Package syscall goes by socketcall(2) there, which takes its arguments by address; since
// Linux 4.3 there are calls as on other processors.
const (
	sysRecvfrom   = 371
	sysSendto     = 369
	sysGetsockopt = 365
)
