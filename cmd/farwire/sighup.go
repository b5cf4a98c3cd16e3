package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// onHangup calls again at each SIGHUP until ctx ends. Until stop is called SIGHUP does not
// end the process.
func onHangup(ctx context.Context, again func(context.Context)) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for {
			select {
			case <-hangup:
				again(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-done
	}
}
