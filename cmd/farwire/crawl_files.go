package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/farwire/farwire/llmstxt"
)

// crawlFiles says which files a crawl makes beside llms.txt.
type crawlFiles struct {
	Full     bool `help:"Also write llms-full.txt, with the whole text of each page, beside the file of -o."`
	Markdown bool `help:"Also write a .md file of each page there, in folders as on the site."`
}

func (f *crawlFiles) any() bool { return f.Full || f.Markdown }

// check refuses files that have no place to go.
func (f *crawlFiles) check(output string) error {
	switch {
	case output != "":
		return nil
	case f.Full:
		return misuse("--full: llms-full.txt needs a place; give a folder with -o, such as -o site/")
	case f.Markdown:
		return misuse("--markdown: the files need a place; give a folder with -o, such as -o site/")
	}
	return nil
}

// write makes the files in the folder of the file that was written. Each is
// replaced whole.
func (f *crawlFiles) write(site *llmstxt.CrawledSite, text, output string) error {
	if !f.any() {
		return nil
	}
	dir := filepath.Dir(output)
	for file, err := range site.TextFiles(text, f.Full, f.Markdown) {
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(dir, filepath.FromSlash(file.Name)), file.Body, nil); err != nil {
			return fmt.Errorf("%s was not written: %w", file.Name, err)
		}
	}
	return nil
}

// replaceFile writes a file aside and renames it, so that whoever reads it meanwhile, and a
// full disk, find the old one whole. It gets the mode and the owner of the file that is there;
// nil: everybody may read it. Where the folder takes no other file, or the file is a mount of
// its own, it is written in place.
func replaceFile(name string, body []byte, there fs.FileInfo) error {
	mode := fs.FileMode(0o644)
	if there != nil {
		mode = there.Mode().Perm()
	}
	err := writeAside(name, body, mode, there)
	if there != nil && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EBUSY)) {
		return os.WriteFile(name, body, mode)
	}
	return err
}

func writeAside(name string, body []byte, mode fs.FileMode, there fs.FileInfo) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // nothing is there once it is renamed
	_, err = temp.Write(body)
	if err == nil && there != nil {
		err = giveTo(temp, there)
	}
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}
