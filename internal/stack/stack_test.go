package stack_test

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/farwire/farwire/internal/stack"
)

// A stack that grows moves, and with it what is on it.
func TestGrow_CallsBelow_DoNotMoveTheStack(t *testing.T) {
	moved := make(chan bool)
	go func() {
		stack.Grow()
		var here byte
		before := uintptr(unsafe.Pointer(&here))
		below()
		moved <- uintptr(unsafe.Pointer(&here)) != before
	}()
	if <-moved {
		t.Error("the stack has grown again")
	}
}

//go:noinline
func below() {
	var frame [6 << 10]byte
	runtime.KeepAlive(&frame)
}
