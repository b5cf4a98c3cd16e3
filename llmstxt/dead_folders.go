package llmstxt

import (
	"errors"
	"iter"
	"net/http"
	"strings"
)

// deadFolders says where the links of a site lead nowhere, as those do to a part that was moved
// or never put online, so that they take no requests from what does exist. A folder counts with
// all below it. It is dead when enough of it was asked for and next to nothing was there; what
// is known of it then comes at the end.
type deadFolders map[string]*folder

type folder struct{ asked, waiting, missing int }

const (
	enoughMissing = 8  // addresses of a folder, before it is dead
	mostUnknown   = 16 // addresses that wait for their answer in a folder of which nothing has answered
	maxFolders    = 8  // of an address that are counted, from the host on
)

// ask counts an address that is asked for.
func (d deadFolders) ask(key string) {
	for at := range foldersOf(key) {
		f := d[at]
		if f == nil {
			f = &folder{}
			d[at] = f
		}
		f.asked++
		f.waiting++
	}
}

// answer counts its answer.
func (d deadFolders) answer(key string, missing bool) {
	for at := range foldersOf(key) {
		f := d[at]
		f.waiting--
		if missing {
			f.missing++
		}
	}
}

// has reports an address in a dead folder.
func (d deadFolders) has(key string) bool {
	for at := range foldersOf(key) {
		if f := d[at]; f != nil && f.missing >= enoughMissing && f.missing > enoughMissing*f.found() {
			return true
		}
	}
	return false
}

// mayHave reports an address in a folder that may turn out to be dead by the answers that are
// under way.
func (d deadFolders) mayHave(key string) bool {
	for at := range foldersOf(key) {
		if f := d[at]; f != nil && f.waiting >= mostUnknown && f.found() == 0 {
			return true
		}
	}
	return false
}

// found is how many addresses of the folder answered.
func (f *folder) found() int { return f.asked - f.waiting - f.missing }

// foldersOf are the folders in which an address is, save that of the host and those below
// maxFolders others.
func foldersOf(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		key, _, _ := strings.Cut(key, "?")
		_, rest, _ := strings.Cut(key, "://")
		at := len(key) - len(rest) + strings.IndexByte(rest, '/') + 1
		for range maxFolders {
			n := strings.IndexByte(key[at:], '/')
			if n < 0 {
				return
			}
			at += n + 1
			if !yield(key[:at]) {
				return
			}
		}
	}
}

var inDeadFolder = &skipError{Reason: SkipPattern, Detail: "next to none of the addresses asked for in its folder is there, and no room was left"}

// isMissing reports the answer of a site that has no such page.
func isMissing(r *result) bool {
	var why *skipError
	return r.status == http.StatusNotFound || r.status == http.StatusGone ||
		errors.As(r.refused, &why) && why.Reason == SkipNotFound
}
