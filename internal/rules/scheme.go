package rules

import "context"

type schemeKey struct{}

// WithScheme returns a context for a dial that says what will be spoken over the
// connection: the scheme of the target's URL, or of a proxy's.
func WithScheme(ctx context.Context, scheme string) context.Context {
	return context.WithValue(ctx, schemeKey{}, scheme)
}

// Scheme returns what WithScheme was given; empty: only the connection is known.
func Scheme(ctx context.Context) string {
	scheme, _ := ctx.Value(schemeKey{}).(string)
	return scheme
}
