// Package folder keeps files in a folder, each of which is replaced whole or not at all
// by one with a newer version, whoever writes: goroutines, and processes that share the
// folder.
package folder

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/farwire/farwire/internal/safetext"
)

// Save and Remove take no turns, whoever calls them: what is saved while a folder is removed
// is removed as well, and a file is saved anew when its folder was removed meanwhile. Each try
// but the last was lost to another Remove; so many are lost only when the whole Folder is gone.
const maxTries = 1000

// ErrStale is wrapped by the error of [Folder.Save] when a newer version is there.
var ErrStale = errors.New("stale")

// A Folder is an open folder. All its methods are safe for concurrent use.
type Folder struct {
	dir  string // absolute
	root *os.Root
}

// A File is what a Folder says of one of its files.
type File struct {
	Name     string    // slash-separated, relative to the folder
	Size     int64     // bytes
	Modified time.Time // when it was saved last, with the bytes that it had or with others
}

// Open opens a folder, which it makes if it is missing. The caller closes it.
func Open(dir string) (*Folder, error) {
	if dir == "" {
		return nil, errors.New("dir is empty")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, locksFolder), 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{dir, root}, nil
}

// Close closes the folder. What is being saved or read meanwhile may fail.
func (d *Folder) Close() error { return d.root.Close() }

// Save writes a file of a name that [ValidName] takes, unless its bytes are there already:
// then it is left as it is, with its time, and only [Folder.Files] tells that it was saved.
// When a newer version is there the error wraps [ErrStale]; version zero replaces whatever is
// there. The context ends the wait for another process that writes
// the same file; the write itself is never left half done.
//
// The version is written first: a process that ends in between leaves the old file under
// the new version, which refuses only older ones.
func (d *Folder) Save(ctx context.Context, file string, body []byte, version uint64) (err error) {
	for range maxTries {
		err = d.save(ctx, file, body, version)
		if !errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (d *Folder) save(ctx context.Context, file string, body []byte, version uint64) (err error) {
	dir, name := path.Split(file)
	dir = path.Clean("./" + dir)
	if err := d.root.MkdirAll(dir, 0o755); errors.Is(err, fs.ErrExist) { // until it was removed
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	} else if err != nil {
		return err
	}
	unlock, err := d.lock(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := d.advance(path.Join(dir, "."+name+".version"), version); err != nil {
		return err
	}
	if old, err := d.root.ReadFile(file); err == nil && bytes.Equal(old, body) {
		return nil
	}
	// Nobody else writes this one, thanks to the lock; one that was left over
	// is written anew.
	temp := path.Join(dir, "."+name+".new")
	if err = d.write(temp, body); err == nil {
		err = d.root.Rename(temp, file)
	}
	if err != nil { // on a full disk it would take what room is left, and is in no list
		if gone := d.root.Remove(temp); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	return d.syncDir(dir)
}

// syncDir makes a rename durable. Windows cannot sync a folder and does so by
// itself.
func (d *Folder) syncDir(dir string) (err error) {
	if runtime.GOOS == "windows" {
		return nil
	}
	opened, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return opened.Sync()
}

// The locks are a fixed number of files, so that a file that is removed leaves
// none behind. Files that share a lock wait for each other.
const (
	locksFolder = ".locks"
	locks       = 64
	lockPause   = 10 * time.Millisecond // between two tries to take one
)

// lock takes the lock of a file, by which goroutines and processes take turns.
// It is held until it is given back or this process ends. The wait ends with
// the context, because the process that has the lock may be stopped meanwhile.
func (d *Folder) lock(ctx context.Context, name string) (unlock func() error, err error) {
	sum := sha256.Sum256([]byte(name))
	lock := flock.New(filepath.Join(d.dir, locksFolder, fmt.Sprintf("%02d", sum[0]%locks)), flock.SetPermissions(0o644))
	if _, err := lock.TryLockContext(ctx, lockPause); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("another process has the lock: %w", context.Cause(ctx))
		}
		return nil, errors.Join(err, lock.Close())
	}
	return lock.Close, nil
}

// advance writes the version into the file of this name, unless a newer one is
// there.
func (d *Folder) advance(name string, version uint64) (err error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return err
	}
	have := uint64(0)
	if len(text) > 0 {
		if have, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return fmt.Errorf("the version beside the file is not a number: %w", err)
		}
	}
	switch {
	case version == 0, version == have:
		now := time.Now()
		return d.root.Chtimes(name, now, now)
	case version < have:
		return fmt.Errorf("version %d is %w: %d is there", version, ErrStale, have)
	}
	// One write of a fixed length is not torn by the end of this process.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%020d\n", version), 0); err != nil {
		return err
	}
	return f.Sync()
}

func (d *Folder) write(name string, body []byte) error {
	return d.writeAs(name, body, 0o644)
}

func (d *Folder) writeAs(name string, body []byte, mode fs.FileMode) (err error) {
	w, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Sync()
}

// Open opens a regular file for reading. What is something else, a link out of the folder
// above all, is not there.
func (d *Folder) Open(name string) (*os.File, fs.FileInfo, error) {
	// Opening a pipe would wait for its writer.
	if info, err := d.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// ValidName reports whether a file may have this name: relative, slash-separated, of
// safe characters, no part of it hidden.
func ValidName(name string) bool {
	if len(name) > 1024 || !fs.ValidPath(name) || name == "." {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part[0] == '.' || !safetext.IsName(part, 200) {
			return false
		}
	}
	return true
}

// secretsFolder is never served: its name begins with a dot.
const secretsFolder = ".secrets"

// Secret returns the secret of a name, which it makes at the first call. It is a file in
// a folder of its own that no name leads to.
func (d *Folder) Secret(ctx context.Context, name string) (secret []byte, err error) {
	if !ValidName(name) || strings.Contains(name, "/") {
		return nil, fmt.Errorf("%q is not the name of a secret", name)
	}
	if err := d.root.MkdirAll(secretsFolder, 0o700); err != nil {
		return nil, fmt.Errorf("the secret %s: %w", name, err)
	}
	file := path.Join(secretsFolder, name)
	unlock, err := d.lock(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("the secret %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	secret, err = d.root.ReadFile(file)
	if err == nil && len(secret) >= sha256.Size {
		return bytes.Clone(secret), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the secret %s: %w", name, err)
	}
	// One that is shorter was left by a process that ended while it wrote.
	secret = make([]byte, sha256.Size)
	rand.Read(secret) // never fails
	if err := d.writeAs(file, secret, 0o600); err != nil {
		return nil, fmt.Errorf("the secret %s: %w", name, err)
	}
	return secret, d.syncDir(secretsFolder)
}

// Files lists the files below a folder, in any order; one that is missing has none.
func (d *Folder) Files(ctx context.Context, folder string) (files []File, err error) {
	if !ValidName(folder) {
		return nil, fmt.Errorf("%q is not the name of a folder", folder)
	}
	err = fs.WalkDir(d.root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
			return nil
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case strings.HasPrefix(entry.Name(), "."), !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			files = append(files, File{name, info.Size(), d.saved(name, info)})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", folder, err)
	}
	return files, nil
}

// saved is when a file was saved last, with the bytes that it had or with others.
func (d *Folder) saved(name string, file fs.FileInfo) time.Time {
	dir, base := path.Split(name)
	version, err := d.root.Stat(dir + "." + base + ".version")
	if err != nil || version.ModTime().Before(file.ModTime()) { // somebody else put the file there
		return file.ModTime()
	}
	return version.ModTime()
}

// Remove removes all files below a folder, which may be missing. The versions of the files go with them.
func (d *Folder) Remove(ctx context.Context, folder string) error {
	if !ValidName(folder) {
		return fmt.Errorf("%q is not the name of a folder", folder)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	parent := path.Dir(folder)
	// It goes all at once: a file that is saved while the others are removed has a new folder.
	err := d.root.Rename(folder, path.Join(parent, removedPrefix+rand.Text()))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = d.removeMoved(parent)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", folder, err)
	}
	if err := d.syncDir(parent); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", folder, err)
	}
	return nil
}

// removedPrefix begins the name of a folder on its way out.
const removedPrefix = ".removed-"

// removeMoved removes what is on its way out of this folder, that too which a process that
// ended has left.
func (d *Folder) removeMoved(dir string) error {
	moved, err := fs.Glob(d.root.FS(), path.Join(dir, removedPrefix+"*"))
	for _, name := range moved {
		gone := d.root.RemoveAll(name)
		// Who had opened the folder before it was moved may have put a last file there.
		for tries := 1; errors.Is(gone, fs.ErrExist) && tries < maxTries; tries++ {
			gone = d.root.RemoveAll(name)
		}
		err = errors.Join(err, gone)
	}
	return err
}
