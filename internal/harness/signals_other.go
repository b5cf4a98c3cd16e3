//go:build !unix

package harness

import (
	"os/exec"
	"syscall"
)

// Freeze and Thaw have the numbers of Linux, on a system that has no such signals.
const (
	Freeze = syscall.Signal(0x13)
	Thaw   = syscall.Signal(0x12)
)

func signalPid(int, syscall.Signal) { panic("harness: this system has no signals") }

func runAs(*exec.Cmd, *account) { panic("harness: this system runs nothing as another user") }
