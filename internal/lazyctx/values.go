package lazyctx

import (
	"context"
	"reflect"
)

// Values is context.WithoutCancel for a context that is kept for a long time, such as that
// of a request whose connection was taken over. It leaves out what context.WithCancel has
// put above the values of ctx, as net/http does twice for each request, so that this can be
// collected. Where package context works otherwise than is assumed here, nothing is left
// out.
func Values(ctx context.Context) context.Context {
	for reflect.TypeOf(ctx) == canceling {
		parent, ok := reflect.ValueOf(ctx).Elem().FieldByName("Context").Interface().(context.Context)
		if !ok {
			break
		}
		ctx = parent
	}
	return context.WithoutCancel(ctx)
}

// canceling is the type that context.WithCancel returns; nil: it does not embed its parent.
var canceling = func() reflect.Type {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	t := reflect.TypeOf(ctx)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	if f, ok := t.Elem().FieldByName("Context"); !ok || !f.IsExported() || f.Type != reflect.TypeFor[context.Context]() {
		return nil
	}
	return t
}()
