// Package stack saves the growth of stacks. A goroutine begins with a few KB of stack, and each
// time that they do not suffice it gets twice as many and all frames are copied. Whoever is
// about to go deep grows it once, while there is little to copy.
package stack

import "runtime"

// deep is what a dial takes below a handler of net/http, with TLS.
const deep = 8 << 10

// Grow makes room for calls below the caller.
//
//go:noinline
func Grow() {
	var room [deep]byte
	runtime.KeepAlive(&room)
}
