//go:build !unix

package harness

import (
	"os/exec"
	"syscall"
)

// The numbers of Linux, for a system that has no such signals.
const (
	freeze = syscall.Signal(0x13)
	thaw   = syscall.Signal(0x12)
)

func signalPid(int, syscall.Signal) { panic("harness: this system has no signals") }

func runAs(*exec.Cmd, *account) { panic("harness: this system runs nothing as another user") }
