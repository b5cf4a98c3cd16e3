// Package frontier says in which order the addresses of a site are visited.
package frontier

// Queue holds addresses that wait for a number. Those that the base page links
// to come first. Behind them lists take turns, so that none takes the file: a
// list is what one page, or one site map, has below one first segment of a
// path. What was put off comes when nothing else is left.
//
//	base page     /guide/a  /guide/b … | /blog/1 … | /api/x …   in turns
//	then          map /docs | map /blog | page /guide/a, /guide | …   in turns
//	at the end    what was put off, in its order, and what was put off further
//
// The order depends on the calls alone. The zero value is empty. It must not be
// used concurrently.
type Queue[T any] struct {
	first, rest ring[T]
	deferred    [Last + 1][]T
	waiting     int
}

// List is where an address was found.
type List struct {
	Base    bool   // on the base page
	Parent  string // the page or site map
	Segment string // first of its path
}

// maxList is how many addresses of a list wait at a time.
const maxList = 5000

// Put adds an address to a list; false when the list is full.
func (q *Queue[T]) Put(v T, l List) bool {
	r := &q.rest
	if l.Base {
		r = &q.first
	}
	if !r.put(v, l) {
		return false
	}
	q.waiting++
	return true
}

// Late says how far an address is put off.
type Late int

// When an address comes.
const (
	InTurn   Late = iota
	AtTheEnd      // when nothing else is left
	Last          // behind those
)

// Defer adds an address that is put off.
func (q *Queue[T]) Defer(v T, l Late) {
	q.deferred[l] = append(q.deferred[l], v)
	q.waiting++
}

// Deferred is how many addresses wait that were put off so far.
func (q *Queue[T]) Deferred(l Late) int { return len(q.deferred[l]) }

// PeekBase is the address that Base takes.
func (q *Queue[T]) PeekBase() (v T, ok bool) {
	if len(q.first.turns) == 0 {
		return v, false
	}
	return q.first.turns[0].values[0], true
}

// Base takes the next address that the base page links to.
func (q *Queue[T]) Base() (v T, ok bool) {
	v, _, ok = q.first.next(nil)
	if ok {
		q.waiting--
	}
	return v, ok
}

// Next takes the next of the other addresses that are not put off, and says of
// which list it is. Lists that are busy miss their turn.
func (q *Queue[T]) Next(busy func(List) bool) (v T, l List, ok bool) {
	v, l, ok = q.rest.next(busy)
	if ok {
		q.waiting--
	}
	return v, l, ok
}

// NextDeferred takes the next address that was put off, and says how far.
func (q *Queue[T]) NextDeferred() (v T, l Late, ok bool) {
	for l = range Last + 1 {
		if of := q.deferred[l]; len(of) > 0 {
			v, q.deferred[l] = of[0], of[1:]
			q.waiting--
			return v, l, true
		}
	}
	return v, InTurn, false
}

// Len is how many addresses wait.
func (q *Queue[T]) Len() int { return q.waiting }

// ring is lists that take turns.
type ring[T any] struct {
	lists map[List]*list[T]
	turns []*list[T] // those with something in them, the next one first
}

type list[T any] struct {
	key    List
	values []T
}

func (r *ring[T]) put(v T, key List) bool {
	l := r.lists[key]
	if l == nil {
		if r.lists == nil {
			r.lists = map[List]*list[T]{}
		}
		l = &list[T]{key: key}
		r.lists[key] = l
		r.turns = append(r.turns, l)
	}
	if len(l.values) >= maxList {
		return false
	}
	l.values = append(l.values, v)
	return true
}

func (r *ring[T]) next(busy func(List) bool) (v T, key List, ok bool) {
	for i, l := range r.turns {
		if busy != nil && busy(l.key) {
			continue
		}
		r.turns = append(r.turns[:i:i], r.turns[i+1:]...)
		v, l.values = l.values[0], l.values[1:]
		if len(l.values) > 0 {
			r.turns = append(r.turns, l)
		} else {
			delete(r.lists, l.key)
		}
		return v, l.key, true
	}
	return v, key, false
}
