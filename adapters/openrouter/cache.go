package openrouter

import (
	"container/list"
	"context"
	"sync"
)

// Cache keeps answers by keys, each the SHA-256 of what was asked in lower-case
// hexadecimal. It is called concurrently. It may forget, and it need not be
// exact: what it gives back is checked as an answer of the model's is.
type Cache interface {
	// Get returns an answer, and false when the key has no answer. An error is
	// logged and counts as no answer.
	Get(ctx context.Context, key string) (answer string, found bool, err error)
	// Put keeps an answer. An error is logged; the answer is used all the same.
	Put(ctx context.Context, key, answer string) error
}

// MemoryCache keeps the answers used last in memory. Make one with Memory.
type MemoryCache struct {
	most int64

	mu    sync.Mutex
	size  int64
	order *list.List // of *remembered, the one used last in front
	at    map[string]*list.Element
}

type remembered struct{ key, answer string }

// Memory returns a Cache of at most so many bytes, which ends with the process. Zero or
// less keeps nothing. It is safe for concurrent use.
func Memory(bytes int64) *MemoryCache {
	return &MemoryCache{most: bytes, order: list.New(), at: map[string]*list.Element{}}
}

// Get implements Cache. It returns no error.
func (c *MemoryCache) Get(_ context.Context, key string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.at[key]
	if !ok {
		return "", false, nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*remembered).answer, true, nil
}

// Put implements Cache. It returns no error. An answer larger than the cache
// is not kept.
func (c *MemoryCache) Put(_ context.Context, key, answer string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.at[key]; ok {
		c.drop(e)
	}
	r := &remembered{key, answer}
	if r.size() > c.most {
		return nil
	}
	c.at[key] = c.order.PushFront(r)
	for c.size += r.size(); c.size > c.most; {
		c.drop(c.order.Back())
	}
	return nil
}

func (c *MemoryCache) drop(e *list.Element) {
	r := c.order.Remove(e).(*remembered)
	delete(c.at, r.key)
	c.size -= r.size()
}

// size counts what the list and the map cost, too.
func (r *remembered) size() int64 { return int64(len(r.key) + len(r.answer) + 200) }
