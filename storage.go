package farwire

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/farwire/farwire/internal/fault"
)

// Storage hosts files.
//
// Save is called concurrently and returns the URL at which the file can be
// read. It replaces a file of the same name whole or not at all. When a newer
// Version is already there it leaves it and returns an error that wraps
// [ErrStale].
type Storage interface {
	Save(context.Context, File) (url string, err error)
}

// A File is what Storage hosts.
type File struct {
	Name        string // slash-separated, relative, made of [A-Za-z0-9._-]
	ContentType string
	Body        []byte
	Version     uint64 // grows with each crawl of a site; zero replaces whatever is there
}

// ErrStale is wrapped by the error of a Storage that has a newer version of the
// file already.
var ErrStale = errors.New("a newer version is there")

// FolderStorage is a [Storage] in a folder, and the http.Handler that serves
// it. See [NewFolderStorage].
type FolderStorage struct {
	dir  string // absolute
	root *os.Root
	base string // ends with a slash
}

// NewFolderStorage returns a Storage that keeps files below dir, which it makes if it is
// missing. baseURL is where the files can be read from outside, such as
// "https://gw.example.com/files/"; mount the storage there:
//
//	mux.Handle("GET /files/", http.StripPrefix("/files", folder))
//
// A file is replaced by an atomic rename after it was written and synced, so
// that a reader, or a machine that stops, sees the old file or the new one and
// never a mixture. The version of a file is kept beside it in a file whose name
// begins with a dot. Several processes may share the folder: who writes a file
// holds one of the locks in its folder .locks.
//
// Hosted files are public: whoever knows the URL may read them. All methods
// are safe for concurrent use; the caller closes the storage.
func NewFolderStorage(dir, baseURL string) (*FolderStorage, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("farwire: NewFolderStorage: %q is not a base URL; write it as https://gw.example.com/files/", baseURL)
	}
	if dir == "" {
		return nil, errors.New("farwire: NewFolderStorage: dir is empty")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("farwire: NewFolderStorage: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, locksFolder), 0o755); err != nil {
		return nil, fmt.Errorf("farwire: NewFolderStorage: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("farwire: NewFolderStorage: %w", err)
	}
	return &FolderStorage{dir: dir, root: root, base: strings.TrimSuffix(baseURL, "/") + "/"}, nil
}

// Close releases the folder. What is being saved or served meanwhile may fail.
func (s *FolderStorage) Close() error { return s.root.Close() }

// Save writes the file and returns its URL. A file whose bytes are there
// already is left as it is, with its time. The context ends the wait for another
// process that writes the same file; the write itself is never left half done.
func (s *FolderStorage) Save(ctx context.Context, f File) (string, error) {
	if !validFileName(f.Name) {
		return "", fmt.Errorf("farwire: %q is not the name of a file", f.Name)
	}
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	if err := s.save(ctx, f); err != nil {
		return "", fmt.Errorf("farwire: saving %s: %w", f.Name, err)
	}
	return s.base + f.Name, nil
}

// save does so with the file's lock held. The version is written first: a
// process that ends in between leaves the old file under the new version,
// which refuses only older ones.
func (s *FolderStorage) save(ctx context.Context, f File) (err error) {
	dir, name := path.Split(f.Name)
	dir = path.Clean("./" + dir)
	if err := s.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := s.advance(path.Join(dir, "."+name+".version"), f.Version); err != nil {
		return err
	}
	if old, err := s.root.ReadFile(f.Name); err == nil && bytes.Equal(old, f.Body) {
		return nil
	}
	// Nobody else writes this one, thanks to the lock; one that was left over
	// is written anew.
	temp := path.Join(dir, "."+name+".new")
	if err := s.write(temp, f.Body); err != nil {
		return err
	}
	if err := s.root.Rename(temp, f.Name); err != nil {
		return err
	}
	return s.syncDir(dir)
}

// syncDir makes a rename durable. Windows cannot sync a folder and does so by
// itself.
func (s *FolderStorage) syncDir(dir string) (err error) {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
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
func (s *FolderStorage) lock(ctx context.Context, name string) (unlock func() error, err error) {
	sum := sha256.Sum256([]byte(name))
	lock := flock.New(filepath.Join(s.dir, locksFolder, fmt.Sprintf("%02d", sum[0]%locks)), flock.SetPermissions(0o644))
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
func (s *FolderStorage) advance(name string, version uint64) (err error) {
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
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
		return nil
	case version < have:
		return fmt.Errorf("version %d: %w: %d", version, ErrStale, have)
	}
	// One write of a fixed length is not torn by the end of this process.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%020d\n", version), 0); err != nil {
		return err
	}
	return f.Sync()
}

func (s *FolderStorage) write(name string, body []byte) error {
	return s.writeAs(name, body, 0o644)
}

func (s *FolderStorage) writeAs(name string, body []byte, mode fs.FileMode) (err error) {
	w, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Sync()
}

// ServeHTTP serves the file that the request's path names, to GET and HEAD,
// conditional and range requests included, as plain text that no browser takes
// for anything else.
func (s *FolderStorage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(err error) { writeError(w, public(err)) }
	if err := onlyReads(r); err != nil {
		refuse(err)
		return
	}
	noFile := fault.New(fault.NotFound, "no such file")
	name := strings.TrimPrefix(r.URL.Path, "/")
	if !validFileName(name) {
		refuse(noFile)
		return
	}
	f, info, err := s.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		refuse(noFile)
		return
	case err != nil:
		slog.WarnContext(r.Context(), "file not served", "name", name, "err", err)
		refuse(err)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, no-cache") // kept, and asked about
	// A file of the same time and size is the same: each is written once, and
	// renamed into place.
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// open opens a regular file. What is something else, a link out of the folder
// above all, is not there.
func (s *FolderStorage) open(name string) (*os.File, fs.FileInfo, error) {
	// Opening a pipe would wait for its writer.
	if info, err := s.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := s.root.Open(name)
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

// validFileName reports whether name is what File.Name may be: relative,
// slash-separated, of safe characters, no part of it hidden.
func validFileName(name string) bool {
	if len(name) > 1024 || !fs.ValidPath(name) || name == "." {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part[0] == '.' || len(part) > 200 || strings.ContainsFunc(part, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-')
		}) {
			return false
		}
	}
	return true
}

// secretsFolder is never served: its name begins with a dot.
const secretsFolder = ".secrets"

// Secret implements [SecretKeeper]: it is a file in a folder of its own, which is
// not served.
func (s *FolderStorage) Secret(ctx context.Context, name string) (secret []byte, err error) {
	if !validFileName(name) || strings.Contains(name, "/") {
		return nil, fmt.Errorf("farwire: %q is not the name of a secret", name)
	}
	if err := s.root.MkdirAll(secretsFolder, 0o700); err != nil {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	file := path.Join(secretsFolder, name)
	unlock, err := s.lock(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	secret, err = s.root.ReadFile(file)
	if err == nil && len(secret) >= sha256.Size {
		return bytes.Clone(secret), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	// One that is shorter was left by a process that ended while it wrote.
	secret = make([]byte, sha256.Size)
	rand.Read(secret) // never fails
	if err := s.writeAs(file, secret, 0o600); err != nil {
		return nil, fmt.Errorf("farwire: the secret %s: %w", name, err)
	}
	return secret, s.syncDir(secretsFolder)
}

// Files implements [FileRemover].
func (s *FolderStorage) Files(ctx context.Context, folder string) (files []StoredFile, err error) {
	if !validFileName(folder) {
		return nil, fmt.Errorf("farwire: %q is not the name of a folder", folder)
	}
	err = fs.WalkDir(s.root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), "."), !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			files = append(files, StoredFile{name, info.Size(), info.ModTime()})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("farwire: listing %s: %w", folder, err)
	}
	return files, nil
}

// Remove implements [FileRemover]. The versions of the files go with them.
func (s *FolderStorage) Remove(ctx context.Context, folder string) error {
	if !validFileName(folder) {
		return fmt.Errorf("farwire: %q is not the name of a folder", folder)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.root.RemoveAll(folder); err != nil {
		return fmt.Errorf("farwire: removing %s: %w", folder, err)
	}
	if err := s.syncDir(path.Dir(folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("farwire: removing %s: %w", folder, err)
	}
	return nil
}
