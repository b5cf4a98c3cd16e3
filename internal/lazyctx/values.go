package lazyctx

import (
	"context"
	"reflect"
)

// Values is context.WithoutCancel for a context that is kept for long, like that of a
// request whose connection was taken over: what only ends ctx, which net/http has twice
// on top of its values, can then be collected. Where package context is not as it is known
// here, that is kept.
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

// canceling is what context.WithCancel makes; nil: it does not embed its parent.
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
