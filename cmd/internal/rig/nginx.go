package rig

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Nginx starts nginx as a TLS reverse proxy in front of upstream (host:port)
// and returns its address. The directives go into the location that proxies.
func Nginx(t testing.TB, c *Certificate, upstream, directives string) (addr string) {
	t.Helper()
	// The socket is handed over, as nginx does to itself in an upgrade, so that
	// nobody can take the port in between.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folder is nobody else's to read
	}
	conf := filepath.Join(dir, "nginx.conf")
	err = os.WriteFile(conf, fmt.Appendf(nil, `
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
	server {
		listen %[3]s ssl;
		server_name localhost;
		ssl_certificate %[4]s;
		ssl_certificate_key %[5]s;
		location / {
			proxy_pass http://%[6]s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection "upgrade";
			%[7]s
		}
	}
}
`, user, dir, ln.Addr(), c.CertFile, c.KeyFile, upstream, directives), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Look(t, "nginx"), "-p", dir, "-c", conf, "-e", "stderr")
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(Environ(), "NGINX=3;")
	Start(t, cmd)
	return ln.Addr().String()
}
