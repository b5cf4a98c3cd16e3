package browser

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A proxy stands between a local browser and the world: an HTTP proxy on
// loopback (RFC 9110, sections 7.6 and 9.3.6). Each page has a route of its
// own through it, named by the credentials that its browser context sends. A
// request without them, of another user of the machine or of the browser's
// own, gets a 407 and goes nowhere.
type proxy struct {
	addr   net.Addr
	server *http.Server
	wg     sync.WaitGroup

	mu     sync.Mutex
	routes map[string]*route // by user
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// A route is how the requests of one page leave.
type route struct {
	proxy          *proxy
	user, password string
	dial           dialFunc
	transport      *http.Transport
	bytes          atomic.Int64 // that came from the network

	ctx    context.Context // ends with the page
	cancel context.CancelFunc
	wg     sync.WaitGroup // requests and tunnels; grows only while the route is open
}

const (
	// A page may not take more than this from the network.
	maxTraffic = 64 << 20

	connectTimeout = 15 * time.Second
)

func newProxy() (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{addr: ln.Addr(), routes: map[string]*route{}}
	p.server = &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // a page's requests are no operator's business
	}
	p.wg.Go(func() { p.server.Serve(ln) }) // returns when it is closed
	return p, nil
}

// close ends all connections.
func (p *proxy) close() {
	p.server.Close()
	p.wg.Wait()
}

// open makes a route. The caller closes it.
func (p *proxy) open(dial dialFunc) *route {
	r := &route{proxy: p, user: rand.Text(), password: rand.Text(), dial: dial}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.transport = &http.Transport{
		DialContext:            r.connect,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    6,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 256 << 10,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes[r.user] = r
	return r
}

// close ends the route with all its connections and returns how many bytes
// came over it.
func (r *route) close() int64 {
	r.proxy.mu.Lock()
	delete(r.proxy.routes, r.user)
	r.proxy.mu.Unlock()
	r.cancel()
	r.transport.CloseIdleConnections()
	r.wg.Wait()
	return r.bytes.Load()
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r := p.route(req.Header.Get("Proxy-Authorization"))
	if r == nil {
		w.Header().Set("Proxy-Authenticate", `Basic realm="farwire"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	defer r.wg.Done()
	switch {
	case req.Method == http.MethodConnect:
		r.tunnel(w, req)
	case req.URL.Scheme == "http" && req.URL.Host != "":
		r.forward(w, req)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// route returns the route that the credentials name, with the caller counted
// in its wg. It returns nil when the credentials name no route.
func (p *proxy) route(credentials string) *route {
	scheme, encoded, _ := strings.Cut(credentials, " ")
	plain, err := base64.StdEncoding.DecodeString(encoded)
	user, password, _ := strings.Cut(string(plain), ":")
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.routes[user]
	if r == nil || subtle.ConstantTimeCompare([]byte(password), []byte(r.password)) != 1 {
		return nil
	}
	r.wg.Add(1)
	return r
}

// connect dials through the page's exit, whose guard judges the address.
func (r *route) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	conn, err := r.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if r.ctx.Err() != nil {
		conn.Close()
		return nil, r.ctx.Err()
	}
	c := &counted{Conn: conn, route: r}
	c.stop = context.AfterFunc(r.ctx, func() { conn.Close() })
	return c, nil
}

// tunnel carries bytes, as CONNECT asks for. Where a connection cannot be had
// the browser is told so and nothing more: the page gets to see no words of
// ours.
func (r *route) tunnel(w http.ResponseWriter, req *http.Request) {
	target, err := r.connect(req.Context(), "tcp", req.URL.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer target.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	defer context.AfterFunc(r.ctx, func() { client.Close() })()
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(target, buffered)
		target.Close() // a browser that closes its half wants no answer
	})
	io.Copy(client, target)
	client.Close()
	wg.Wait()
}

// forward sends a plain request on.
func (r *route) forward(w http.ResponseWriter, req *http.Request) {
	// A browser that reads no more must not hold up the end of its page.
	control := http.NewResponseController(w)
	defer context.AfterFunc(r.ctx, func() { control.SetWriteDeadline(time.Now()) })()
	(&httputil.ReverseProxy{
		Transport:     r.transport,
		FlushInterval: -1,
		ErrorLog:      r.proxy.server.ErrorLog,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.Host = pr.In.Host
			pr.Out.Header.Del("Proxy-Connection")
		},
		ModifyResponse: func(resp *http.Response) error {
			// It would ask for our credentials in somebody else's name.
			if resp.StatusCode == http.StatusProxyAuthRequired {
				return errors.New("the target asks for a proxy's credentials")
			}
			return nil
		},
		// An answer of ours would become the page.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}).ServeHTTP(w, req)
}

// counted is a connection whose bytes count towards its page's.
type counted struct {
	net.Conn
	route *route
	stop  func() bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.route.bytes.Add(int64(n)) > maxTraffic {
		return n, errors.New("the page exceeds its transfer limit")
	}
	return n, err
}

func (c *counted) Close() error {
	c.stop()
	return c.Conn.Close()
}
