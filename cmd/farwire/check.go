package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt"
)

type check struct {
	File         string `arg:"" name:"file-or-url" help:"The llms.txt: a file, - for standard input, or an http:// or https:// URL."`
	JSON         bool   `name:"json" help:"Print links and problems as JSON."`
	AllowPrivate bool   `help:"Reach loopback, private and link-local addresses."`
}

const (
	checkedSize = 10 << 20         // largest file, in bytes
	fileTimeout = 20 * time.Second // of the file at a URL, redirects included
	linkWorkers = 8                // of one host
)

// A checkedFile is what --json prints.
type checkedFile struct {
	Layout   llmstxt.Layout        `json:"layout"`
	Bytes    int                   `json:"bytes"`
	Links    []llmstxt.CheckedLink `json:"links"`
	Problems []llmstxt.Problem     `json:"problems"`
	Valid    bool                  `json:"valid"`
}

// Run reads the file, checks its form, and asks for each link.
func (c *check) Run(ctx context.Context) error {
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: c.AllowPrivate})
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: exit.DialContext, TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost: linkWorkers, MaxIdleConnsPerHost: linkWorkers, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	text, err := c.read(ctx, client)
	if err != nil {
		return err
	}
	result := checkedFile{Bytes: len(text), Links: []llmstxt.CheckedLink{}, Problems: []llmstxt.Problem{}}
	layout, links, problems := llmstxt.Check(text)
	result.Layout, result.Problems = layout, append(result.Problems, problems...)
	checked, failed, err := llmstxt.CheckLinks(ctx, links, llmstxt.Options{Client: client, Workers: linkWorkers})
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted before all links were checked")
	case err != nil:
		return err
	}
	result.Links, result.Problems = append(result.Links, checked...), append(result.Problems, failed...)
	slices.SortStableFunc(result.Problems, func(a, b llmstxt.Problem) int { return a.Line - b.Line })
	result.Valid = len(result.Problems) == 0
	if err := c.print(result); err != nil {
		return err
	}
	if !result.Valid {
		return errSilent
	}
	return nil
}

// read returns the file's text.
func (c *check) read(ctx context.Context, client *http.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	var from io.Reader
	switch {
	case isWebAddress(c.File):
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.File, nil)
		if err != nil {
			return "", misuse("URL: not valid; give one such as https://docs.example.com/llms.txt")
		}
		req.Header.Set("User-Agent", llmstxt.DefaultUserAgent)
		resp, err := client.Do(req)
		if err != nil {
			return "", fmt.Errorf("cannot fetch %s: %s", withoutUser(c.File), reason(err))
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("cannot fetch %s: HTTP %s", withoutUser(c.File), resp.Status)
		}
		from = resp.Body
	case c.File == "-":
		from = os.Stdin
	default:
		f, err := os.Open(c.File)
		if err != nil {
			return "", misusef("FILE: %v; give an llms.txt or its URL", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return "", misusef("FILE: %s is a folder; give the llms.txt in it", c.File)
		}
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, checkedSize+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", withoutUser(c.File), err)
	case len(text) > checkedSize:
		return "", fmt.Errorf("%s is larger than %d MiB", withoutUser(c.File), checkedSize>>20)
	}
	return string(text), nil
}

// reason is what went wrong, without the address that net/http puts before it.
func reason(err error) string {
	if said := fault.Of(err); said != nil {
		return said.Short()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}

func (c *check) print(r checkedFile) error {
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	var lines strings.Builder
	for _, p := range r.Problems {
		where := ""
		if p.Line > 0 {
			where = fmt.Sprintf(":%d", p.Line)
		}
		fmt.Fprintf(&lines, "%s%s: %s\n", safetext.Printable(withoutUser(c.File)), where, safetext.Printable(p.Text))
	}
	fmt.Fprintf(&lines, "%s: %s layout, %s, %s, %s\n", safetext.Printable(withoutUser(c.File)), r.Layout,
		safetext.Count(len(r.Links), "link"), safetext.Count(r.Bytes, "byte"), safetext.Count(len(r.Problems), "problem"))
	_, err := io.WriteString(os.Stdout, lines.String())
	return err
}
