package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A hangups receives SIGHUP from when it is made, until the process ends; the signal does
// not end the process any more. One that comes before do counts when do is called.
type hangups chan os.Signal

func catchHangups() hangups {
	h := make(hangups, 1)
	signal.Notify(h, syscall.SIGHUP)
	return h
}

// do calls again at each SIGHUP until stop is called: while a process drains, too.
func (h hangups) do(ctx context.Context, again func(context.Context)) (stop func()) {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(done)
		for {
			select {
			case <-h:
				again(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
