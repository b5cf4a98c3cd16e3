// Package share divides what all crawls of a process have together: cores to
// read pages on, and memory to hold them in.
package share

import (
	"context"
	"runtime"
	"sync"
)

// What a process has for all its crawls. Memory is counted in pages of two
// sizes, so that a caller that holds a small one and needs a large one never waits
// for somebody who waits for him:
//
//	256 bodies of at most SmallBody          64 MiB
//	  4 larger ones, as sent                 32 MiB
//	  1 larger one being read               128 MiB
//	128 pieces of whole texts, packed        32 MiB
//
// What was read of pages is kept until the crawl ends, in 512 pieces (256 MiB). A crawl
// takes one for each page that it is about to ask for, before it takes a body, and
// goes on with fewer pages at a time, or ends, when no piece is free.
//
// Of site maps and robots.txt that are larger than SmallBody there are four, as sent
// (40 MiB), which no page waits for. Of crawls that read their site maps, which hold five
// small ones at once, there are 64 (80 MiB).
//
// A core is kept for what else the process does. Cores count, not GOMAXPROCS,
// which may be higher: what reads pages must leave room for what does not.
var (
	Cores      = NewPool(max(1, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))-1))
	Bodies     = NewPool(256)
	LargeBody  = NewPool(4)
	LargePages = NewPool(1)
	LargeFiles = NewPool(4)
	SiteMaps   = NewPool(64)
	Texts      = NewPool(textPieces)
	Results    = newPool(resultPieces, resultPieces/2)
)

const (
	textPieces   = 128
	resultPieces = 512
)

// ResultPiece is how many bytes of what was read of pages one of Results stands for, and
// what one page takes at most. Half of them is what an owner may hold.
const ResultPiece = 512 << 10

// TextPiece is how many bytes of packed texts one of Texts stands for.
const TextPiece = 256 << 10

// TextsOfOne is how many of Texts an owner may hold.
const TextsOfOne = textPieces / 2

// SmallBody is how many bytes a body may have that is not a large one.
const SmallBody = 256 << 10

// Pool is a number of equal things that are taken and given back. Of those who
// wait, the owner that holds the fewest is served first.
type Pool struct {
	mu    sync.Mutex
	most  int // of one owner
	free  int
	held  map[any]int // by owner
	lines []waiter    // in the order of arrival
}

type waiter struct {
	owner any
	ready chan struct{}
}

// NewPool returns a pool of n things.
func NewPool(n int) *Pool { return newPool(n, n) }

func newPool(n, most int) *Pool { return &Pool{free: n, most: most, held: map[any]int{}} }

// Try takes one of the things if that needs no wait.
func (p *Pool) Try(owner any) (release func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.take(owner) {
		return nil, false
	}
	return p.release(owner), true
}

// take takes one for an owner, if there is one that it may have. Nobody who waits could
// have it.
func (p *Pool) take(owner any) bool {
	if p.free == 0 || p.held[owner] >= p.most {
		return false
	}
	p.free--
	p.held[owner]++
	return true
}

// Take waits for one of the things and returns what gives it back, which may be
// called more than once.
func (p *Pool) Take(ctx context.Context, owner any) (release func(), err error) {
	p.mu.Lock()
	if p.take(owner) {
		p.mu.Unlock()
		return p.release(owner), nil
	}
	w := waiter{owner, make(chan struct{})}
	p.lines = append(p.lines, w)
	p.mu.Unlock()
	select {
	case <-w.ready:
		return p.release(owner), nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	for i := range p.lines {
		if p.lines[i].ready == w.ready {
			p.lines = append(p.lines[:i], p.lines[i+1:]...)
			p.mu.Unlock()
			return nil, context.Cause(ctx)
		}
	}
	p.mu.Unlock() // it was served meanwhile
	p.release(owner)()
	return nil, context.Cause(ctx)
}

func (p *Pool) release(owner any) func() {
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.held[owner]--; p.held[owner] == 0 {
			delete(p.held, owner)
		}
		p.free++
		next := -1
		for i, w := range p.lines {
			if p.held[w.owner] < p.most && (next < 0 || p.held[w.owner] < p.held[p.lines[next].owner]) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := p.lines[next]
		p.lines = append(p.lines[:next], p.lines[next+1:]...)
		p.take(w.owner)
		close(w.ready)
	})
}

// Held is how many of the things an owner has.
func (p *Pool) Held(owner any) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[owner]
}

// Busy reports whether somebody waits.
func (p *Pool) Busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines) > 0
}
