package farwire

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Where the files of a crawl are hosted:
//
//	llms/CALLER/HOST-SITE/llms.txt
//	llms/CALLER/HOST-SITE/…         whatever else the same crawl leaves
//
// CALLER and SITE are MACs under a secret, so that nobody can work out where the
// file of another caller is. All files of a crawl share a folder and are removed
// together. A file of an earlier release, llms/HOST-HASH.txt, stays where it is,
// and so does that of a site that was enrolled then.

// A SecretKeeper is a [SiteStore] or a [Storage] that keeps secrets: the names of
// hosted files hang on one. A gateway asks its SiteStore, else its Storage. Where
// neither is a SecretKeeper, the secret is derived from the first of
// Options.TokenKeys.
//
// Secret returns the secret of this name, at least 32 random bytes, which it makes
// at the first call. All gateways that share the store get the same. A bucket must
// not keep one: whoever reads the bucket would know the names.
type SecretKeeper interface {
	Secret(ctx context.Context, name string) ([]byte, error)
}

// A FileRemover is a [Storage] that can show and remove its files. Where it is one,
// the files of a caller's last 200 crawls are kept, 1 GiB at most; of those beyond,
// crawls of sites that the caller has not enrolled go first, the oldest first.
//
// Both methods are called concurrently. Files returns the files below a folder, such
// as "llms/0123", in any order; none is no error. Remove removes all files below a
// folder, which need not exist.
type FileRemover interface {
	Storage
	Files(ctx context.Context, folder string) ([]StoredFile, error)
	Remove(ctx context.Context, folder string) error
}

// A StoredFile is what a FileRemover says of a file.
type StoredFile struct {
	Name     string // as in File.Name
	Size     int64  // bytes
	Modified time.Time
}

// What is kept of one caller.
const (
	maxHostedCrawls = 200
	maxHostedBytes  = 1 << 30
)

// hosted knows where files are hosted.
type hosted struct {
	mu       sync.Mutex
	secret   []byte // nil: not asked for yet
	fallback []byte // where nobody keeps a secret

	crawls int // that are kept of one caller
	bytes  int64
}

func newHosted(fallback []byte) *hosted {
	return &hosted{fallback: fallback, crawls: maxHostedCrawls, bytes: maxHostedBytes}
}

// fileSecret returns what the names hang on.
func (g *Gateway) fileSecret(ctx context.Context) ([]byte, error) {
	h := g.hosted
	h.mu.Lock()
	defer h.mu.Unlock()
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
	secret, err := keeper.Secret(ctx, "hosted-files")
	switch {
	case err != nil:
		return nil, fmt.Errorf("the secret of hosted files: %w", err)
	case len(secret) < sha256.Size:
		return nil, fmt.Errorf("the secret of hosted files: %T keeps one of %d bytes", keeper, len(secret))
	}
	h.secret = secret
	return secret, nil
}

// A hostedSite is where the files of a caller's site are.
type hostedSite struct {
	caller string // the folder of all its sites
	folder string // of this site, below it
	before string // name of the file in earlier releases
}

// hostedSite tells subject and address apart by their MACs, so that neither two
// callers nor two hosts that look alike in a file name ever share a file. The host
// in the name is for people.
func (g *Gateway) hostedSite(ctx context.Context, subject, baseURL string) (s hostedSite, err error) {
	secret, err := g.fileSecret(ctx)
	if err != nil {
		return s, err
	}
	name := func(what string, args ...any) string {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, what, args...)
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	host := hostLabel(baseURL)
	s.caller = "llms/" + name("caller %d %s", len(subject), subject)
	s.folder = s.caller + "/" + host + name("site %d %s %s", len(subject), subject, baseURL)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(subject), subject, baseURL))
	s.before = "llms/" + host + hex.EncodeToString(sum[:16]) + ".txt"
	return s, nil
}

// llmsName is the name of the site's llms.txt: a site whose file is at the name of
// an earlier release keeps it, because that address has been published.
func (s hostedSite) llmsName(hostedURL string) string {
	if strings.HasSuffix(hostedURL, "/"+s.before) {
		return s.before
	}
	return s.folder + "/llms.txt"
}

// hostLabel is the host of an address for a file name, with a dash behind it.
func hostLabel(baseURL string) string {
	host := ""
	if u, err := url.Parse(baseURL); err == nil {
		host = strings.Map(func(r rune) rune {
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '-':
				return r
			case 'A' <= r && r <= 'Z':
				return r + 'a' - 'A'
			}
			return '-'
		}, u.Hostname())
	}
	host = strings.Trim(host[:min(len(host), 100)], ".-")
	if host != "" {
		host += "-"
	}
	return host
}

// trimFiles removes what a caller has too much of, but nothing of the site whose
// files have just been saved.
func (g *Gateway) trimFiles(ctx context.Context, subject string, saved hostedSite) {
	store, ok := g.o.Storage.(FileRemover)
	if !ok {
		return
	}
	asked, cancel := context.WithTimeout(ctx, trimTimeout)
	defer cancel()
	if err := g.trim(asked, store, subject, saved); err != nil && ctx.Err() == nil {
		g.o.Logger.WarnContext(ctx, "hosted files of a caller not removed; they are removed after its next crawl", "subject", subject, "err", err)
	}
}

const trimTimeout = 20 * time.Second

// A hostedCrawl is what one crawl has left.
type hostedCrawl struct {
	folder string
	bytes  int64
	newest time.Time
	kept   bool // its site is enrolled
}

func (g *Gateway) trim(ctx context.Context, store FileRemover, subject string, saved hostedSite) error {
	files, err := store.Files(ctx, saved.caller)
	if err != nil {
		return err
	}
	crawls := crawlsOf(files, saved.caller)
	surplus, bytes := len(crawls)-g.hosted.crawls, int64(0)
	for _, c := range crawls {
		bytes += c.bytes
	}
	if surplus <= 0 && bytes <= g.hosted.bytes {
		return nil
	}
	if g.o.Sites != nil {
		enrolled, err := g.o.Sites.Sites(ctx, subject)
		if err != nil {
			return err
		}
		for _, site := range enrolled {
			at, err := g.hostedSite(ctx, subject, site.BaseURL)
			if err != nil {
				return err
			}
			if c := crawls[at.folder]; c != nil {
				c.kept = true
			}
		}
	}
	for _, c := range slices.SortedFunc(maps.Values(crawls), oldestFirst) {
		if surplus <= 0 && bytes <= g.hosted.bytes {
			break
		}
		if c.folder == saved.folder {
			continue
		}
		if err := store.Remove(ctx, c.folder); err != nil {
			return err
		}
		surplus--
		bytes -= c.bytes
	}
	return nil
}

// crawlsOf groups a caller's files by the folder of their crawl.
func crawlsOf(files []StoredFile, caller string) map[string]*hostedCrawl {
	crawls := make(map[string]*hostedCrawl)
	for _, f := range files {
		rest, ok := strings.CutPrefix(f.Name, caller+"/")
		site, _, below := strings.Cut(rest, "/")
		if !ok || !below {
			continue
		}
		folder := caller + "/" + site
		c := crawls[folder]
		if c == nil {
			c = &hostedCrawl{folder: folder}
			crawls[folder] = c
		}
		c.bytes += f.Size
		if f.Modified.After(c.newest) {
			c.newest = f.Modified
		}
	}
	return crawls
}

// oldestFirst orders what is removed: crawls of sites that are enrolled come last.
func oldestFirst(a, b *hostedCrawl) int {
	switch {
	case a.kept && !b.kept:
		return 1
	case b.kept && !a.kept:
		return -1
	}
	return cmp.Or(a.newest.Compare(b.newest), cmp.Compare(a.folder, b.folder))
}
