// Package docs unpacks documentation that Debian ships, real sites of many
// pages, into the user's cache. Nothing is installed: a package is downloaded
// by apt and unpacked by dpkg, so its dependencies stay away.
package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Site is documentation in a Debian package.
type Site struct {
	Package string
	Dir     string // of the pages, in the package
	Base    string // path of the base page
}

// Six are the sites that the crawl is measured on.
var Six = []Site{
	{"python3.11-doc", "usr/share/doc/python3.11/html", "/"},
	{"postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html", "/"},
	{"python-django-doc", "usr/share/doc/python-django-doc/html", "/"},
	{"nodejs-doc", "usr/share/doc/nodejs/api", "/"},
	{"sqlite3-doc", "usr/share/doc/sqlite3", "/"},
	{"apache2-doc", "usr/share/doc/apache2-doc/manual", "/en/"},
}

// More are sites of other generators: Texinfo, LaTeX2HTML, Doxygen, MkDocs, by hand,
// DocBook, xfpt, DocBook's chunks, PlDoc, Javadoc.
var More = []Site{
	{"maxima-doc", "usr/share/doc/maxima-doc/html", "/maxima_toc.html"},
	{"gnuplot-doc", "usr/share/doc/gnuplot/htmldocs", "/"},
	{"libeigen3-doc", "usr/share/doc/libeigen3-dev/html", "/"},
	{"mkdocs-doc", "usr/share/doc/mkdocs/html", "/"},
	{"postfix-doc", "usr/share/doc/postfix/html", "/"},
	{"debian-reference-en", "usr/share/debian-reference", "/index.en.html"},
	{"exim4-doc-html", "usr/share/doc/exim4-doc-html/spec_html", "/"},
	{"aptitude-doc-en", "usr/share/doc/aptitude/html/en", "/"},
	{"swi-prolog-doc", "usr/share/swi-prolog/doc/Manual", "/"},
	{"libcommons-lang3-java-doc", "usr/share/doc/libcommons-lang3-java/api", "/"},
}

// Folder returns the folder of a site's pages, fetched the first time. It is
// under os.UserCacheDir and stays there.
func (s Site) Folder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "farwire", "docs")
	tree := filepath.Join(root, s.Package)
	dir := filepath.Join(tree, filepath.FromSlash(s.Dir))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(root, ".unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := command(work, "apt-get", "download", s.Package); err != nil {
		// The lists of packages may be old, or missing as in a fresh container.
		if err := command(work, "apt-get", "update", "-qq"); err != nil {
			return "", err
		}
		if err := command(work, "apt-get", "download", s.Package); err != nil {
			return "", err
		}
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d files: %w", s.Package, len(debs), err)
	}
	if err := command(work, "dpkg", "-x", debs[0], "tree"); err != nil {
		return "", err
	}
	if err := os.RemoveAll(tree); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, "tree"), tree); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%s is not what it was: %w", s.Package, err)
	}
	return dir, nil
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
