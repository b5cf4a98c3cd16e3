package main

import (
	"fmt"
	"os"
	"path/filepath"

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
		if err := replaceFile(filepath.Join(dir, filepath.FromSlash(file.Name)), file.Body); err != nil {
			return fmt.Errorf("%s was not written: %w", file.Name, err)
		}
	}
	return nil
}

// replaceFile writes a file aside and renames it.
func replaceFile(name string, body []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // nothing is there once it is renamed
	if _, err := temp.Write(body); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Chmod(0o644); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}
