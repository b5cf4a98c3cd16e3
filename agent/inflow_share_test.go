package agent_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// What an agent holds of all its links is what docs/security.md says.
func TestAgent_Bounds_AreThoseOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	silent, opening, bytes, buffer := agent.UsualInflow()
	for _, want := range []string{
		fmt.Sprintf("an agent keeps %d streams that have not yet said what they want", silent),
		fmt.Sprintf("it has %d dials and look-ups under way", opening),
		fmt.Sprintf("it holds %d MiB of bytes that targets do not take", bytes>>20),
		fmt.Sprintf("beside %d KiB for each session that waits for its target", (buffer+1023)>>10),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/security.md does not say %q", want)
		}
	}
}

// One link may have all streams that say nothing while the others have none. What it uses up
// costs another nothing of its share.
func TestAgent_LinksShareSilentStreams_NobodyUsesUpAnothersShare(t *testing.T) {
	for links := 2; links <= 4; links++ {
		t.Run(fmt.Sprint(links), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const streams, most = 600, 120
				var wg sync.WaitGroup
				all := newHostileGateways(t, &wg, links, agent.WithInflow(context.Background(), most, most, 1<<30), nil)
				for i, g := range all[:2] {
					for id := uint32(1); id < 2*streams; id += 2 {
						g.write(frame(window, syn, id, 0, ""))
					}
					synctest.Wait()
					resets, _ := g.counts("")
					if want := []int{most, most / links}[i]; streams-resets < want || streams-resets > want+1 {
						t.Errorf("link %d of %d keeps %d streams, want %d", i+1, links, streams-resets, want)
					}
				}
				for _, g := range all {
					g.Close()
				}
				wg.Wait()
			})
		})
	}
}

// Where too many bytes wait for targets, the session that holds the most is cut, of the link
// that holds the most, and no other.
func TestAgent_TooManyBytesWait_LargestOfTheLargestLinkIsCut(t *testing.T) {
	type stream struct{ link, size int } // KiB
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wg sync.WaitGroup
				ended := make(chan struct{})
				all := newHostileGateways(t, &wg, 2, agent.WithInflow(context.Background(), 100, 100, 640<<10), stalled(ended))
				streams := []stream{{0, 176}, {0, 36}, {0, 46}, {1, 106}, {1, 96}, {1, 86}, {1, 76}}
				ids := map[int]uint32{}
				order := rand.New(rand.NewPCG(seed, 1)).Perm(len(streams))
				grow := func(i, size int) {
					for size *= 1 << 10; size > 0; size -= 64 << 10 {
						n := min(size, 64<<10)
						all[streams[i].link].write(frame(data, 0, ids[i], uint32(n), strings.Repeat("x", n)))
					}
					synctest.Wait()
				}
				for n, i := range order {
					ids[i] = uint32(2*n + 1)
					// With the first byte the session waits for its target, and takes no others.
					all[streams[i].link].write(dialFrames(ids[i], "x"))
					synctest.Wait()
					grow(i, streams[i].size)
				}
				var want []int
				for _, step := range []struct {
					stream, grows int
					cut           int // -1: none
				}{
					{1, 1, -1}, // of 640 KiB are held 258 + 364
					{1, 19, 3}, // the second link holds the most, the first the largest session
					{2, 110, 0},
					{6, 100, -1},
					{5, 80, 6},
				} {
					grow(step.stream, step.grows)
					if step.cut >= 0 {
						want = append(want, step.cut)
					}
					var cut []int
					for i, s := range streams {
						g := all[s.link]
						g.mu.Lock()
						if g.resets[ids[i]] {
							cut = append(cut, i)
						}
						g.mu.Unlock()
					}
					slices.Sort(want)
					if !slices.Equal(cut, want) {
						t.Errorf("after %d KiB more for %v: %v are cut, want %v", step.grows, streams[step.stream], cut, want)
					}
				}
				close(ended)
				for _, g := range all {
					g.Close()
				}
				wg.Wait()
			})
		})
	}
}

// The agent holds nothing of a stream that has ended, in whatever way and however many ended
// before it.
func TestAgent_StreamsEnded_HoldNothing(t *testing.T) {
	request := func(id uint32, body string) string {
		m := message(body)
		return frame(window, syn, id, 0, "") + frame(data, 0, id, uint32(len(m)), m)
	}
	for name, c := range map[string]struct {
		begin func(id uint32) string
		then  func(id uint32) string // what ends it
		dial  error
		takes int64 // the target, before it closes
	}{
		"dial refused": {begin: func(id uint32) string { return dialFrames(id, "unread") }, dial: io.ErrUnexpectedEOF},
		"dial refused, and reset": {begin: func(id uint32) string { return dialFrames(id, "unread") }, dial: io.ErrUnexpectedEOF,
			then: func(id uint32) string { return frame(window, rst, id, 0, "") }},
		"looked up": {begin: func(id uint32) string {
			return request(id, `{"op":"resolve","addr":"127.0.0.1"}`) + frame(data, 0, id, 1, "x")
		}},
		"unknown":       {begin: func(id uint32) string { return request(id, `{"op":"fly"}`) + frame(data, 0, id, 1, "x") }},
		"not a request": {begin: func(id uint32) string { return request(id, `]`) + frame(data, 0, id, 1, "x") }},
		"silent":        {begin: func(id uint32) string { return frame(window, syn, id, 0, "") + frame(data, 0, id, 1, "x") }},
		"silent, and reset": {begin: func(id uint32) string { return frame(window, syn, id, 0, "") },
			then: func(id uint32) string { return frame(window, rst, id, 0, "") }},
		"ended by the target": {begin: func(id uint32) string { return dialFrames(id, "") },
			then: func(id uint32) string { return frame(window, fin, id, 0, "") }},
		"ended by the gateway": {begin: func(id uint32) string { return dialFrames(id, strings.Repeat("x", 5000)) },
			then: func(id uint32) string { return frame(window, fin, id, 0, "") }, takes: 5000},
		"reset by the gateway": {begin: func(id uint32) string { return dialFrames(id, strings.Repeat("x", 5000)) },
			then: func(id uint32) string { return frame(window, rst, id, 0, "") }, takes: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const streams = 50
				var wg sync.WaitGroup
				var held agent.InflowHeld
				g := newHostileGateways(t, &wg, 1, agent.WithInflowHeld(context.Background(), &held), func(context.Context, string) (net.Conn, error) {
					if c.dial != nil {
						return nil, c.dial
					}
					near, far := net.Pipe()
					wg.Go(func() {
						io.CopyN(io.Discard, far, c.takes)
						far.Close()
					})
					return near, nil
				})[0]
				began := time.Now()
				for id := uint32(1); id < 2*streams; id += 2 {
					g.write(c.begin(id))
					synctest.Wait()
					if c.then != nil {
						g.write(c.then(id))
					}
				}
				time.Sleep(12*time.Second - time.Since(began)) // those that say nothing have had their time
				synctest.Wait()
				if streams, silent, opening, bytes := held.Now(); streams != 0 || silent != 0 || opening != 0 || bytes != 0 {
					t.Errorf("held: %d streams, %d silent, %d dials, %d bytes", streams, silent, opening, bytes)
				}
				g.Close()
				wg.Wait()
			})
		})
	}
}
