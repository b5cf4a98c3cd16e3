//go:build !linux

// Command relaybench measures what relaying WebSockets costs. It needs Linux,
// where one process can read the processor clock of another.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "relaybench: it needs Linux")
	os.Exit(1)
}
