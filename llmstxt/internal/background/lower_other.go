//go:build !linux

package background

// alone calls f where a thread has no priority of its own.
func alone(f func()) { f() }
