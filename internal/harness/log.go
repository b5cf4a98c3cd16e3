package harness

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// A Log keeps what is logged, so that a test reads it while more is written. The zero
// value is empty. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	text   bytes.Buffer
	change chan struct{} // nil: nobody waits; closed at the next write
}

// Write appends to the log.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed()
	return l.text.Write(b)
}

// changed wakes who waits. The caller holds the lock.
func (l *Log) changed() {
	if l.change != nil {
		close(l.change)
		l.change = nil
	}
}

// String returns all that was logged since the last Reset.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Reset forgets what was logged.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// Count returns how often a text was logged.
func (l *Log) Count(text string) int { return strings.Count(l.String(), text) }

// Logger returns one that writes every level to the log, as text.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Await waits for a line that has all the words.
func (l *Log) Await(t testing.TB, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	for {
		text, change := l.read()
	lines:
		for line := range strings.Lines(text) {
			for _, word := range words {
				if !strings.Contains(line, word) {
					continue lines
				}
			}
			return
		}
		select {
		case <-change:
		case <-ctx.Done():
			t.Fatalf("no line with %q in\n%s", words, text)
		}
	}
}

// read returns what was logged and what is closed when there is more.
func (l *Log) read() (text string, change <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.change == nil {
		l.change = make(chan struct{})
	}
	return l.text.String(), l.change
}
