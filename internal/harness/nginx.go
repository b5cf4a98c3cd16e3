package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Nginx starts nginx as a TLS reverse proxy in front of upstream (host:port)
// and returns its address. The directives go into the location that proxies.
func Nginx(t testing.TB, c *Certificate, upstream, directives string) (addr string) {
	t.Helper()
	ln := Listen(t)
	NginxConf(t, fmt.Sprintf(`
	server {
		listen %s ssl;
		server_name localhost;
		ssl_certificate %s;
		ssl_certificate_key %s;
		location / {
			proxy_pass http://%s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection "upgrade";
			%s
		}
	}
`, ln.Addr(), c.CertFile, c.KeyFile, upstream, directives), ln)
	return ln.Addr().String()
}

// Listen takes a port of loopback for a program that is handed the socket.
func Listen(t testing.TB) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

// NginxConf starts nginx with what stands in its http block. The sockets of
// the addresses that it listens on are handed over, as nginx does to itself in
// an upgrade, so that nobody can take a port in between; the listeners are
// closed here.
func NginxConf(t testing.TB, http string, listeners ...*net.TCPListener) *TestProcess {
	t.Helper()
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folder is nobody else's to read
	}
	conf := filepath.Join(dir, "nginx.conf")
	err := os.WriteFile(conf, fmt.Appendf(nil, `
%[1]s
worker_processes 1;
daemon off;
pid %[2]s/pid;
error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
%[3]s
}
`, user, dir, http), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Look(t, "nginx"), "-p", dir, "-c", conf, "-e", "stderr")
	var inherited strings.Builder
	for i, ln := range listeners {
		socket, err := ln.File()
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		defer ln.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, socket)
		fmt.Fprintf(&inherited, "%d;", 3+i)
	}
	cmd.Env = append(Environ(), "NGINX="+inherited.String())
	return Start(t, cmd)
}
