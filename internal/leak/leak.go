// Package leak fails a package's tests when a goroutine outlives them.
package leak

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// grace is how long goroutines that are about to end are waited for.
const grace = 10 * time.Second

// Main runs the tests and exits. A TestMain calls nothing else.
func Main(m *testing.M) { Exit(m.Run()) }

// Exit ends the tests of a package with their status, or with 1 when
// goroutines are left. A status other than 0 stays as it is.
func Exit(status int) {
	if status == 0 {
		if err := Wait(grace); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// Wait returns an error with the stacks of the goroutines, the caller's
// excepted, that do not end within the time given. Nil: all have ended.
func Wait(grace time.Duration, options ...goleak.Option) error {
	for end := time.Now().Add(grace); ; {
		err := goleak.Find(options...)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
