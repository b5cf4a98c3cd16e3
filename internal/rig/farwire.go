package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// binary builds the program once for all tests of a package, with the race
// detector when they have it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "farwire-*")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "farwire")
	return path, Build(context.Background(), path, raceEnabled)
})

// Build builds the program of this tree as path, with the race detector or
// without.
func Build(ctx context.Context, path string, race bool) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "-race="+strconv.FormatBool(race), "./farwire")
	_, here, _, _ := runtime.Caller(0)
	cmd.Dir = filepath.Join(filepath.Dir(here), "../../cmd") // a module of its own
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

var built string // the folder to remove

// Main is all that a TestMain has to call: it runs the tests of a package and
// exits.
func Main(m *testing.M) { Exit(Run(m)) }

// Exit ends a package's tests with their status, or with 1 when goroutines are
// left behind. Those that are on their way out are waited for.
func Exit(status int) {
	for end := time.Now().Add(10 * time.Second); status == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "goroutines were left behind: %v\n", err)
			status = 1
		}
	}
	os.Exit(status)
}

// Run runs the tests of a package and removes what was built for them.
func Run(m *testing.M) int {
	defer func() {
		if built != "" {
			os.RemoveAll(built)
		}
	}()
	return m.Run()
}

// Farwire returns a command that runs the program.
func Farwire(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = Environ()
	cmd.Dir = t.TempDir()
	return cmd
}

// A Gateway is a running farwire serve.
type Gateway struct {
	*Process
	Addr string // host:port
	Key  string // made for this run; empty when --api-keys was given
}

// Serve starts farwire serve on a port of its own. Unless the test stops it,
// it is drained at the end, which must succeed.
func Serve(t testing.TB, args ...string) *Gateway {
	t.Helper()
	return StartGateway(t, Farwire(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...))
}

// StartGateway is Serve for a command that the caller has prepared.
func StartGateway(t testing.TB, cmd *exec.Cmd) *Gateway {
	t.Helper()
	g := &Gateway{Process: Start(t, cmd)}
	t.Cleanup(func() {
		select {
		case <-g.Done():
		default:
			g.Stop()
		}
	})
	g.Addr = g.Await(g.Stderr, `(?m)^listening on http://(\S+)$`)[1]
	if !hasKeys(cmd) {
		g.Key = g.Await(g.Stderr, `(?m)^API key of this run: (\S+)$`)[1]
	}
	return g
}

// Stop drains the gateway. It must end with status 0.
func (g *Gateway) Stop() {
	g.t.Helper()
	g.Signal(Terminate)
	if status := g.Status(); status != 0 {
		g.t.Errorf("farwire serve ended with status %d; its standard error:\n%s", status, g.Stderr)
	}
}

// WS is the address of a path of the gateway for WebSockets.
func (g *Gateway) WS(path string) string { return "ws://" + g.Addr + path }

// HTTP is the address of a path of the gateway.
func (g *Gateway) HTTP(path string) string { return "http://" + g.Addr + path }

// hasKeys reports whether the operator gave keys, so that none is made.
func hasKeys(cmd *exec.Cmd) bool {
	given := func(s string) bool {
		return strings.HasPrefix(s, "--api-keys") || strings.HasPrefix(s, "FARWIRE_API_KEYS=")
	}
	return slices.ContainsFunc(cmd.Args, given) || slices.ContainsFunc(cmd.Env, given)
}
