package main

import (
	"cmp"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/farwire/farwire"
)

// crawlFlags bound the crawls of a gateway and say where their files go.
type crawlFlags struct {
	Recrawl       bool          `default:"true" negatable:"" help:"Recrawl the sites that are due. --no-recrawl, or --recrawl=false, leaves that to other gateways."`
	CrawlTimeout  time.Duration `default:"10m" placeholder:"TIME" help:"Longest crawl; what was found by then is the result."`
	CrawlMaxPages int           `default:"1000" placeholder:"N" help:"Largest maxPages that a client may ask for, at least 1."`
	PublicURL     string        `name:"public-url" placeholder:"URL" help:"Where this gateway is reached from outside; hosted files are below its /files/. Default: the address that it listens on."`
}

// options checks the flags.
func (f *crawlFlags) options() (o farwire.CrawlOptions, err error) {
	u, err := url.Parse(f.PublicURL)
	switch {
	case f.CrawlTimeout <= 0:
		return o, misusef("--crawl-timeout: %v leaves no time to crawl; give more than 0s", f.CrawlTimeout)
	case f.CrawlMaxPages < 1:
		return o, misusef("--crawl-max-pages: %d allows no page; give 1 or more", f.CrawlMaxPages)
	case f.PublicURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != ""):
		return o, misusef("--public-url: %q is not the address of a gateway; give one such as https://gw.example.com", f.PublicURL)
	}
	return farwire.CrawlOptions{Timeout: f.CrawlTimeout, MaxPages: f.CrawlMaxPages}, nil
}

const filesPath = "/files/"

// storage keeps hosted files in the data folder. Without a public URL they are
// where a client on this machine reaches the gateway.
func (f *crawlFlags) storage(dataDir, address string) (*farwire.FolderStorage, error) {
	base := cmp.Or(f.PublicURL, address)
	files, err := farwire.NewFolderStorage(filepath.Join(dataDir, "files"), strings.TrimSuffix(base, "/")+filesPath)
	if err != nil {
		return nil, misuse("--data-dir: " + strings.TrimPrefix(err.Error(), "farwire: NewFolderStorage: ") + "; give a folder that this user may write to")
	}
	return files, nil
}

// served is the handler of the hosted files.
func served(files *farwire.FolderStorage) http.Handler {
	return http.StripPrefix(strings.TrimSuffix(filesPath, "/"), files)
}
