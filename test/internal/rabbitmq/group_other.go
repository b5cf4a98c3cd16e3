//go:build !unix

package rabbitmq

import (
	"errors"
	"os/exec"
	"syscall"
)

func ownGroup(*exec.Cmd) {}

func signalGroup(int, syscall.Signal) error {
	return errors.New("rabbitmq: this system has no process groups")
}
