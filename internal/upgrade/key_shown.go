package upgrade

import "context"

type keyShown struct{}

// WithKeyShown returns a context of a connection. Shown is called each time a
// request of it has shown a valid key or an agent's secret.
func WithKeyShown(ctx context.Context, shown func()) context.Context {
	return context.WithValue(ctx, keyShown{}, shown)
}

// KeyShown returns what to call when a request has shown a valid key or an
// agent's secret. It is never nil.
func KeyShown(ctx context.Context) func() {
	if shown, ok := ctx.Value(keyShown{}).(func()); ok {
		return shown
	}
	return func() {}
}
