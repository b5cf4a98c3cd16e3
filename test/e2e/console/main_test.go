// Package console holds the console's end-to-end tests: the page in a headless
// Chromium, as a person uses it, against the program as it is run.
package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// chromium is the browser of all tests; each has a profile of its own in it.
var chromium context.Context

// broker starts RabbitMQ for the first test that wants it.
var broker = sync.OnceValues(func() (*rabbitmq.Node, error) { return rabbitmq.Start(context.Background()) })

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farwire-console-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.WindowSize(1280, 800), chromedp.UserDataDir(filepath.Join(dir, "profile")))
	if os.Geteuid() == 0 {
		// Chromium refuses to run its sandbox for root. It loads nothing here
		// but pages of this machine.
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	defer end()
	browser, closeBrowser := chromedp.NewContext(allocator)
	defer closeBrowser()
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintf(os.Stderr, "Chromium does not start; scripts/deps installs it: %v\n", err)
		return 1
	}
	chromium = browser

	status := m.Run()

	if usedBroker {
		node, _ := broker() // who asked for it has seen its error
		if node != nil {
			node.Close()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- chromedp.Cancel(browser) }()
	select {
	case err := <-stopped:
		if err != nil {
			fmt.Fprintf(os.Stderr, "Chromium does not end: %v\n", err)
			status = 1
		}
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "Chromium does not end")
		return 1
	}
	end()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines were left behind: %v\n", err)
			status = 1
		}
	}
	return status
}

var usedBroker bool

func startBroker(t *testing.T) *rabbitmq.Node {
	t.Helper()
	usedBroker = true
	node, err := broker()
	if err != nil {
		t.Fatal(err)
	}
	return node
}
