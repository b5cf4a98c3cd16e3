package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// register puts a link into use, in the place of those that it replaces: an
// older one of the same instance, which has lost its other end, and other
// agents of a slug that is exclusive. Of two links of one instance the one with the
// higher number stays, whichever comes here first: the agent decides by it too.
func (p *Pool) register(l *link) error {
	l.since = time.Now()
	p.mu.Lock()
	if p.draining {
		p.mu.Unlock()
		l.bye(codeShutdown, "gateway is shutting down")
		return errors.New("gateway is shutting down")
	}
	// What was true of the hello need not be any more.
	if reason := p.refuses(l.who, l.exit.Slug); reason != "" {
		p.mu.Unlock()
		l.bye(codeIdentity, reason)
		return errors.New(reason)
	}
	exclusive := p.exclusive(l.exit.Slug)
	var replaced []*link
	for _, e := range p.entries {
		if e.own != nil || !strings.EqualFold(e.exit.Slug, l.exit.Slug) {
			continue
		}
		for _, old := range e.links {
			if old.instance == l.instance && old.number > l.number {
				p.mu.Unlock()
				l.bye(codeDuplicate, newerLink)
				return fmt.Errorf("%w: agent %q", errDuplicate, l.exit.Slug)
			}
			if exclusive || old.instance == l.instance {
				replaced = append(replaced, old)
			}
		}
	}
	home := p.remote(l.exit)
	home.links = append(home.links, l)
	p.health.attached(home.exit.Key())
	p.announce()
	p.mu.Unlock()
	p.clusterChanged()

	for _, old := range replaced {
		if old.instance == l.instance {
			p.wg.Go(func() { old.bye(codeDuplicate, newerLink); old.leave() })
		} else {
			p.wg.Go(func() { old.bye(codeReplaced, "another agent has attached with the exclusive slug "+l.exit.Slug) })
		}
	}
	return nil
}

const newerLink = "a newer link of the same agent is in use"

// servedByAnother reports whether an agent that was replaced would replace
// another in turn.
func (p *Pool) servedByAnother(slug, instance string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exclusive(slug) && slices.ContainsFunc(p.entries, func(e *entry) bool {
		return strings.EqualFold(e.exit.Slug, slug) && (slices.ContainsFunc(e.links, func(l *link) bool {
			return l.instance != instance && !l.draining.Load()
		}) || slices.ContainsFunc(e.remote, func(l *remoteLink) bool { return l.Instance != instance && l.takes(Rules{}) }))
	})
}

func (p *Pool) unregister(l *link) {
	defer p.clusterChanged()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		if at := slices.Index(e.links, l); at >= 0 {
			e.links = slices.Delete(e.links, at, at+1)
			p.dropEmpty(e)
			return
		}
	}
}

// dismiss ends links now, and cuts what goes through them. The caller holds mu.
func (p *Pool) dismiss(links []*link, reason string) {
	for _, l := range links {
		l.drain() // nothing new goes through it from now on
		p.wg.Go(func() {
			late := time.AfterFunc(dismissTimeout, func() { l.mux.Close() })
			defer late.Stop()
			l.bye(codeIdentity, reason)
			l.leave()
		})
	}
}

// dismissTimeout is how long an agent that loses its links has to close them.
const dismissTimeout = 500 * time.Millisecond

// idle waits until nothing goes through the link any more, and reports whether
// that came before the end of ctx.
func (l *link) idle(ctx context.Context) bool {
	for l.sessions.Load() > 0 {
		select {
		case <-l.quiet:
		case <-l.mux.CloseChan():
			return l.sessions.Load() == 0
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// leave ends the link. Closing would drop what is still queued to leave, and what the
// agent has not read yet, so the agent is asked to: the question is behind all of it.
func (l *link) leave() {
	defer l.mux.Close()
	if l.sendControl(control{Type: ctlLeave}) != nil {
		return
	}
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-l.mux.CloseChan():
	case <-timer.C:
	}
}
