//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives a file to the owner of another.
func giveTo(f *os.File, other fs.FileInfo) error {
	own, err := f.Stat()
	if err != nil {
		return err
	}
	is, known := own.Sys().(*syscall.Stat_t)
	want, ok := other.Sys().(*syscall.Stat_t)
	if !known || !ok || is.Uid == want.Uid && is.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}
