//go:build unix && !linux

package netio

import "syscall"

func readFD(fd int, b []byte) (int, error)  { return syscall.Read(fd, b) }
func writeFD(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }

func peekFD(fd int, b []byte) (int, error) {
	n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_PEEK)
	return n, err
}
