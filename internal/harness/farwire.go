package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"
)

// program is the path of the program, built with the race detector when the
// tests have it.
var program = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	tree, err := Tree()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(tree))
	name := "program-" + hex.EncodeToString(sum[:])[:12]
	if raceEnabled {
		name += "-race"
	}
	folder := filepath.Join(cache, "farwire", name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	// The tests of several packages run at once. The first one builds; go build
	// leaves a file alone that is what it would build.
	turn := flock.New(filepath.Join(folder, "lock"))
	if err := turn.Lock(); err != nil {
		return "", err
	}
	defer turn.Close()
	path, built := filepath.Join(folder, "farwire"), filepath.Join(folder, "run")
	// To find that nothing has changed takes go build a second and a half. In one run
	// of scripts/test nothing does.
	run := os.Getenv("HARNESS_RUN")
	if last, err := os.ReadFile(built); err == nil && run != "" && string(last) == run {
		return path, nil
	}
	if err := Build(context.Background(), path, raceEnabled); err != nil {
		return "", err
	}
	return path, os.WriteFile(built, []byte(run), 0o600)
})

// Build builds the program of this tree as path, with the race detector or
// without.
func Build(ctx context.Context, path string, race bool) error {
	tree, err := Tree()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "-race="+strconv.FormatBool(race), "./farwire")
	cmd.Dir = filepath.Join(tree, "cmd")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Tree returns the folder of this repository, the one at or above the working
// directory that holds go.work: go test runs each test in its package's folder.
func Tree() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.work")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("no go.work at or above the working directory")
		}
		folder = parent
	}
}

// Farwire returns a command that runs the program.
func Farwire(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
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
	*TestProcess
	Addr string // host:port
	Key  string // made for this run; empty when --api-keys or --keys-file was given

	secure string // "s" when it speaks TLS itself
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
	g := &Gateway{TestProcess: Start(t, cmd)}
	t.Cleanup(func() {
		select {
		case <-g.Done():
		default:
			g.Stop()
		}
	})
	at := g.Await(g.Stderr, `(?m)(?:^|"msg":")listening on http(s?)://([^\s"]+)`)
	g.secure, g.Addr = at[1], at[2]
	if !hasKeys(cmd) {
		g.Key = g.Await(g.Stderr, `(?m)(?:^|"msg":")API key of this run: ([^\s"]+)`)[1]
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
func (g *Gateway) WS(path string) string { return "ws" + g.secure + "://" + g.Addr + path }

// HTTP is the address of a path of the gateway.
func (g *Gateway) HTTP(path string) string { return "http" + g.secure + "://" + g.Addr + path }

// hasKeys reports whether the operator gave keys, so that none is made.
func hasKeys(cmd *exec.Cmd) bool {
	given := func(s string) bool {
		return strings.HasPrefix(s, "--api-keys") || strings.HasPrefix(s, "FARWIRE_API_KEYS=") || s == "--keys-file" || strings.HasPrefix(s, "FARWIRE_KEYS_FILE=")
	}
	return slices.ContainsFunc(cmd.Args, given) || slices.ContainsFunc(cmd.Env, given)
}
