// Package own shows how little a host writes to put its own parts behind a
// gateway: who may call, which agent is taken, what is counted and where files
// go.
package own

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// region authenticator

// Directory knows the host's customers by their keys.
type Directory struct {
	ByKey map[string]farwire.Principal
}

// Authenticate says whose key it is.
func (d *Directory) Authenticate(_ context.Context, c farwire.Credentials) (farwire.Principal, error) {
	p, ok := d.ByKey[c.Key]
	if !ok {
		return farwire.Principal{}, farwire.ErrUnauthorized
	}
	return p, nil
}

// Lookup is asked at every use of a token, so that a key that is taken out of
// the directory ends its tokens at once.
func (d *Directory) Lookup(_ context.Context, keyID string) (farwire.Principal, error) {
	for _, p := range d.ByKey {
		if p.KeyID == keyID {
			return p, nil
		}
	}
	return farwire.Principal{}, farwire.ErrUnauthorized
}

// endregion

// region selector

// Plans sends customers through the agents that their plan has.
type Plans struct {
	Pool *agent.Pool
	Of   map[string][]string // subject to slugs; a subject without an entry may take any
}

// SelectAgent narrows what the caller asked for and never widens it.
func (p *Plans) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	if plan, ok := p.Of[q.Subject]; ok {
		if q.Slugs = within(plan, q.Slugs); len(q.Slugs) == 0 {
			return agent.Exit{}, agent.ErrNoAgent // an empty list would ask for any
		}
	}
	return p.Pool.SelectAgent(ctx, q)
}

// within returns those agents of a plan that were asked for, all of them where none was.
func within(plan, asked []string) (slugs []string) {
	for _, slug := range plan {
		same := func(a string) bool { return strings.EqualFold(a, slug) }
		if len(asked) == 0 || slices.ContainsFunc(asked, same) {
			slugs = append(slugs, slug)
		}
	}
	return slugs
}

// Agents lets GET /network list them.
func (p *Plans) Agents() []agent.Info { return p.Pool.Agents() }

// endregion

// region limiter

// Quotas counts requests down. A host that sells requests has such a limiter.
type Quotas struct {
	mu   sync.Mutex
	Left map[string]int // by subject
}

// Take lets a request pass while there are any left. One of the path form or the
// forward proxy, of farwire.BucketHTTP, costs what the others do.
func (q *Quotas) Take(_ context.Context, p farwire.Principal, _ farwire.Bucket) (farwire.Quota, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Left[p.Subject] == 0 {
		return farwire.Quota{RetryAfter: 3600e9}, nil // an hour
	}
	q.Left[p.Subject]--
	return farwire.Quota{Limit: -1, Remaining: q.Left[p.Subject]}, nil
}

// endregion

// region storage

// MemoryStorage keeps finished files in memory.
type MemoryStorage struct {
	mu    sync.Mutex
	files map[string]farwire.File
}

// Save keeps a file unless a newer version is there already.
func (s *MemoryStorage) Save(_ context.Context, f farwire.File) (url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Version != 0 && s.files[f.Name].Version > f.Version {
		return "", fmt.Errorf("%s: %w", f.Name, farwire.ErrStale)
	}
	if s.files == nil {
		s.files = make(map[string]farwire.File)
	}
	s.files[f.Name] = f
	return "https://files.example.com/" + f.Name, nil
}

// endregion

// region allow

// Permit refuses what the contract with a customer leaves out. A Refusal reaches
// the caller as it is; the text of any other error stays in the log.
func Permit(_ context.Context, p farwire.Principal, t farwire.Target) error {
	if t.Kind == farwire.KindCrawl && t.Port != 80 && t.Port != 443 {
		return &farwire.Refusal{Code: "port_not_sold", Message: "crawls are for sites on the ports 80 and 443"}
	}
	return nil
}

// endregion

// region options

// New puts them behind a gateway.
func New(d *Directory, p *Plans, q *Quotas, s *MemoryStorage) (*farwire.Gateway, error) {
	return farwire.New(farwire.Options{Auth: d, Agents: p, Limiter: q, Storage: s, Allow: Permit})
}

// endregion
