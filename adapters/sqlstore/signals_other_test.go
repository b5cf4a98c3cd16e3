//go:build !unix

package sqlstore_test

import "os"

// No signal stops a process here: the test kills workers and stops none.
var stopSignal, goOnSignal os.Signal
