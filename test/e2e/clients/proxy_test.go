package clients

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// A proxyWorld is a gateway that serves the forward proxy, and two targets that
// answer with what was asked for.
type proxyWorld struct {
	t           *testing.T
	gateway     *harness.Gateway
	proxy       string // http://any:KEY@host:port
	socks       string // host:port
	certificate *harness.Certificate
	http, https string
}

func newProxyWorld(t *testing.T, handler http.Handler, flags ...string) *proxyWorld {
	t.Helper()
	w := &proxyWorld{t: t, certificate: harness.NewCertificate(t)}
	w.gateway = harness.Serve(t, append([]string{"--allow-private", "--local-agent", "de1:DE", "--socks-listen", "127.0.0.1:0"}, flags...)...)
	w.socks = w.gateway.Await(w.gateway.Stderr, `listening for SOCKS5" addr=(\S+)`)[1]
	w.proxy = "http://any:" + w.gateway.Key + "@" + w.gateway.Addr
	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(handler)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{w.certificate.TLS}}
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	w.http, w.https = plain.URL, secure.URL
	return w
}

// run runs a program that trusts the targets and finds the proxy in its environment.
func (w *proxyWorld) start(cmd *exec.Cmd) *harness.TestProcess {
	w.t.Helper()
	if cmd.Env == nil {
		cmd.Env = harness.Environ()
	}
	cmd.Env = append(cmd.Env, "CURL_CA_BUNDLE="+w.certificate.CAFile, "NODE_EXTRA_CA_CERTS="+w.certificate.CAFile,
		"REQUESTS_CA_BUNDLE="+w.certificate.CAFile, "SSL_CERT_FILE="+w.certificate.CAFile, "GIT_SSL_CAINFO="+w.certificate.CAFile,
		"NO_PROXY=", "no_proxy=")
	return harness.Start(w.t, cmd)
}

func environment(cmd *exec.Cmd, proxy string) *exec.Cmd {
	cmd.Env = append(cmd.Env, "HTTP_PROXY="+proxy, "HTTPS_PROXY="+proxy, "http_proxy="+proxy, "https_proxy="+proxy)
	return cmd
}

// echoRequest answers with the protocol, the path and what a proxy would have left.
var echoRequest = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(rw, "%s %s %s", r.Proto, r.URL, r.Header.Get("Proxy-Authorization")+r.Header.Get("Via")+r.Header.Get("X-Forwarded-For"))
})

func TestProxy_Programs_LeaveThroughIt(t *testing.T) {
	w := newProxyWorld(t, echoRequest)
	curl := func(args ...string) *exec.Cmd {
		return exec.Command("curl", append([]string{"-sS", "-w", " %{http_code} %{http_connect}", "--max-time", "20"}, args...)...)
	}
	proxy, key := "http://"+w.gateway.Addr, w.gateway.Key
	secure := func() string { // another gateway, which speaks TLS and with it HTTP/2
		g := harness.Serve(t, "--allow-private", "--api-keys", "a="+key, "--tls-cert", w.certificate.CertFile, "--tls-key", w.certificate.KeyFile)
		return "https://" + g.Addr
	}()
	for _, c := range []struct {
		name   string
		cmd    *exec.Cmd
		status int
		says   string
	}{
		{"curl http", curl("-x", proxy, "--proxy-user", "geo=DE;session=a:"+key, w.http+"/a%2Fb?c=d|e"), 0, "HTTP/1.1 /a%2Fb?c=d|e  200 000"},
		{"curl https", curl("-x", proxy, "-U", "geo=DE:"+key, w.https+"/a"), 0, "HTTP/2.0 /a  200 200"},
		{"curl https proxy", curl("-x", secure, "--proxy-cacert", w.certificate.CAFile, "-U", "any:"+key, w.https+"/a"), 0, "HTTP/2.0 /a  200 200"},
		{"curl upload", curl("-x", proxy, "-U", "any:"+key, "-T", "page_test.go", w.http+"/up"), 0, "HTTP/1.1 /up  200 000"},
		{"curl socks5h", curl("-x", "socks5h://"+w.socks, "-U", "agent=de1:"+key, w.https+"/a"), 0, "HTTP/2.0 /a  200 000"},
		{"curl socks5", curl("-x", "socks5://any:"+key+"@"+w.socks, w.http+"/a"), 0, "HTTP/1.1 /a  200 000"},
		{"curl socks5h, a name", curl("-x", "socks5h://any:"+key+"@"+w.socks, strings.Replace(w.https, "127.0.0.1", "localhost", 1)+"/a"), 0, "HTTP/2.0 /a  200 000"},
		{"curl without a key", curl("-x", proxy, w.https+"/a"), 56, " 000 407"},
		{"curl with a wrong key, http", curl("-o", "/dev/null", "-x", proxy, "-U", "any:not-the-key-of-anybody", w.http+"/a"), 0, " 407 000"},
		{"curl socks5h with a wrong key", curl("-x", "socks5h://"+w.socks, "-U", "any:not-the-key-of-anybody", w.http+"/a"), 97, " 000 000"},
		{"curl, no agent", curl("-x", proxy, "-U", "geo=XX:"+key, w.https+"/a"), 56, " 000 502"},
		{"Python", environment(harness.Python(t, "testdata/proxy/fetch.py", w.http+"/p", w.https+"/p"), w.proxy), 0,
			"requests HTTP/1.1 /p \nhttpx HTTP/1.1 /p \naiohttp HTTP/1.1 /p \nrequests HTTP/1.1 /p \nhttpx HTTP/1.1 /p \n"},
		{"axios", environment(harness.Node(t, "testdata/proxy/axios.cjs", w.http+"/n", w.https+"/n"), w.proxy), 0, "HTTP/1.1 /n \nHTTP/1.1 /n \n"},
		{"HTTP/2", harness.Node(t, "testdata/proxy/http2.cjs", secure, "any:"+key, strings.TrimPrefix(w.https, "https://")), 0,
			"status 200 node farwire-local\nHTTP/1.1 /h2 \n"},
		{"HTTP/2 without a key", harness.Node(t, "testdata/proxy/http2.cjs", secure, "any:", strings.TrimPrefix(w.https, "https://")), 0,
			"status 407 node undefined\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := w.start(c.cmd)
			t.Parallel()
			if status := p.Status(); status != c.status || p.Stdout.String() != c.says {
				t.Errorf("status %d, want %d; it says\n%q, want\n%q\n%s", status, c.status, p.Stdout, c.says, p.Stderr)
			}
		})
	}
}

// A repository is one that git serves over HTTP, as served.git.
type repository struct {
	http.Handler
	t      *testing.T
	folder string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, folder: t.TempDir()}
	r.git("init", "-q", "-b", "main", "source")
	if err := os.WriteFile(filepath.Join(r.folder, "source/large"), []byte(strings.Repeat("0123456789abcdef\n", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.git("-C", "source", "add", ".")
	r.git("-C", "source", "commit", "-qm", "one")
	r.git("clone", "-q", "--bare", "source", "served.git")
	r.Handler = &cgi.Handler{
		Path: filepath.Join(r.git("--exec-path"), "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + r.folder, "GIT_HTTP_EXPORT_ALL=1"}, Stderr: io.Discard,
	}
	return r
}

// git runs a command of git's in the folder.
func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@a.test"}, args...)...)
	cmd.Env = harness.Environ("GIT_CONFIG_NOSYSTEM=1", "HOME="+r.folder)
	cmd.Dir = r.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// clone is the command that clones it, as copy.
func (r *repository) clone(from string) *exec.Cmd {
	cmd := exec.Command("git", "clone", "-q", from+"/served.git", "copy")
	cmd.Env, cmd.Dir = harness.Environ("GIT_CONFIG_NOSYSTEM=1", "HOME="+r.folder, "GIT_TERMINAL_PROMPT=0"), r.folder
	return cmd
}

// git clones through a tunnel.
func TestProxy_GitClone_Works(t *testing.T) {
	r := newRepository(t)
	w := newProxyWorld(t, r)
	if p := w.start(environment(r.clone(w.https), w.proxy)); p.Status() != 0 {
		t.Fatalf("git clone: %s%s", p.Stdout, p.Stderr)
	}
	if a, b := r.git("-C", "source", "rev-parse", "HEAD^{tree}"), r.git("-C", "copy", "rev-parse", "HEAD^{tree}"); a != b {
		t.Errorf("the copy is %s, want %s", b, a)
	}
	w.gateway.Await(w.gateway.Stderr, `kind=tunnel .*ended_by=client .*cause=""`)
}
