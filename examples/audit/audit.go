// Package audit keeps a record, for each of a host's customers, of what was reached
// through a gateway that serves the path form and the forward proxy.
package audit

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/farwire/farwire"
)

// region log

// An Entry is one session that has ended.
type Entry struct {
	Who    string // within the tenant
	Kind   farwire.Kind
	Target string // host and port; what a tunnel carries cannot be looked into
	Agent  string
	Code   int // HTTP status, 0 of a SOCKS tunnel
	Bytes  int64
}

// An AuditLog keeps entries by tenant. A subject is TENANT/PERSON.
type AuditLog struct {
	mu sync.Mutex
	of map[string][]Entry
}

// Trace is for farwire.Options. Its function is called at the end of every session, of any kind.
func (l *AuditLog) Trace() *farwire.Trace {
	return &farwire.Trace{SessionEnd: func(_ context.Context, s farwire.SessionInfo, r farwire.SessionResult) {
		tenant, who, _ := strings.Cut(s.Subject, "/")
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.of == nil {
			l.of = make(map[string][]Entry)
		}
		l.of[tenant] = append(l.of[tenant], Entry{who, s.Kind, r.Target, r.Agent, r.Code, r.BytesToTarget + r.BytesToClient})
	}}
}

// Of returns the entries of a tenant.
func (l *AuditLog) Of(tenant string) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.of[tenant]...)
}

// Handler serves the path form and the forward proxy on one port.
func Handler(gw *farwire.Gateway) http.Handler {
	path, none := gw.PathForm(), gw.NotFound()
	return gw.ForwardProxy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if farwire.IsPathForm(r) {
			path.ServeHTTP(w, r)
			return
		}
		none.ServeHTTP(w, r)
	}))
}

// endregion
