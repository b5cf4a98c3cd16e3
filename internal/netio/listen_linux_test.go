package netio_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/netio"
)

func TestListenConfig_AcceptedConnection_ProbesItsPeer(t *testing.T) {
	config := netio.ListenConfig()
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	for _, o := range []struct{ level, option, want int }{
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 10},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3},
	} {
		var got int
		var failed error
		err := netio.Raw(near).Control(func(fd uintptr) { got, failed = syscall.GetsockoptInt(int(fd), o.level, o.option) })
		if err != nil || failed != nil || got != o.want {
			t.Errorf("option %d is %d, %v, %v, want %d", o.option, got, err, failed, o.want)
		}
	}
}
