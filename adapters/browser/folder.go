package browser

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// A folder holds a browser's files.
type folder struct {
	path string
	home string // below it, the browser's own
	lock *os.File
}

const (
	folderPrefix = "farwire-browser-"
	lockName     = "farwire.lock"
)

// newFolder makes one, and removes those that were left behind.
func newFolder(as runAs) (*folder, error) {
	sweep(os.TempDir())
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	f := &folder{path: dir, home: filepath.Join(dir, "b")}
	if f.lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		err = lock(f.lock)
	}
	if err == nil {
		err = f.makeHome(as)
	}
	if err != nil {
		f.remove()
		return nil, err
	}
	return f, nil
}

// makeHome makes the folder that the browser writes into: its user's own.
func (f *folder) makeHome(as runAs) error {
	if err := os.Mkdir(f.home, 0o700); err != nil || as != asNobody {
		return err
	}
	uid, gid, err := nobody()
	if err != nil {
		return err
	}
	if err := os.Chown(f.home, uid, gid); err != nil {
		return err
	}
	return os.Chmod(f.path, 0o711) // it may pass, and not look around
}

// nobody returns the user as whom a browser runs when this process is root.
func nobody() (uid, gid int, err error) {
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err == nil && uid == 0 {
		err = errors.New("the user nobody is root")
	}
	return uid, gid, err
}

// remove takes the folder away. A helper that is about to end may still write
// into it.
func (f *folder) remove() {
	if f.lock != nil {
		defer f.lock.Close()
	}
	for range 20 {
		if os.RemoveAll(f.path) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sweep removes the folders of this user whose process is gone. One without a
// lock file is just being made, unless it is old.
func sweep(parent string) {
	found, err := filepath.Glob(filepath.Join(parent, folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() || !isOurs(info) {
			continue
		} else if held, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0); err == nil {
			if lock(held) == nil {
				os.RemoveAll(dir)
			}
			held.Close()
		} else if errors.Is(err, os.ErrNotExist) && time.Since(info.ModTime()) > time.Hour {
			os.RemoveAll(dir)
		}
	}
}
