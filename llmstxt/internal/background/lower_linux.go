package background

import (
	"os"
	"runtime"
	"syscall"
)

// further is how much nicer than others a thread becomes: it has a tenth of the weight
// of others on a core that is contended, and all of one that is not.
const further = 10

// alone calls f on a thread of its own and of a low priority, which ends with the
// goroutine: without a privilege the priority cannot be raised again. To lower it is
// refused in a sandbox that forbids it; the thread is like others then.
func alone(f func()) {
	runtime.LockOSThread()
	if syscall.Gettid() == os.Getpid() {
		// The first thread of a process cannot end. Nobody else gets it meanwhile.
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			alone(f)
		}()
		<-ended
		runtime.UnlockOSThread()
		return
	}
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // of a thread; 20 less its niceness
	if err == nil {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, min(20-raw+further, 19))
	}
	f()
}
