package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// BenchmarkServe_FirstRelay starts farwire serve, as a release is built, and kills it
// when the first relay has brought a message there and back. It gives the CPU that the
// process took by then, user and system, and the size of the program.
func BenchmarkServe_FirstRelay(b *testing.B) {
	path := filepath.Join(b.TempDir(), "farwire")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	target := harness.Target(b, harness.Echo)
	var took []float64
	for b.Loop() {
		cmd := exec.Command(path, "serve", "--listen", "127.0.0.1:0", "--allow-private")
		cmd.Env, cmd.Dir = harness.Environ(), b.TempDir()
		g := harness.StartGateway(b, cmd)
		firstRelay(b, g, target)
		g.Kill()
		took = append(took, float64((cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Microseconds())/1000)
	}
	slices.Sort(took)
	b.ReportMetric(took[0], "cpu-ms/best")
	b.ReportMetric(took[len(took)/2], "cpu-ms/median")
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	b.ReportMetric(0, "ns/op") // wall clock says little beside others
}

// firstRelay relays a message to the target and back.
func firstRelay(b *testing.B, g *harness.Gateway, target string) {
	b.Helper()
	c, _, err := websocket.Dial(b.Context(), g.WS("/ws"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer c.CloseNow()
	ask := `{"apiKey":"` + g.Key + `","url":"` + target + `"}`
	if err := c.Write(b.Context(), websocket.MessageText, []byte(ask)); err != nil {
		b.Fatal(err)
	}
	if _, m, err := c.Read(b.Context()); err != nil {
		b.Fatalf("%s, %v", m, err) // what connected
	}
	if err := c.Write(b.Context(), websocket.MessageText, []byte("hello")); err != nil {
		b.Fatal(err)
	}
	if _, m, err := c.Read(b.Context()); err != nil || string(m) != "hello" {
		b.Fatalf("%s, %v", m, err)
	}
}
