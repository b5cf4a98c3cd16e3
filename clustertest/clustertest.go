// Package clustertest tests whether what joins the gateways of a cluster does what its
// documentation says: an [agent.Directory], a [farwire.Bus] and a [farwire.SlotLimiter].
// A host with one of its own tests it like this:
//
//	func TestBus(t *testing.T) {
//		clustertest.Bus(t, func(t *testing.T) clustertest.OpenBus {
//			url := newServer(t)
//			return func(t *testing.T, gateway string) farwire.Bus { return open(t, url, gateway) }
//		})
//	}
//
// No test fails because something is slow: each waits for as long as it takes, within a
// wide limit.
package clustertest

import (
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// An OpenDirectory returns a directory as one more gateway of the cluster sees it, and
// closes it by t.Cleanup. gateway is the gateway's name. A directory for one process
// returns the same one each time.
type OpenDirectory func(t *testing.T, gateway string) agent.Directory

// An OpenBus joins one more gateway of this name to the bus, and closes what it returns by
// t.Cleanup.
type OpenBus func(t *testing.T, gateway string) farwire.Bus

// An OpenSlots returns the limiter of one more gateway of this name, and closes it by
// t.Cleanup. A limiter for one process returns the same one each time.
type OpenSlots func(t *testing.T, gateway string) farwire.SlotLimiter

// Directory runs the tests of a directory as subtests of t, one after the other. It calls empty for each,
// which makes an empty one and returns how it is opened.
func Directory(t *testing.T, empty func(t *testing.T) OpenDirectory) {
	run(t, empty, []test[OpenDirectory]{
		{"Received", received},
		{"Changes", changes},
		{"Order", order},
		{"Many", many},
		{"Leave", leave},
		{"AtOnce", changedAtOnce},
	})
}

// Bus runs the tests of a bus as subtests of t, one after the other. It calls empty for each,
// which makes an empty one and returns how it is opened.
func Bus(t *testing.T, empty func(t *testing.T) OpenBus) {
	run(t, empty, []test[OpenBus]{
		{"Told", told},
		{"Later", toldLater},
		{"Restored", restored},
		{"Agents", agents},
		{"AnyID", anyID},
		{"ManyAtOnce", manyAtOnce},
	})
}

// SlotLimiter runs the tests of a limiter as subtests of t, one after the other. It calls empty for each,
// which makes an empty one and returns how it is opened.
func SlotLimiter(t *testing.T, empty func(t *testing.T) OpenSlots) {
	run(t, empty, []test[OpenSlots]{
		{"Limit", limit},
		{"Accounts", accounts},
		{"AtOnce", slotsAtOnce},
		{"LimitChanges", limitChanges},
	})
}

type test[Open any] struct {
	name string
	run  func(*testing.T, Open)
}

func run[Open any](t *testing.T, empty func(t *testing.T) Open, tests []test[Open]) {
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) { c.run(t, empty(t)) })
	}
}

// timeout is for what has to happen in the end.
const timeout = time.Minute

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(timeout); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", timeout, what)
		}
	}
}
