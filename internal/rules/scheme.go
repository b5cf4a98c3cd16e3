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

type portKey struct{}

// WithPort returns a context for the look-up of a name that says to which port of it a
// client's proxy, or a browser service, will connect.
func WithPort(ctx context.Context, port uint16) context.Context {
	return context.WithValue(ctx, portKey{}, port)
}

// Port returns what WithPort was given; zero: any may be meant.
func Port(ctx context.Context) uint16 {
	port, _ := ctx.Value(portKey{}).(uint16)
	return port
}
