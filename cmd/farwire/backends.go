package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/preauth"
)

// backends are what a gateway uses outside of this process: services, the other
// gateways of its cluster, and the collector of its traces.
type backends struct {
	*services
	others *cluster // nil: it is alone
	spans  *tracing // nil: none
	log    *slog.Logger
}

// openBackends opens what the environment names, and puts it into o, but for o.Trace.
// address is the gateway's own URL, ln where it listens; nil: nowhere. The caller closes
// them.
func (s *serve) openBackends(ctx context.Context, address string, ln net.Addr, id *identity, own *ownListeners, o *farwire.Options) (_ *backends, err error) {
	b := &backends{log: o.Logger}
	if b.services, err = s.services(ctx, address, o.Name, b.log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.others, err = s.openCluster(id.clusterSecrets, o.Name, ln, b.log); err != nil {
		return nil, err
	}
	if b.spans, err = openTracing(ctx, o.Name, b.log); err != nil {
		return nil, err
	}
	o.Bus, o.Sites, o.Storage, o.Limiter = b.others.bus(), b.sites, b.storage, b.limiter
	o.Crawl.Render, o.Crawl.Enhance = b.browser, b.model
	own.ask(b.browser.Listeners)
	return b, nil
}

// String is one line for people.
func (b *backends) String() string {
	return b.services.String() + b.others.String() + b.spans.String()
}

// close closes them in the reverse order.
func (b *backends) close() {
	b.spans.close()
	b.others.close()
	b.services.close(b.log)
}

// listeners are what serve listens on.
type listeners struct {
	main    net.Listener
	socks   net.Listener // nil: none
	admin   *admin       // nil: none
	unknown *preauth.Guard
}

// openListeners opens those that flags name. own is told of them. The caller closes them.
func (s *serve) openListeners(clientAddr func(*http.Request) netip.Addr, own *ownListeners, log *slog.Logger) (_ *listeners, err error) {
	l := &listeners{}
	if l.main, err = listen("--listen", s.Listen); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	wrong := new(attempts.Counter) // of all listeners
	l.unknown = s.guard(s.trusted, wrong, log)
	if l.admin, err = s.admin(clientAddr, wrong, l.unknown, log); err != nil {
		return nil, err
	}
	if l.socks, err = s.listenSOCKS(); err != nil {
		return nil, err
	}
	own.add(l.main.Addr())
	own.add(l.admin.addr())
	if l.socks != nil {
		own.add(l.socks.Addr())
	}
	return l, nil
}

// addr is where the gateway listens.
func (l *listeners) addr() *net.TCPAddr { return l.main.Addr().(*net.TCPAddr) }

func (l *listeners) close() {
	if l.socks != nil {
		l.socks.Close()
	}
	l.admin.close()
	l.main.Close()
}
