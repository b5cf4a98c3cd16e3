package forward

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
)

// A Panic is what Serve panics with after a panic in a goroutine of a transport or a timer.
// There the request's body is read, and the writer used, which a middleware may have wrapped.
type Panic struct {
	Value any
	Stack []byte // of that goroutine
}

func (p *Panic) Error() string { return fmt.Sprintf("%v\n%s", p.Value, p.Stack) }

// Unwrap returns what an error was.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// errPanicked ends a request whose handler panics as soon as it has the goroutine.
var errPanicked = errors.New("a middleware has panicked")

// panics keeps the first panic of a goroutine other than the handler's. Nobody would recover
// it there, and it would end the process.
type panics struct {
	mu    sync.Mutex
	first any
}

// call returns an error where f panics.
func (p *panics) call(f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = errPanicked
		if v != http.ErrAbortHandler { // which net/http compares
			v = &Panic{v, debug.Stack()}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.first == nil {
			p.first = v
		}
	}()
	return f()
}

// raise panics in the handler's goroutine with what was kept. The server recovers it there,
// or a middleware that is made for it.
func (p *panics) raise() {
	p.mu.Lock()
	v := p.first
	p.mu.Unlock()
	if v != nil {
		panic(v)
	}
}
