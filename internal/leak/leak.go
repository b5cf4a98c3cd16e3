// Package leak fails a package's tests when a goroutine outlives them.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// grace is what goroutines that are on their way out are given.
const grace = 5 * time.Second

// Main runs the tests and exits. It is all that a TestMain has to call.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := Wait(grace); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// Wait returns the stacks of the goroutines, but the caller's, that have code
// of this module on them and do not end within the time given; none is "".
func Wait(grace time.Duration) string {
	for end := time.Now().Add(grace); ; time.Sleep(10 * time.Millisecond) {
		left := ours()
		if left == "" || time.Now().After(end) {
			return left
		}
	}
}

func ours() string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	var left []string
	for _, stack := range strings.Split(string(buf[:n]), "\n\n")[1:] { // the first is the caller's
		if strings.Contains(stack, "github.com/farwire/farwire") && !strings.Contains(stack, "leak.Main(") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
