package farwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"unsafe"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hosting"
	"github.com/farwire/farwire/internal/wsframe"
)

// SessionSize is how many bytes a session has.
const SessionSize = unsafe.Sizeof(session{})

// refusal returns the error as the client sees it. One that is not the client's
// own fault has no business in a parser.
func refusal(err error) error {
	if !fault.Is(err, fault.BadRequest) {
		panic(fmt.Sprintf("refused for no reason of the client's: %v", err))
	}
	return errors.New(public(err).Text)
}

// SetDescriptors has the gateway believe how many descriptors there are.
func (g *Gateway) SetDescriptors(f func() (open, most int)) { g.descriptors = f }

// Hosted is what a gateway keeps of a caller's crawls.
func (g *Gateway) Hosted() (crawls int, bytes int64) {
	return g.hosted.most.Crawls, g.hosted.most.Bytes
}

// SetHosted has the gateway keep less of a caller's crawls.
func (g *Gateway) SetHosted(crawls int, bytes int64) {
	g.hosted.most = hosting.Limits{Crawls: crawls, Bytes: bytes}
}

// SessionKeys is how many keys have sessions that their revocation would end.
func (g *Gateway) SessionKeys() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.ofKey)
}

// RunSessions has one session run for each key, which carries nothing. Ended counts those
// that are told to end for their key; end ends them all.
func (g *Gateway) RunSessions(keyIDs []string) (ended func() int, end func(), err error) {
	list := make([]*session, len(keyIDs))
	for i, id := range keyIDs {
		if list[i], err = g.enter(context.Background(), KindRelay); err != nil {
			return nil, nil, err
		}
		list[i].begin(Principal{Subject: "alice", KeyID: id})
	}
	ended = func() (n int) {
		for _, s := range list {
			if errors.Is(context.Cause(s.ctx), errKeyRevoked) {
				n++
			}
		}
		return n
	}
	end = func() {
		for _, s := range list {
			s.end(SessionResult{})
		}
	}
	return ended, end, nil
}

// toldCarrier notes what it is told.
type toldCarrier struct{ told []string }

func (c *toldCarrier) Shutdown(cause error) { c.told = append(c.told, "shutdown: "+cause.Error()) }
func (c *toldCarrier) Abort()               { c.told = append(c.told, "abort") }
func (c *toldCarrier) Counters() Counters   { return Counters{} }

// CarryAfter has a session run, calls what happens to the gateway, and returns what a carrier
// is told that takes the session over then.
func (g *Gateway) CarryAfter(happens func()) (told []string, err error) {
	s, err := g.enter(context.Background(), KindTunnel)
	if err != nil {
		return nil, err
	}
	defer s.end(SessionResult{})
	happens()
	var c toldCarrier
	s.carry(&c)
	return c.told, nil
}

// HandOverAfter has a relay's session run, calls what happens to the gateway, and hands the
// session to a pipe between two connections then. ended is closed at the pipe's end.
func (g *Gateway) HandOverAfter(happens func(), client, target net.Conn) (ended <-chan struct{}, err error) {
	s, err := g.enter(context.Background(), KindRelay)
	if err != nil {
		return nil, err
	}
	happens()
	pipe := wsframe.New(wsframe.Config{Client: client, Target: target, CloseWait: closeTimeout})
	s.handOver(pipe)
	done := make(chan struct{})
	pipe.Start(func(wsframe.Result) {
		s.end(SessionResult{})
		close(done)
	})
	return done, nil
}
