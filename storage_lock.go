//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package farwire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockFile waits for the lock that goroutines and processes share a file by.
// It is held until it is given back or this process ends. The wait ends with
// the context: whoever has the lock may be stopped in the midst of it.
func lockFile(ctx context.Context, f *os.File) (unlock func(), err error) {
	pause := time.Millisecond
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return func() { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, os.NewSyscallError("flock", err)
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 100*time.Millisecond)
		case <-ctx.Done():
			return nil, fmt.Errorf("another process has the lock: %w", context.Cause(ctx))
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
