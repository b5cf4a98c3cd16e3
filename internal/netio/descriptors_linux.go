package netio

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// Counting is cheap where the kernel does it (Linux 6.2), else a look at each.
const (
	countedEvery = 50 * time.Millisecond
	listedEvery  = time.Second
)

var descriptors struct {
	sync.Mutex
	until      time.Time // what was seen holds until then
	open, most int
}

// Descriptors returns how many file descriptors this process has open, as it was a
// moment ago, and how many it may have; zero where that is not known.
func Descriptors() (open, most int) {
	d := &descriptors
	d.Lock()
	defer d.Unlock()
	now := time.Now()
	if now.Before(d.until) {
		return d.open, d.most
	}
	d.open, d.most, d.until = 0, 0, now.Add(listedEvery)
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0, 0
	}
	const folder = "/proc/self/fd"
	if info, err := os.Stat(folder); err == nil && info.Size() > 0 {
		d.open, d.until = int(info.Size()), now.Add(countedEvery)
	} else if list, err := os.ReadDir(folder); err == nil {
		d.open = len(list)
	} else {
		d.open = int(min(limit.Cur, 1<<30)) // not even one is left to look with
	}
	d.most = int(min(limit.Cur, 1<<30))
	return d.open, d.most
}
