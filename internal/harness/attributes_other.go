//go:build !linux

package harness

func hasAttributes(string) bool { return false }
