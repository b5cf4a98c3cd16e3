// Package bounded holds a map that does not grow for ever: from time
// to time it drops what is idle.
package bounded

import (
	"cmp"
	"container/list"
	"iter"
)

// defaultLeast is how many entries a Map holds before it looks for idle ones.
const defaultLeast = 1024

// A Map drops its idle entries when it has grown to twice as many as were left the last
// time. The zero Map is empty and ready for use. It is not safe for concurrent use: who
// has one locks it, and what its entries hold, together.
type Map[K comparable, V any] struct {
	// Least is how many entries are kept without a look for idle ones. Zero: 1024.
	Least int

	// Most is how many entries are kept at most; when none is idle then, the one that was
	// added first is dropped for the next. Zero: any number. It is set before the first Set.
	Most int

	of    map[K]V
	sweep int // look for idle ones when the map has grown to this
	added int // since the last look

	// With Most alone: the keys, the one that was added first at the front.
	order list.List
	place map[K]*list.Element
}

// Get returns the value of a key; the zero value, when it is not there.
func (m *Map[K, V]) Get(key K) V { return m.of[key] }

// Set puts a value in place. Before it adds a key it drops, when it is time, all entries
// for which idle returns true.
func (m *Map[K, V]) Set(key K, value V, idle func(K, V) bool) {
	if m.of == nil {
		m.of, m.place = make(map[K]V), make(map[K]*list.Element)
	}
	if _, there := m.of[key]; there {
		m.of[key] = value
		return
	}
	m.added++
	// A full map is looked through once in as many additions as it holds entries.
	if len(m.of) >= max(m.sweep, cmp.Or(m.Least, defaultLeast)) || m.full() && m.added > m.Most {
		m.drop(idle)
	}
	if first := m.order.Front(); first != nil && m.full() {
		m.Delete(first.Value.(K))
	}
	m.of[key] = value
	if m.Most > 0 {
		m.place[key] = m.order.PushBack(key)
	}
}

func (m *Map[K, V]) full() bool { return m.Most > 0 && len(m.of) >= m.Most }

func (m *Map[K, V]) drop(idle func(K, V) bool) {
	for key, value := range m.of {
		if idle(key, value) {
			m.Delete(key)
		}
	}
	m.sweep, m.added = 2*len(m.of), 0
}

// Delete removes a key.
func (m *Map[K, V]) Delete(key K) {
	delete(m.of, key)
	if e := m.place[key]; e != nil {
		m.order.Remove(e)
		delete(m.place, key)
	}
}

// Len returns the number of entries.
func (m *Map[K, V]) Len() int { return len(m.of) }

// All returns the entries, in no order. The loop may delete.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for key, value := range m.of {
			if !yield(key, value) {
				return
			}
		}
	}
}
