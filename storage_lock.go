//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package farwire

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits for the lock that goroutines and processes share a file by.
// It is held until it is given back or this process ends.
func lockFile(f *os.File) (unlock func(), err error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return func() { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, os.NewSyscallError("flock", err)
		}
	}
}

// syncDir makes a rename last.
func syncDir(root *os.Root, dir string) (err error) {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
