// Package console holds the console's end-to-end tests: the page in a headless
// Chromium, as a person uses it, against the program as it is run.
package console

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// chromium is the browser of all tests; each has a profile of its own in it.
var chromium context.Context

// broker starts RabbitMQ for the first test that wants it.
var broker = sync.OnceValues(func() (*rabbitmq.Node, error) {
	usedBroker.Store(true)
	return rabbitmq.Start(context.Background())
})

var usedBroker atomic.Bool

// tabs are open at once: most of a test is waiting, for the browser, the gateway
// or the broker.
const tabs = "3"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", tabs); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farwire-console-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium-headless-shell"), chromedp.WindowSize(1280, 800), chromedp.UserDataDir(filepath.Join(dir, "profile")))
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

	// The broker takes a while to start. It does so beside the tests that do not
	// need it.
	if only := flag.Lookup("test.run").Value.String(); only == "" || strings.Contains(only, "AMQP") {
		go broker()
	}
	status := m.Run()

	if usedBroker.Load() {
		node, _ := broker() // who asked for it has seen its error
		if node != nil {
			node.Close()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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
		if err := leak.Wait(time.Minute); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines were left behind: %v\n", err)
			status = 1
		}
	}
	return status
}

func startBroker(t *testing.T) *rabbitmq.Node {
	t.Helper()
	node, err := broker()
	if err != nil {
		t.Fatal(err)
	}
	return node
}
