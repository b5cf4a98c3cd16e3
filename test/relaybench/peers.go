//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startPeer starts another program with a configuration in a folder of its own.
func startPeer(name, addr, config string, args ...string) (_ *process, err error) {
	folder, err := os.MkdirTemp("", "relaybench-"+name+"-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	binary, err := exec.LookPath(name)
	if err != nil {
		binary = "/usr/sbin/" + name
	}
	if err := os.WriteFile(filepath.Join(folder, name+".conf"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(binary, args...), addr: addr, folder: folder}
	p.cmd.Dir, p.cmd.Stderr = folder, os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// startNginx starts one that relays to the target. Its configuration is that of its
// documentation for WebSockets and for connections that are kept, with bodies passed on
// as they come; all else is its defaults. buffers, when given, are lines more.
func startNginx(target, buffers string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	// The number of files, connections and requests is no matter of speed.
	config := fmt.Sprintf(`
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	keepalive_requests 100000000;
	client_max_body_size 0;
	map $http_upgrade $connection_upgrade {
		default upgrade;
		'' '';
	}
	upstream target {
		server %s;
		keepalive 64;
		keepalive_requests 100000000;
	}
	server {
		listen %s backlog=4096;
		location / {
			proxy_pass http://target;
			proxy_http_version 1.1;
			proxy_request_buffering off;
			proxy_max_temp_file_size 0;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			%s
		}
		location /secure/ {
			proxy_pass https://%s/;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
		}
	}
}
`, target, addr, buffers, target)
	p, err := startPeer("nginx", addr, config, "-p", ".", "-c", "nginx.conf", "-e", "stderr")
	if err != nil {
		return nil, err
	}
	return p, p.reachable()
}

// startTinyproxy starts one with nothing set but the address and the number of clients.
func startTinyproxy() (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("Listen %s\nPort %s\nMaxClients 1000\nLogLevel Critical\nLogFile \"tinyproxy.log\"\n", host, port)
	p, err := startPeer("tinyproxy", addr, config, "-d", "-c", "tinyproxy.conf")
	if err != nil {
		return nil, err
	}
	return p, p.listens()
}

// startSquid starts one that keeps nothing and tunnels to every port.
func startSquid() (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("http_port %s\nhttp_access allow all\ncache deny all\ncache_mem 0 MB\naccess_log none\n"+
		"cache_log /dev/null\npid_filename none\nnetdb_filename none\nshutdown_lifetime 0 seconds\n", addr)
	p, err := startPeer("squid", addr, config, "-N", "-f", "squid.conf")
	if err != nil {
		return nil, err
	}
	return p, p.listens()
}

// listens waits until the process takes connections, or stops it.
func (p *process) listens() error {
	return p.until(func() error {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// reachable waits until the target's echo answers at the process's address, or
// stops the process.
func (p *process) reachable() error {
	return p.until(func() error {
		l, err := dial(p.addr, "/echo", "")
		if err == nil {
			l.conn.Close()
		}
		return err
	})
}

func (p *process) until(ready func() error) (err error) {
	for range 1200 {
		if err = ready(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return err
}

// startChisel starts a tunnel of the same shape as ours with an agent: a server
// that listens for the load, and a client that dials out to the server and,
// for each connection that comes back, the target. Both log much, to nowhere.
func startChisel(target string) ([]*process, error) {
	binary, err := exec.LookPath("chisel")
	if err != nil {
		return nil, err
	}
	control, err := freeAddr()
	if err != nil {
		return nil, err
	}
	entry, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(control)
	if err != nil {
		return nil, err
	}
	server := &process{cmd: exec.Command(binary, "server", "--host", host, "--port", port, "--reverse"), addr: entry}
	if err := server.cmd.Start(); err != nil {
		return nil, err
	}
	client := &process{cmd: exec.Command(binary, "client", "http://"+control, "R:"+entry+":"+target)}
	if err := client.cmd.Start(); err != nil {
		server.stop()
		return nil, err
	}
	if err := server.reachable(); err != nil {
		client.stop()
		return nil, err
	}
	return []*process{server, client}, nil
}
