//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package farwire

import (
	"context"
	"os"
	"sync"
)

var saving sync.Mutex

// lockFile keeps the goroutines of this process apart, and no other process.
func lockFile(context.Context, *os.File) (unlock func(), err error) {
	saving.Lock()
	return saving.Unlock, nil
}

// syncDir leaves it to the system when a rename lasts.
func syncDir(*os.Root, string) error { return nil }
