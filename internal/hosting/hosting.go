// Package hosting says where the files of a crawl are hosted, and which of a caller's
// files go when there are too many:
//
//	llms/CALLER/HOST-SITE/llms.txt
//	llms/CALLER/HOST-SITE/…         whatever else the same crawl leaves
//
// CALLER and SITE are MACs under a secret, so that nobody can work out where the
// file of another caller is. All files of a crawl share a folder and are removed
// together. A file of an earlier release, llms/HOST-HASH.txt, stays where it is,
// and so does that of a site that was enrolled then.
package hosting

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Site is where the files of a caller's site are.
type Site struct {
	Caller string // the folder of all its sites
	Folder string // of this site, below it
	before string // name of the file in earlier releases
}

// NewSite tells subject and address apart by their MACs, so that neither two
// callers nor two hosts that look alike in a file name ever share a file. The host
// in the name is for people.
func NewSite(secret []byte, subject, baseURL string) (s Site) {
	name := func(what string, args ...any) string {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, what, args...)
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	host := hostLabel(baseURL)
	s.Caller = "llms/" + name("caller %d %s", len(subject), subject)
	s.Folder = s.Caller + "/" + host + name("site %d %s %s", len(subject), subject, baseURL)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(subject), subject, baseURL))
	s.before = "llms/" + host + hex.EncodeToString(sum[:16]) + ".txt"
	return s
}

// Name is the name of the site's llms.txt: a site whose file is at the name of
// an earlier release keeps it, because that address has been published. hostedURL is
// where it was hosted last; empty: nowhere.
func (s Site) Name(hostedURL string) string {
	if strings.HasSuffix(hostedURL, "/"+s.before) {
		return s.before
	}
	return s.Folder + "/llms.txt"
}

// hostLabel is the host of an address for a file name, with a dash behind it.
func hostLabel(baseURL string) string {
	host := ""
	if u, err := url.Parse(baseURL); err == nil {
		host = strings.Map(func(r rune) rune {
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.':
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

// A File is a hosted file.
type File struct {
	Name     string
	Size     int64 // bytes
	Modified time.Time
}

// Limits say what is kept of one caller.
type Limits struct {
	Crawls int
	Bytes  int64
}

// A crawl is what one crawl has left.
type crawl struct {
	folder string
	bytes  int64
	newest time.Time
	kept   bool // its site is enrolled
}

// Surplus returns the folders of the crawls that a caller has too many of, in the order
// in which they go: crawls of sites that are not enrolled first, the oldest first, and
// nothing of the site that has just been saved. When that has become surplus meanwhile,
// those that were saved later have it removed, and nothing goes in its place. enrolled is
// asked, when something has to go, for the folders of enrolled sites.
func Surplus(files []File, saved Site, most Limits, enrolled func() ([]string, error)) ([]string, error) {
	crawls := crawlsOf(files, saved.Caller)
	surplus, bytes := len(crawls)-most.Crawls, int64(0)
	for _, c := range crawls {
		bytes += c.bytes
	}
	if surplus <= 0 && bytes <= most.Bytes {
		return nil, nil
	}
	kept, err := enrolled()
	if err != nil {
		return nil, err
	}
	for _, folder := range kept {
		if c := crawls[folder]; c != nil {
			c.kept = true
		}
	}
	own := crawls[saved.Folder]
	newer := func(c *crawl) bool { return own != nil && c.newest.After(own.newest) }
	overtaken := slices.ContainsFunc(slices.Collect(maps.Values(crawls)), newer)
	var gone []string
	for _, c := range slices.SortedFunc(maps.Values(crawls), oldestFirst) {
		if surplus <= 0 && bytes <= most.Bytes {
			break
		}
		if c == own && !overtaken {
			continue
		}
		if c != own {
			gone = append(gone, c.folder)
		}
		surplus--
		bytes -= c.bytes
	}
	return gone, nil
}

// SameBelow reports whether two lists show the same files below a folder: nobody has saved
// there between them.
func SameBelow(folder string, before, now []File) bool {
	below := func(files []File) map[string]File {
		found := make(map[string]File)
		for _, f := range files {
			if strings.HasPrefix(f.Name, folder+"/") {
				found[f.Name] = f
			}
		}
		return found
	}
	return maps.EqualFunc(below(before), below(now), func(a, b File) bool { return a.Size == b.Size && a.Modified.Equal(b.Modified) })
}

// crawlsOf groups a caller's files by the folder of their crawl.
func crawlsOf(files []File, caller string) map[string]*crawl {
	crawls := make(map[string]*crawl)
	for _, f := range files {
		rest, ok := strings.CutPrefix(f.Name, caller+"/")
		site, _, below := strings.Cut(rest, "/")
		if !ok || !below {
			continue
		}
		folder := caller + "/" + site
		c := crawls[folder]
		if c == nil {
			c = &crawl{folder: folder}
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
func oldestFirst(a, b *crawl) int {
	switch {
	case a.kept && !b.kept:
		return 1
	case b.kept && !a.kept:
		return -1
	}
	return cmp.Or(a.newest.Compare(b.newest), cmp.Compare(a.folder, b.folder))
}
