//go:build unix

package harness

import (
	"os/exec"
	"syscall"
)

// Freeze and Thaw are the signals that freeze a process and let it go on.
const (
	Freeze = syscall.SIGSTOP
	Thaw   = syscall.SIGCONT
)

// signalPid sends a signal to a process, which may have ended.
func signalPid(pid int, s syscall.Signal) { _ = syscall.Kill(pid, s) }

// runAs has cmd run as another user; nil: as this one.
func runAs(cmd *exec.Cmd, as *account) {
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.uid, Gid: as.gid}}
	}
}
