package agent_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A hostileGateway is the other end of an agent's link. It notes how the agent ends
// streams, and what it answers.
type hostileGateway struct {
	net.Conn
	mu      sync.Mutex
	resets  map[uint32]bool
	answers map[uint32]string
}

// newHostileGateway has an agent link to it that holds no more than the limits.
func newHostileGateway(t *testing.T, wg *sync.WaitGroup, silent, opening int, bytes int64, open func(context.Context, string) (net.Conn, error)) *hostileGateway {
	t.Helper()
	return newHostileGateways(t, wg, 1, agent.WithInflow(context.Background(), silent, opening, bytes), open)[0]
}

// newHostileGateways has one agent link to several.
func newHostileGateways(t *testing.T, wg *sync.WaitGroup, n int, limits context.Context, open func(context.Context, string) (net.Conn, error)) (list []*hostileGateway) {
	t.Helper()
	return newHostileGatewaysFor(t, wg, n, 0, limits, open)
}

// newHostileGatewaysFor has the agent carry so many sessions at most.
func newHostileGatewaysFor(t *testing.T, wg *sync.WaitGroup, n, sessions int, limits context.Context, open func(context.Context, string) (net.Conn, error)) (list []*hostileGateway) {
	t.Helper()
	o := agent.RunOptions{Gateways: []string{"http://gw"}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet, AllowPrivate: true, AllowCleartext: true, DrainTimeout: -1, MaxSessions: sessions}
	var its []net.Conn
	for range n {
		mine, other := net.Pipe()
		list, its = append(list, &hostileGateway{Conn: mine, resets: map[uint32]bool{}, answers: map[uint32]string{}}), append(its, other)
	}
	wg.Go(func() { agent.JoinConns(limits, o, open, its...) })
	for i, g := range list {
		receive(t, g)
		send(g, fmt.Sprintf(`{"version":1,"gateway":"g%d","link":1,"id":"farwire-de1","slug":"de1","country":"DE"}`, i))
		wg.Go(g.read)
	}
	return list
}

// read notes what the agent sends.
func (g *hostileGateway) read() {
	head := make([]byte, 12)
	for {
		if _, err := io.ReadFull(g, head); err != nil {
			return
		}
		flags, stream, length := binary.BigEndian.Uint16(head[2:]), binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
		g.mu.Lock()
		if flags&rst != 0 {
			g.resets[stream] = true
		}
		if head[1] == data && length > 0 {
			body := make([]byte, length)
			if _, err := io.ReadFull(g, body); err == nil {
				g.answers[stream] += string(body)
			}
		}
		g.mu.Unlock()
	}
}

func (g *hostileGateway) counts(contains string) (resets, answers int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.answers {
		if strings.Contains(a, contains) {
			answers++
		}
	}
	return len(g.resets), answers
}

func (g *hostileGateway) write(frames ...string) { io.WriteString(g, strings.Join(frames, "")) }

// dialFrames are those of a request, with what follows it.
func dialFrames(stream uint32, behind string) string {
	m := message(`{"op":"dial","network":"tcp","addr":"127.0.0.1:1","timeout_ms":60000}`) + behind
	return frame(window, syn, stream, 0, "") + frame(data, 0, stream, uint32(len(m)), m)
}

// stalled is a target that takes nothing until the test ends.
func stalled(ended <-chan struct{}) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { <-ended; far.Close() }()
		return near, nil
	}
}

// A gateway opens streams and says nothing on them, or the beginning of a request. The
// agent keeps no more than it may, resets the others at once, and still serves.
func TestAgent_StreamsWithoutARequest_AreBounded(t *testing.T) {
	for name, said := range map[string]string{"nothing": "", "half a length": "\x01", "half a request": "\x20\x00" + strings.Repeat(" ", 100)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const streams, most = 10_000, 100
				var wg sync.WaitGroup
				g := newHostileGateway(t, &wg, most, most, 1<<30, func(context.Context, string) (net.Conn, error) {
					near, far := net.Pipe()
					far.Close()
					return near, nil
				})
				for id := uint32(1); id < 2*streams; id += 2 {
					g.write(frame(window, syn, id, 0, ""))
					if said != "" {
						g.write(frame(data, 0, id, uint32(len(said)), said))
					}
				}
				synctest.Wait()
				if resets, _ := g.counts(""); resets < streams-2*most {
					t.Errorf("%d of %d silent streams are reset, want all but %d", resets, streams, most)
				}
				time.Sleep(12 * time.Second) // those that were kept have had their time
				g.write(dialFrames(2*streams+1, ""))
				synctest.Wait()
				if _, answers := g.counts(`"remote"`); answers != 1 {
					t.Errorf("a request afterwards is not answered: %v", g.answers)
				}
				g.Close()
				wg.Wait()
			})
		})
	}
}

// Dials and look-ups that take their time are no more at a time than may be; the others
// are refused, so that a gateway takes another agent for them.
func TestAgent_DialsUnderWay_AreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, most = 1000, 50
		var wg sync.WaitGroup
		ended := make(chan struct{})
		g := newHostileGateway(t, &wg, streams, most, 1<<30, func(ctx context.Context, _ string) (net.Conn, error) {
			select {
			case <-ctx.Done():
			case <-ended:
			}
			return nil, fmt.Errorf("no answer: %w", context.Cause(ctx))
		})
		for id := uint32(1); id < 2*streams; id += 2 {
			g.write(dialFrames(id, ""))
		}
		synctest.Wait()
		if _, answers := g.counts("overloaded"); answers != streams-most {
			t.Errorf("%d of %d dials are refused, want %d", answers, streams, streams-most)
		}
		close(ended)
		g.Close()
		wg.Wait()
	})
}

// Whatever a gateway sends for targets that take nothing, also right behind the request and
// byte by byte, the agent holds no more of it than it may.
func TestAgent_BytesForStalledTargets_AreBounded(t *testing.T) {
	const streams, most = 64, 512 << 10
	for name, flood := range map[string]func(g *hostileGateway, id uint32){
		"large frames": func(g *hostileGateway, id uint32) {
			g.write(dialFrames(id, ""))
			for range 3 {
				g.write(frame(data, 0, id, 64<<10, strings.Repeat("x", 64<<10)))
			}
		},
		"with the request": func(g *hostileGateway, id uint32) { g.write(dialFrames(id, strings.Repeat("x", 200<<10))) },
		"single bytes": func(g *hostileGateway, id uint32) {
			g.write(dialFrames(id, ""))
			g.write(strings.Repeat(frame(data, 0, id, 1, "x"), 4000))
		},
		"without a request": func(g *hostileGateway, id uint32) {
			g.write(frame(window, syn, id, 0, ""), frame(data, 0, id, 2, "\x40\x00"))
			g.write(frame(data, 0, id, 16000, strings.Repeat(" ", 16000)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wg sync.WaitGroup
				ended := make(chan struct{})
				g := newHostileGateway(t, &wg, streams, streams, most, stalled(ended))
				for id := uint32(1); id < 2*streams; id += 2 {
					flood(g, id)
				}
				synctest.Wait()
				resets, _ := g.counts("")
				kept := streams - resets
				t.Logf("%d streams are kept", kept)
				cost := map[string]int{"large frames": 192 << 10, "with the request": 200 << 10, "single bytes": 4000 * 48, "without a request": 16000}[name]
				if kept*cost > most+cost {
					t.Errorf("%d streams are kept, which hold %d bytes; at most %d may be held", kept, kept*cost, most)
				}
				if want := min(streams, most/cost-2); kept < want {
					t.Errorf("%d streams are kept, want at least %d", kept, want)
				}
				close(ended)
				g.Close()
				wg.Wait()
			})
		})
	}
}

// One link may have all dials under way while the others have none. What it uses up costs
// another nothing of its share.
func TestAgent_LinksShareDials_NobodyUsesUpAnothersShare(t *testing.T) {
	const most = 12
	links := agent.NewDialLinks(3, most)
	var wg sync.WaitGroup
	over := make(chan struct{})
	hold := func(l agent.DialLink) bool {
		begun := make(chan bool, 1)
		wg.Go(func() {
			if l.Dial(func() { begun <- true; <-over }) != nil {
				begun <- false
			}
		})
		return <-begun
	}
	holdAll := func(l agent.DialLink) (n int) {
		for hold(l) {
			n++
		}
		return n
	}
	if n := holdAll(links[0]); n != most {
		t.Errorf("one link alone has %d dials, want %d", n, most)
	}
	if n := holdAll(links[1]); n != most/3 {
		t.Errorf("the second has %d beside it, want its share of %d", n, most/3)
	}
	close(over)
	wg.Wait()
	over = make(chan struct{})
	if n := holdAll(links[2]); n != most {
		t.Errorf("the third has %d when they are over, want %d", n, most)
	}
	close(over)
	wg.Wait()
}

// An agent goes on for as long as targets take what comes: requests and bytes that were passed
// on count no more, however many sessions are open.
func TestAgent_BytesThatTargetsTake_AreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, most, each = 100, 10_000, 1000
		var wg sync.WaitGroup
		var taken atomic.Int64
		ended := make(chan struct{})
		g := newHostileGateway(t, &wg, streams, streams, most, func(context.Context, string) (net.Conn, error) {
			near, far := net.Pipe()
			wg.Go(func() {
				for buf := make([]byte, each); ; {
					n, err := far.Read(buf)
					if taken.Add(int64(n)); err != nil {
						return
					}
				}
			})
			wg.Go(func() { <-ended; far.Close() })
			return near, nil
		})
		for id := uint32(1); id < 2*streams; id += 2 {
			g.write(dialFrames(id, ""))
			synctest.Wait()
			g.write(frame(data, 0, id, each, strings.Repeat("x", each)))
			synctest.Wait()
		}
		if resets, answers := g.counts(`"remote"`); resets != 0 || answers != streams || taken.Load() != streams*each {
			t.Errorf("%d sessions of %d began, %d were reset, targets got %d bytes of %d", answers, streams, resets, taken.Load(), streams*each)
		}
		close(ended)
		g.Close()
		wg.Wait()
	})
}

// A gateway that opens streams and reads nothing is taken for lost. Until then it cannot have
// more kept than others, though nobody has its streams, and nobody waits for longer.
func TestAgent_GatewayReadsNothing_LosesTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, most, each = 2000, 512 << 10, 64 << 10
		mine, its := net.Pipe()
		var wg sync.WaitGroup
		o := agent.RunOptions{Gateways: []string{"http://gw"}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet, AllowPrivate: true, AllowCleartext: true, DrainTimeout: -1}
		over := false
		wg.Go(func() {
			agent.JoinConn(agent.WithInflow(context.Background(), 1<<20, 1<<20, most), o, its, nil)
			over = true
		})
		receive(t, mine)
		send(mine, `{"version":1,"gateway":"g","link":1,"id":"farwire-de1","slug":"de1","country":"DE"}`)
		taken := 0
		wg.Go(func() {
			for id := uint32(1); id < 2*streams; id += 2 {
				io.WriteString(mine, frame(window, syn, id, 0, ""))
			}
			// Those that were opened last wait to be accepted, as answers to the others wait to leave.
			for id := uint32(2*streams - 1); id > streams; id -= 2 {
				n, err := io.WriteString(mine, frame(data, 0, id, each, strings.Repeat("x", each)))
				if taken += n; err != nil {
					return
				}
			}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if !over {
			t.Error("the link is not over")
		}
		if taken > most+2*each {
			t.Errorf("%d bytes were taken, at most %d may be held", taken, most)
		}
		mine.Close()
		wg.Wait()
	})
}

// A stream that the gateway ends while its session begins is read to its end, not waited for.
func TestAgent_StreamEndsBeforeItsSession_IsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resumed := false
		agent.PauseAfterEnd(func() { resumed = true })
		synctest.Wait()
		if !resumed {
			t.Error("its reader pauses for good")
		}
	})
}
