//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// coderRole relays messages as one does with coder/websocket: read one, write
// it. A buffer a direction is kept, so that messages need no memory of their
// own.
func coderRole(args []string) (*role, error) {
	plain := websocket.CompressionDisabled
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.Background()
		target, _, err := websocket.Dial(ctx, "ws://"+args[0]+r.URL.RequestURI(), &websocket.DialOptions{CompressionMode: plain})
		if err != nil {
			http.Error(w, "no target", http.StatusBadGateway)
			return
		}
		defer target.CloseNow()
		client, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: plain})
		if err != nil {
			return
		}
		defer client.CloseNow()
		client.SetReadLimit(-1)
		target.SetReadLimit(-1)
		pump := func(from, to *websocket.Conn) {
			defer from.CloseNow()
			defer to.CloseNow()
			var message bytes.Buffer
			for {
				kind, r, err := from.Reader(ctx)
				if err != nil {
					return
				}
				message.Reset()
				if _, err := message.ReadFrom(r); err != nil {
					return
				}
				if err := to.Write(ctx, kind, message.Bytes()); err != nil {
					return
				}
			}
		}
		go pump(target, client)
		pump(client, target)
	}))
}

// gorillaRole does the same with gorilla/websocket.
func gorillaRole(args []string) (*role, error) {
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, _, err := gorilla.DefaultDialer.Dial("ws://"+args[0]+r.URL.RequestURI(), nil)
		if err != nil {
			http.Error(w, "no target", http.StatusBadGateway)
			return
		}
		defer target.Close()
		client, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer client.Close()
		pump := func(from, to *gorilla.Conn) {
			defer from.Close()
			defer to.Close()
			var message bytes.Buffer
			for {
				kind, r, err := from.NextReader()
				if err != nil {
					return
				}
				message.Reset()
				if _, err := message.ReadFrom(r); err != nil && err != io.EOF {
					return
				}
				if err := to.WriteMessage(kind, message.Bytes()); err != nil {
					return
				}
			}
		}
		go pump(target, client)
		pump(client, target)
	}))
}

// httputilRole passes requests as one does with the standard library. It keeps as many
// idle connections to the target as the path form does.
func httputilRole(args []string) (*role, error) {
	return serve(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", args[0] },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{}).DialContext,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true,
		},
	})
}
