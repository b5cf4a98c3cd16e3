//go:build !linux

package agent

import "syscall"

// setVanish leaves the retransmission timeout to the system.
func setVanish(syscall.RawConn) error { return nil }
