//go:build unix

package rabbitmq

import (
	"os/exec"
	"syscall"
)

// ownGroup has what cmd starts be in a process group of its own.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func signalGroup(leader int, s syscall.Signal) error { return syscall.Kill(-leader, s) }
