package harness

import (
	"os/exec"
	"syscall"
)

// endsWithUs has the system kill the process when this one ends without its
// cleanups, as a test that takes too long does.
func endsWithUs(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
