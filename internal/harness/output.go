package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Output keeps what a process writes. It is safe for concurrent use.
type Output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	ended  bool
	change chan struct{} // closed and replaced at every write
}

// NewOutput returns one that is empty.
func NewOutput() *Output { return &Output{change: make(chan struct{})} }

// Write appends to the output.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changed()
	return o.text.Write(b)
}

func (o *Output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.changed()
}

func (o *Output) changed() {
	close(o.change)
	o.change = make(chan struct{})
}

// String returns all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *Output) await(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	for {
		o.mu.Lock()
		m, ended, change := re.FindStringSubmatch(o.text.String()), o.ended, o.change
		o.mu.Unlock()
		switch {
		case m != nil:
			return m, nil
		case ended:
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
