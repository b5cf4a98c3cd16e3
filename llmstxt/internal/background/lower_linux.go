package background

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// further is how much nicer than others a thread becomes: it has a tenth of the weight
// of others on a core that is contended, and all of one that is not.
const further = 10

// alone calls f on a thread of its own and of a low priority, which ends with the
// goroutine: without a privilege the priority cannot be raised again. To lower it is
// refused in a sandbox that forbids it; the thread is like others then.
func alone(f func()) {
	runtime.LockOSThread()
	started, err := hasChildren()
	if err != nil {
		defer runtime.UnlockOSThread()
		f()
		return
	}
	if started || syscall.Gettid() == os.Getpid() {
		// The system takes a thread that has started processes for their parent: those
		// with Pdeathsig would get their signal. And the first thread of a process
		// cannot end. Nobody else gets this one meanwhile.
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

// hasChildren reports whether this thread has started processes that are still there,
// and takes none of them from who waits for it: waitid(2).
func hasChildren() (bool, error) {
	const (
		anyProcess   = 0          // P_ALL
		ofThisThread = 0x20000000 // __WNOTHREAD
		ofAnyKind    = 0x40000000 // __WALL
	)
	var info [128]byte // siginfo_t
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, anyProcess, 0, uintptr(unsafe.Pointer(&info)),
		syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT|ofThisThread|ofAnyKind, 0, 0)
	switch errno {
	case 0:
		return true, nil
	case syscall.ECHILD:
		return false, nil
	}
	return false, errno
}
