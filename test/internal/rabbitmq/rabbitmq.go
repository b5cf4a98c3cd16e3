// Package rabbitmq runs a RabbitMQ node for tests and benchmarks: from Debian's
// package, under a name, ports and a folder of its own, so that it meets no
// other node of the machine, and gone when it is closed.
package rabbitmq

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/farwire/farwire/internal/harness"
)

// A Node is a running broker with a plain and a TLS listener on loopback.
type Node struct {
	Port    int
	TLSPort int
	Roots   *x509.CertPool // that verify the TLS listener, for localhost and 127.0.0.1
	CA      string         // the same in PEM

	dir   string
	caKey []byte
	env   []string
	sbin  string
	epmd  *exec.Cmd
	beam  *exec.Cmd
	exit  chan struct{} // closed when beam has exited
	once  sync.Once
}

// The users of every node. Admin may do everything in every virtual host,
// Guest may enter the first one and do nothing there, Odd is an Admin with a
// password of many characters.
const (
	Admin       = "admin"
	AdminSecret = "admin-secret-9f2c"
	Guest       = "nobody"
	GuestSecret = "nobody-secret-77"
	Odd         = "o:d@d/üser"
	OddSecret   = "p@ss:w/ö rd%2F?#&=\"'\\\u2028\t€"
)

// A Feed is a virtual host with one user whose permissions are those that a
// provider of feeds gives its customers.
type Feed struct {
	Vhost, User, Secret    string
	configure, write, read string
}

var (
	// Generated lets its user have only queues that the broker names, bound to
	// the exchange "unifiedfeed".
	Generated = Feed{"/unifiedfeed/31285", "generated", "generated-secret-31", `^amq\.gen.*$`, `^amq\.gen.*$`, `^(amq\.gen.*|unifiedfeed)$`}
	// Existing lets its user read one queue.
	Existing = Feed{"StmInPlay", "existing", "existing-secret-10", `^$`, `^$`, `^_102030_$`}
	// Prefixed lets its user have queues of one prefix, bound to "xpublic".
	Prefixed = Feed{"q", "prefixed", "prefixed-secret-99", `^q_anonymous.*`, `^q_anonymous.*`, `^(q_anonymous.*|xpublic)$`}
)

// Vhosts are there on every node: the default, and some with odd names.
var Vhosts = []string{"/", "with space", "a/b", "%2F", "ünï ☃ \"quoted\"", "v?#&=", strings.Repeat("long", 60)}

// Start starts a node and waits until it takes connections. conf is added to
// its rabbitmq.conf.
func Start(ctx context.Context, conf ...string) (*Node, error) {
	return StartWithVhosts(ctx, 0, conf...)
}

// StartWithVhosts is Start for a node that has n virtual hosts more, t0, t1 and so
// on. Each of them takes the node a good while when it starts.
func StartWithVhosts(ctx context.Context, n int, conf ...string) (*Node, error) {
	vhosts := slices.Clone(Vhosts)
	for i := range n {
		vhosts = append(vhosts, "t"+strconv.Itoa(i))
	}
	return start(ctx, vhosts, conf)
}

func start(ctx context.Context, vhosts, conf []string) (_ *Node, err error) {
	sbin, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err != nil || len(sbin) == 0 {
		return nil, errors.New("rabbitmq: Debian's package rabbitmq-server is not installed; run make deps")
	}
	n := &Node{exit: make(chan struct{})}
	if n.dir, err = os.MkdirTemp("", "farwire-rabbit-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	ports, err := harness.FreePorts(4)
	if err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	epmdPort, distPort := ports[2], ports[3]
	n.Port, n.TLSPort = ports[0], ports[1]
	if err := n.writeFiles(vhosts, conf); err != nil {
		return nil, err
	}
	env := append(os.Environ(),
		fmt.Sprintf("RABBITMQ_NODENAME=farwire-%d@localhost", n.Port),
		"RABBITMQ_CONFIG_FILE="+n.path("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+n.path("advanced.config"),
		"RABBITMQ_CONF_ENV_FILE="+n.path("env"),
		"RABBITMQ_MNESIA_BASE="+n.path("data"),
		"RABBITMQ_LOG_BASE="+n.path("log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+n.path("plugins"),
		"RABBITMQ_PID_FILE="+n.path("pid"),
		"RABBITMQ_GENERATED_CONFIG_DIR="+n.path("generated"),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(distPort),
		// Threads that spin while they wait would count in every measurement.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+sbwt none +sbwtdcpu none +sbwtdio none",
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT="+strconv.Itoa(epmdPort),
		"HOME="+n.dir,
	)
	n.env, n.sbin = env, filepath.Dir(sbin[len(sbin)-1])
	n.epmd = exec.Command("epmd")
	n.epmd.Env = env
	if err := n.epmd.Start(); err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	var out bytes.Buffer
	n.beam = exec.Command(sbin[len(sbin)-1])
	n.beam.Env = env
	n.beam.Dir = n.dir
	n.beam.Stdout, n.beam.Stderr = &out, &out
	ownGroup(n.beam)
	if err := n.beam.Start(); err != nil {
		n.beam = nil
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	go func() {
		n.beam.Wait()
		close(n.exit)
	}()
	if err := n.await(ctx); err != nil {
		n.Close()
		return nil, fmt.Errorf("rabbitmq: %w\n%s", err, out.Bytes())
	}
	return n, nil
}

func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

// await waits until both listeners are up, which is the last thing that a node
// does when it boots.
func (n *Node) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // a busy machine takes its time
	defer cancel()
	for _, port := range []int{n.Port, n.TLSPort} {
		for {
			c, err := net.Dial("tcp", n.addr(port))
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-n.exit:
				return errors.New("the node has exited")
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (n *Node) addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Addr is the address of the plain listener.
func (n *Node) Addr() string { return n.addr(n.Port) }

// URL is where an Admin finds a virtual host.
func (n *Node) URL() string {
	return fmt.Sprintf("amqp://%s:%s@%s/", Admin, AdminSecret, n.Addr())
}

// Publish sends messages, by their routing keys, to amq.topic, an exchange that
// every broker has.
func (n *Node) Publish(messages map[string]amqp091.Publishing) error {
	conn, err := amqp091.Dial(n.URL())
	if err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	for key, m := range messages {
		if err := ch.Publish("amq.topic", key, false, false, m); err != nil {
			return fmt.Errorf("rabbitmq: publishing to %s: %w", key, err)
		}
	}
	return nil
}

// PID is the id of the broker's process.
func (n *Node) PID() int { return n.beam.Process.Pid }

// Ctl runs rabbitmqctl on the node, which takes seconds.
func (n *Node) Ctl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(n.sbin, "rabbitmqctl"), args...)
	cmd.Env, cmd.Dir = n.env, n.dir
	return cmd.CombinedOutput()
}

// Freeze stops the broker where it stands, as a machine that hangs.
func (n *Node) Freeze() error { return signalGroup(n.PID(), harness.Freeze) }

// Thaw lets a frozen broker go on.
func (n *Node) Thaw() error { return signalGroup(n.PID(), harness.Thaw) }

// Kill ends the broker at once and waits until it is gone.
func (n *Node) Kill() error {
	err := signalGroup(n.PID(), syscall.SIGKILL)
	<-n.exit
	return err
}

// Close ends everything that Start started. It may be called twice.
func (n *Node) Close() {
	n.once.Do(func() {
		if n.beam != nil {
			select {
			case <-n.exit:
			default:
				n.Kill()
			}
		}
		if n.epmd != nil && n.epmd.Process != nil {
			n.epmd.Process.Kill()
			n.epmd.Wait()
		}
		os.RemoveAll(n.dir)
	})
}

func (n *Node) writeFiles(vhosts, conf []string) error {
	cert, key, roots, err := certificate()
	if err != nil {
		return err
	}
	n.Roots, n.CA, n.caKey = roots, string(cert), key
	definitions, err := definitions(vhosts)
	if err != nil {
		return err
	}
	lines := append([]string{
		"listeners.tcp.1 = " + n.addr(n.Port),
		"listeners.ssl.1 = " + n.addr(n.TLSPort),
		"ssl_options.certfile = " + n.path("cert.pem"),
		"ssl_options.keyfile = " + n.path("key.pem"),
		"ssl_options.cacertfile = " + n.path("cert.pem"),
		"ssl_options.verify = verify_none",
		"ssl_options.fail_if_no_peer_cert = false",
		"load_definitions = " + n.path("definitions.json"),
		"loopback_users = none",
		"disk_free_limit.absolute = 50MB",
		"log.console = false",
		"log.file.level = error",
	}, conf...)
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{"rabbitmq.conf", []byte(strings.Join(lines, "\n") + "\n")},
		{"definitions.json", definitions},
		{"plugins", []byte("[rabbitmq_auth_mechanism_ssl].\n")}, // has no effect until auth_mechanisms names EXTERNAL
		{"env", nil},
		{"cert.pem", cert},
		{"key.pem", key},
	} {
		if err := os.WriteFile(n.path(f.name), f.content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func definitions(names []string) ([]byte, error) {
	type object map[string]any
	var vhosts, users, permissions []object
	for _, v := range names {
		vhosts = append(vhosts, object{"name": v})
		for _, u := range []string{Admin, Odd} {
			permissions = append(permissions, object{"user": u, "vhost": v, "configure": ".*", "write": ".*", "read": ".*"})
		}
	}
	for _, f := range []Feed{Generated, Existing, Prefixed} {
		vhosts = append(vhosts, object{"name": f.Vhost})
		permissions = append(permissions,
			object{"user": f.User, "vhost": f.Vhost, "configure": f.configure, "write": f.write, "read": f.read},
			object{"user": Admin, "vhost": f.Vhost, "configure": ".*", "write": ".*", "read": ".*"})
	}
	permissions = append(permissions, object{"user": Guest, "vhost": "/", "configure": "^$", "write": "^$", "read": "^$"})
	for user, secret := range map[string]string{Admin: AdminSecret, Guest: GuestSecret, Odd: OddSecret,
		Generated.User: Generated.Secret, Existing.User: Existing.Secret, Prefixed.User: Prefixed.Secret} {
		salt := []byte{1, 2, 3, 4}
		sum := sha256.Sum256(append(salt[:4:4], secret...))
		users = append(users, object{"name": user, "tags": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
			"password_hash": base64.StdEncoding.EncodeToString(append(salt[:4:4], sum[:]...))})
	}
	return json.Marshal(object{"vhosts": vhosts, "users": users, "permissions": permissions})
}
