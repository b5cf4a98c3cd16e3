//go:build unix

package sqlstore_test

import (
	"os"
	"syscall"
)

// These stop a process and let it go on.
var stopSignal, goOnSignal os.Signal = syscall.SIGSTOP, syscall.SIGCONT
