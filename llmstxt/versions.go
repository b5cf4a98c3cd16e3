package llmstxt

import (
	"context"
	"strings"
	"unicode"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Of a page's versions one is kept. Their addresses differ in one segment, or one field of the
// query, which names the version. One of them may have none: /docs/install beside /docs/1.x/install.

// versions are what is known of the versions of the site's pages.
type versions struct {
	version   string            // that is wanted; "": not known
	versioned map[string]bool   // paths of folders that hold versions, by what committed pages show
	paths     map[string]*entry // pages by their paths without a version
	ofVersion map[string]*entry // those of the wanted version, by the same
	roots     map[string]*entry // start pages of versions, by the same
	others    otherVersions
}

func newVersions(wanted string) versions {
	return versions{version: wanted, versioned: map[string]bool{}, paths: map[string]*entry{}, ofVersion: map[string]*entry{}, roots: map[string]*entry{}}
}

func (c *crawler) isWanted(version string) bool {
	return c.version != "" && weburl.SameVersion(version, c.version)
}

// isChosen reports a page of the version that the caller asked for.
func (c *crawler) isChosen(e *entry) bool { return c.Version != "" && c.isWanted(e.version) }

// namesVersion reports that the canonical form of a page of the wanted version is the same
// page in another one. Which version is kept is known already.
func (c *crawler) namesVersion(e *entry, canonical string) bool {
	if e.version == "" || !c.isWanted(e.version) {
		return false
	}
	u := weburl.Parse(canonical)
	if u == nil {
		return false
	}
	version, path, _ := weburl.VersionIn(u, c.versioned)
	return path == e.path && version != e.version
}

// leavesToVersion lets a page whose address names no version, or another one, stand back for
// the same page in the version that is wanted, if that is known or linked from it.
func (c *crawler) leavesToVersion(ctx context.Context, e *entry, r *result) bool {
	if c.version == "" || e.root || c.isWanted(e.version) || e.url.RawQuery != "" {
		return false
	}
	if t := c.ofVersion[e.path]; t != nil {
		return c.deferTo(ctx, e, r, t.key, SkipVersion)
	}
	for _, l := range r.links {
		// A path with the segment of a version is longer than without.
		if len(l) <= len(e.path) || !strings.HasSuffix(l, e.path[strings.LastIndexByte(e.path, '/'):]) && !strings.HasPrefix(l, e.key+"?") {
			continue
		}
		u := weburl.Parse(l)
		if u == nil { // of an earlier crawl, from the store of a host
			continue
		}
		if version, path, root := weburl.VersionIn(u, c.versioned); path == e.path && !root && version != "" && c.isWanted(version) {
			return c.deferTo(ctx, e, r, l, SkipVersion)
		}
	}
	return false
}

// versionless is a page's title without what tells its versions apart.
func versionless(e *Evidence) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(e.Title) {
		if strings.ContainsFunc(word, unicode.IsDigit) || weburl.NamesVersion(word) {
			continue
		}
		b.WriteString(word + " ")
	}
	return plain.Key(b.String())
}

const maxVersioned = 500 // folders

// learnVersions takes over which folders hold versions, for what is found from here on.
func (c *crawler) learnVersions(r *result) {
	for _, folder := range r.evidence.Versions {
		if len(c.versioned) < maxVersioned {
			c.versioned[folder] = true
		}
	}
}

// leftFor says for which page e is left out. Links to an address that is not canonical are
// links to the canonical one; those of a menu of languages or versions name no page of ours.
func (c *crawler) leftFor(e, page *entry, why Reason) *skipError {
	switch why {
	case SkipTranslation:
		return &skipError{Reason: why, Detail: "a translation of " + page.key}
	case SkipVersion:
		return &skipError{Reason: why, Detail: "another version of " + page.key}
	}
	c.alias[e.key] = page.key
	return &skipError{Reason: why, Detail: "is canonically " + page.key}
}

// sameAs says that e is left out because an earlier page says the same. Menus may lead to
// either.
func (c *crawler) sameAs(e *entry, first string) *skipError {
	c.alias[e.key] = first
	return &skipError{Reason: SkipDuplicate, Detail: "same as " + first}
}

// saidElsewhere reports a page that is left out because another in the result says the same.
// A redirect does not: lost visitors are led to the start page, too.
func (e *skipError) saidElsewhere() bool {
	return e.Reason == SkipDuplicate || e.Reason == SkipCanonical || e.Reason == SkipVersion
}
