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
	"sync"
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
	checkedSize  = 10 << 20         // largest file, in bytes
	linkTimeout  = 20 * time.Second // of one link, redirects included
	linkWorkers  = 8
	linkTries    = 3 // while the site answers that it is busy
	longestPause = 5 * time.Second
)

// A checkedFile is what --json prints.
type checkedFile struct {
	Layout   llmstxt.Layout    `json:"layout"`
	Bytes    int               `json:"bytes"`
	Links    []checkedLink     `json:"links"`
	Problems []llmstxt.Problem `json:"problems"`
	Valid    bool              `json:"valid"`
}

type checkedLink struct {
	llmstxt.Link
	Status int `json:"status"` // of the answer, redirects followed; 0: there was none
}

// Run reads the file, checks its form, and asks for each link.
func (c *check) Run(ctx context.Context) error {
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: c.AllowPrivate})
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: linkTimeout, Transport: &http.Transport{
		DialContext: exit.DialContext, TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost: linkWorkers, MaxIdleConnsPerHost: linkWorkers, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	text, err := c.read(ctx, client)
	if err != nil {
		return err
	}
	result := checkedFile{Bytes: len(text), Links: []checkedLink{}, Problems: []llmstxt.Problem{}}
	layout, links, problems := llmstxt.Check(text)
	result.Layout, result.Problems = layout, append(result.Problems, problems...)
	checked, failed := askAll(ctx, client, links)
	if ctx.Err() != nil {
		return errors.New("interrupted before all links were checked")
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
	var from io.Reader
	switch {
	case strings.HasPrefix(c.File, "http://"), strings.HasPrefix(c.File, "https://"):
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

// askAll asks for each link, each address once, and returns a problem for each
// that does not answer.
func askAll(ctx context.Context, client *http.Client, links []llmstxt.Link) (checked []checkedLink, problems []llmstxt.Problem) {
	checked = make([]checkedLink, len(links))
	errs := make([]error, len(links))
	first := make(map[string]int)
	var todo []int
	for i, l := range links {
		checked[i].Link = l
		if _, known := first[l.URL]; !known && (strings.HasPrefix(l.URL, "http://") || strings.HasPrefix(l.URL, "https://")) {
			first[l.URL] = i
			todo = append(todo, i)
		}
	}
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(linkWorkers, len(todo)) {
		wg.Go(func() {
			for i := range work {
				checked[i].Status, errs[i] = ask(ctx, client, links[i].URL)
			}
		})
	}
	for _, i := range todo {
		work <- i
	}
	close(work)
	wg.Wait()
	for i, l := range links {
		from, asked := first[l.URL]
		if !asked {
			continue
		}
		checked[i].Status = checked[from].Status
		switch {
		case errs[from] != nil:
			problems = append(problems, llmstxt.Problem{Line: l.Line, Text: l.URL + " does not answer: " + reason(errs[from])})
		case checked[i].Status >= 400:
			problems = append(problems, llmstxt.Problem{Line: l.Line, Text: fmt.Sprintf("%s answers HTTP %d %s", l.URL, checked[i].Status, http.StatusText(checked[i].Status))})
		}
	}
	return checked, problems
}

// ask asks for one link, once more when the site is busy.
func ask(ctx context.Context, client *http.Client, address string) (status int, err error) {
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, errors.New("the address is not valid")
		}
		req.Header.Set("User-Agent", llmstxt.DefaultUserAgent)
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
		if !busy || try == linkTries {
			return resp.StatusCode, nil
		}
		wait := time.Second
		if d, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
			wait = min(max(d, 0), longestPause)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
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
	for _, p := range r.Problems {
		where := ""
		if p.Line > 0 {
			where = fmt.Sprintf(":%d", p.Line)
		}
		fmt.Printf("%s%s: %s\n", safetext.Printable(withoutUser(c.File)), where, safetext.Printable(p.Text))
	}
	fmt.Printf("%s: %s layout, %d links, %d bytes, %d problems\n", safetext.Printable(withoutUser(c.File)), r.Layout, len(r.Links), r.Bytes, len(r.Problems))
	return nil
}
