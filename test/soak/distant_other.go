//go:build !linux

package main

import (
	"context"
	"errors"
)

var roles map[string]func([]string) error

func distant(context.Context, *soak) (string, error) {
	return "", errors.New("network namespaces are Linux's")
}
