package farwire

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/folder"
	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/hosting"
	"github.com/farwire/farwire/internal/origin"
)

// Storage hosts files.
//
// Save is called concurrently and returns the URL at which the file can be
// read. It replaces a file of the same name whole or not at all. If there is a
// newer Version already, that stays, and the error wraps [ErrStale]. One that
// is a [FileRemover] has old files removed, and one that is a [SecretKeeper]
// keeps the secret that their names are derived from.
type Storage interface {
	Save(context.Context, File) (url string, err error)
}

// A File is what Storage hosts.
type File struct {
	Name        string // slash-separated, relative, made of [A-Za-z0-9._-]
	ContentType string
	Body        []byte // not to be changed, nor kept after Save has returned
	Version     uint64 // grows with each crawl of a site; zero replaces whatever is there
}

// ErrStale is wrapped by a Storage's error when it already has a newer version
// of the file.
var ErrStale = errors.New("a newer version is there")

// A SecretKeeper is a [SiteStore] or a [Storage] that keeps secrets: the names
// of hosted files are derived from one. A gateway asks its SiteStore, else its
// Storage. Where neither is a SecretKeeper, the secret is derived from the
// first of Options.TokenKeys.
//
// Secret returns the secret of this name, at least 32 random bytes, which it makes
// at the first call. All gateways that share the store get the same. A bucket must
// not keep one: a reader of the bucket would know the names. Secret is safe for
// concurrent use. On an error nothing is hosted, and the next crawl asks again.
type SecretKeeper interface {
	Secret(ctx context.Context, name string) ([]byte, error)
}

// A FileRemover is a [Storage] that can show and remove its files. With one,
// the files of a caller's last 200 crawls are kept, 1 GiB at most. Beyond that
// whole crawls are removed, the oldest first, those of enrolled sites last.
//
// Both methods are called concurrently. Files returns the files below a folder, such
// as "llms/0123", in any order; finding none is not an error. Remove removes all files below a
// folder, which need not exist. A gateway that shares the storage may save there meanwhile:
// Files is asked once more before each Remove, which should take no longer than it must. Their errors are logged and fail no crawl: the next
// crawl of the caller tries again.
type FileRemover interface {
	Storage
	Files(ctx context.Context, folder string) ([]StoredFile, error)
	Remove(ctx context.Context, folder string) error
}

// A StoredFile is what a FileRemover says of a file.
type StoredFile struct {
	Name     string    // as in File.Name
	Size     int64     // bytes
	Modified time.Time // of the last Save, also where that has left the file as it was
}

// FolderStorage is a [Storage] in a folder, and the http.Handler that serves
// it. See [NewFolderStorage].
type FolderStorage struct {
	folder *folder.Folder
	base   string // ends with a slash
}

// NewFolderStorage returns a Storage that keeps files below dir, which it makes if it is
// missing. baseURL is where the files can be read from outside, such as
// "https://gw.example.com/files/"; mount the storage there:
//
//	mux.Handle("/files/", http.StripPrefix("/files", folder))
//
// A file is replaced by an atomic rename after it was written and synced, so
// that readers see the old file or the new one, never a mixture, after a crash
// too. The version of a file is kept beside it in a file whose name begins with
// a dot. Several processes may share the folder: a writer holds one of the
// locks in its folder .locks.
//
// Hosted files are public: everybody who knows the URL may read them. All methods
// are safe for concurrent use; the caller closes the storage.
func NewFolderStorage(dir, baseURL string) (*FolderStorage, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("farwire: NewFolderStorage: %q is not a base URL; write it as https://gw.example.com/files/", baseURL)
	}
	f, err := folder.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("farwire: NewFolderStorage: %w", err)
	}
	return &FolderStorage{f, strings.TrimSuffix(baseURL, "/") + "/"}, nil
}

// Close releases the folder. What is being saved or served meanwhile may fail.
func (s *FolderStorage) Close() error { return s.folder.Close() }

// Save writes the file and returns its URL. A file whose bytes are there
// already is left as it is, with its time. The context ends the wait for another
// process that writes the same file; the write itself is never left half done.
func (s *FolderStorage) Save(ctx context.Context, f File) (string, error) {
	if !folder.ValidName(f.Name) {
		return "", fmt.Errorf("farwire: %q is not the name of a file", f.Name)
	}
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	switch err := s.folder.Save(ctx, f.Name, f.Body, f.Version); {
	case errors.Is(err, folder.ErrStale):
		return "", fmt.Errorf("farwire: saving %s: %w: %w", f.Name, ErrStale, err)
	case err != nil:
		return "", fmt.Errorf("farwire: saving %s: %w", f.Name, err)
	}
	return s.base + f.Name, nil
}

// ServeHTTP serves the file that the request's path names, to GET and HEAD,
// conditional and range requests included, as plain text that no browser takes
// for anything else. Pages of every web origin may read the file, or why it is
// refused.
func (s *FolderStorage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin.Any("GET, HEAD", http.HandlerFunc(s.serveFile)).ServeHTTP(w, r)
}

func (s *FolderStorage) serveFile(w http.ResponseWriter, r *http.Request) {
	refuse := func(err error) { writeError(w, public(err)) }
	if err := onlyReads(r); err != nil {
		refuse(err)
		return
	}
	noFile := fault.New(fault.NotFound, "no such file")
	name := strings.TrimPrefix(r.URL.Path, "/")
	if !folder.ValidName(name) {
		refuse(noFile)
		return
	}
	f, info, err := s.folder.Open(name)
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
	h.Set("X-Farwire-From", "gateway")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "public, no-cache") // kept, and asked about
	// A file of the same time and size is the same: each is written once, and
	// renamed into place.
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// Secret implements [SecretKeeper]: it is a file in a folder of its own, which is
// not served.
func (s *FolderStorage) Secret(ctx context.Context, name string) ([]byte, error) {
	secret, err := s.folder.Secret(ctx, name)
	return secret, ofFarwire(err)
}

// Files implements [FileRemover].
func (s *FolderStorage) Files(ctx context.Context, below string) ([]StoredFile, error) {
	found, err := s.folder.Files(ctx, below)
	if err != nil {
		return nil, ofFarwire(err)
	}
	files := make([]StoredFile, len(found))
	for i, f := range found {
		files[i] = StoredFile(f)
	}
	return files, nil
}

// Remove implements [FileRemover]. The versions of the files go with them.
func (s *FolderStorage) Remove(ctx context.Context, below string) error {
	return ofFarwire(s.folder.Remove(ctx, below))
}

// ofFarwire says whose error it is.
func ofFarwire(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("farwire: %w", err)
}

// hosted knows where the files of crawls are hosted, and how many are kept of a caller.
type hosted struct {
	turn     chan struct{} // who has put a value in may look at secret, and ask for it
	secret   []byte        // nil: not asked for yet
	fallback []byte        // where nobody keeps a secret

	turns hosting.Turns
	most  hosting.Limits
}

func newHosted(fallback []byte) *hosted {
	return &hosted{turn: make(chan struct{}, 1), fallback: fallback, turns: hosting.NewTurns(), most: hosting.Limits{Crawls: 200, Bytes: 1 << 30}}
}

// fileSecret returns what the names hang on. One crawl asks the host for it; the others
// wait for their turn, and no longer than they last.
func (g *Gateway) fileSecret(ctx context.Context) ([]byte, error) {
	h := g.hosted
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if h.secret != nil {
		return h.secret, nil
	}
	keeper, ok := g.o.Sites.(SecretKeeper)
	if !ok {
		keeper, ok = g.o.Storage.(SecretKeeper)
	}
	if !ok {
		h.secret = h.fallback
		return h.secret, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	secret, err := hostcall.Get(func() ([]byte, error) { return keeper.Secret(ctx, "hosted-files") })
	switch {
	case err != nil:
		return nil, fault.FromHost("the secret of hosted files", err)
	case len(secret) < sha256.Size:
		return nil, fmt.Errorf("the secret of hosted files: %T keeps one of %d bytes", keeper, len(secret))
	}
	h.secret = secret
	return secret, nil
}

// hostedSite says where the files of a caller's site are.
func (g *Gateway) hostedSite(ctx context.Context, subject, baseURL string) (hosting.Site, error) {
	secret, err := g.fileSecret(ctx)
	if err != nil {
		return hosting.Site{}, err
	}
	return hosting.NewSite(secret, subject, baseURL), nil
}

func (j *crawlJob) saveFile(ctx context.Context, f File) (url string, err error) {
	if url, err = hostcall.Get(func() (string, error) { return j.g.o.Storage.Save(ctx, f) }); err != nil {
		return "", fault.FromHost("storage", err)
	}
	return url, nil
}

// saving is how many files of a crawl are on their way to the storage at once.
const saving = 8

// saveBeside hosts files in a folder of their own. The first error ends it.
func (j *crawlJob) saveBeside(ctx context.Context, folder string, all iter.Seq2[File, error], version uint64) ([]hostedFile, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	var saved []*hostedFile
	free := make(chan struct{}, saving)
	for f, err := range all {
		if err != nil {
			fail(err)
			break
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		hosted := &hostedFile{name: f.Name}
		saved = append(saved, hosted)
		f.Name, f.Version = folder+f.Name, version
		wg.Go(func() {
			defer func() { <-free }()
			defer func() {
				if v := recover(); v != nil { // nobody else would
					fail(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
				}
			}()
			url, err := j.saveFile(ctx, f)
			if err != nil {
				fail(err)
			}
			hosted.url = url
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	files := make([]hostedFile, len(saved))
	for i, h := range saved {
		files[i] = *h
	}
	return files, nil
}

// trimFiles removes what a caller has too much of, but nothing of the site whose
// files have just been saved.
func (g *Gateway) trimFiles(ctx context.Context, subject string, saved hosting.Site) {
	store, ok := g.o.Storage.(FileRemover)
	if !ok {
		return
	}
	asked, cancel := context.WithTimeout(ctx, trimTimeout)
	defer cancel()
	if err := hostcall.Do(func() error { return g.trim(asked, store, subject, saved) }); err != nil && ctx.Err() == nil {
		g.o.Logger.WarnContext(ctx, "hosted files of a caller not removed; they are removed after its next crawl", "subject", subject, "err", err)
	}
}

const trimTimeout = 20 * time.Second

func (g *Gateway) trim(ctx context.Context, store FileRemover, subject string, saved hosting.Site) error {
	pass := g.hosted.turns.Begin()
	defer pass.End()
	stored, err := listFiles(ctx, store, saved.Caller)
	if err != nil {
		return err
	}
	gone, err := hosting.Surplus(stored, saved, g.hosted.most, func() ([]string, error) { return g.enrolledFolders(ctx, subject) })
	if err != nil {
		return err
	}
	for _, folder := range gone {
		now, err := listFiles(ctx, store, folder) // another gateway may have saved there
		if err != nil {
			return err
		}
		if !hosting.SameBelow(folder, stored, now) {
			continue
		}
		if err := pass.Remove(folder, func() error { return store.Remove(ctx, folder) }); err != nil {
			return err
		}
	}
	return nil
}

func listFiles(ctx context.Context, store FileRemover, below string) ([]hosting.File, error) {
	stored, err := store.Files(ctx, below)
	files := make([]hosting.File, len(stored))
	for i, f := range stored {
		files[i] = hosting.File(f)
	}
	return files, err
}

// enrolledFolders are those of the sites that a caller has enrolled.
func (g *Gateway) enrolledFolders(ctx context.Context, subject string) (folders []string, err error) {
	if g.o.Sites == nil {
		return nil, nil
	}
	sites, err := g.o.Sites.Sites(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, site := range sites {
		at, err := g.hostedSite(ctx, subject, site.BaseURL)
		if err != nil {
			return nil, err
		}
		folders = append(folders, at.Folder)
	}
	return folders, nil
}
