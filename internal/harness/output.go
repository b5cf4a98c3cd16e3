package harness

import (
	"bufio"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

// Output keeps what a process writes. The zero value is empty. It is safe for concurrent
// use.
type Output struct {
	Log
	ended bool
}

func (o *Output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.changed()
}

func (o *Output) hasEnded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

func (o *Output) await(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	for {
		text, change := o.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m, nil
		}
		if o.hasEnded() && o.String() == text {
			return nil, errors.New("it has ended and never wrote")
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, errors.New("it does not write")
		}
	}
}

// Lines reads an event stream: the function returned waits for a line that
// begins with a text.
func Lines(t testing.TB, r io.Reader) (await func(prefix string)) {
	lines := bufio.NewScanner(r)
	return func(prefix string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), prefix) {
				return
			}
		}
		t.Fatalf("no %q comes: %v", prefix, lines.Err())
	}
}
