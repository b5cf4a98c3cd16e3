// Package hostcall calls the parts of a host program: its functions, its implementations of
// interfaces and its log. A panic of one does not end the process: many calls are made in
// goroutines in which nobody else recovers.
package hostcall

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Get calls a part that returns something. Its panic is its error.
func Get[T any](call func() (T, error)) (v T, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return call()
}

// Do is Get for a part that returns nothing but an error.
func Do(call func() error) error {
	_, err := Get(func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// Log calls a part that returns no error. Its panic is a line in the log, and false is
// returned.
func Log(log *slog.Logger, part string, call func()) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("a part of the host panicked", "part", part, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	call()
	return true
}
