package main

import (
	"context"
	"log/slog"
	"net"
	"os"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
)

// crawlBrowser is the browser of a crawl, for pages that say next to nothing without one.
type crawlBrowser struct {
	Browser string `placeholder:"PATH" help:"Chromium for pages that need a browser: its path, or its name on PATH; none, the default, uses none."`

	pages *browser.Browser // nil: none
}

// open makes the browser and returns what shows a page in it through an exit; nil where none is asked for.
// Nothing is started before the first page. The caller calls close.
func (c *crawlBrowser) open(exit agent.Exit) (func(ctx context.Context, url, reason string) ([]byte, error), error) {
	if c.Browser == "" || c.Browser == browser.None {
		return nil, nil
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if c.pages, err = newBrowser("--browser", browser.Options{Path: c.Browser, Logger: log}); err != nil {
		return nil, err
	}
	return func(ctx context.Context, url, _ string) ([]byte, error) {
		shown, err := c.pages.Render(ctx, farwire.RenderPage{URL: url, Exit: egress.LookUpsOf(url, exit)})
		return shown.HTML, err
	}, nil
}

// listeners are the addresses at which the browser reaches this process, which the exit never dials.
func (c *crawlBrowser) listeners() []net.Addr {
	if c.pages == nil {
		return nil
	}
	return c.pages.Listeners()
}

func (c *crawlBrowser) close() {
	if c.pages != nil {
		c.pages.Close()
	}
}
