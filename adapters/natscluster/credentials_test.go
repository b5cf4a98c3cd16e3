package natscluster_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A login is what a gateway shows NATS, and what no log may show.
type login struct {
	options natscluster.Options
	secrets []string
}

// openAs opens the place of a gateway, and returns it with all that it logs.
func openAs(t *testing.T, l login, name string) (*natscluster.Cluster, *harness.Log) {
	t.Helper()
	log := new(harness.Log)
	o := l.options
	o.Name, o.Secrets = name, func() [][]byte { return [][]byte{[]byte(secret)} }
	o.Logger = log.Logger()
	c, err := natscluster.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	c.Join(agent.Member{Holding: func() agent.Holding { return agent.Holding{Gateway: name, URL: "http://127.0.0.1:1"} },
		Heard: func(agent.Holding) {}, Lost: func(string) {}})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for _, s := range l.secrets {
			if log.Count(s) > 0 {
				t.Errorf("%s: the log shows %q:\n%s", name, s, log)
			}
		}
	})
	return c, log
}

// Each way to be let in by a NATS server, and what is not let in by it.
func TestOpen_Credentials_AreShownToNATSAlone(t *testing.T) {
	const password, token = `p"ä:hidden/x@word`, "the-token-of-nats"
	ca, other := harness.NewCertificate(t), harness.NewCertificate(t)
	key, err := os.ReadFile(ca.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	accounts := newAccounts(t)
	with := func(user, host string) string { return "nats://" + user + "@" + host }
	escaped := url.UserPassword("gateway", password).String()
	for name, c := range map[string]struct {
		server  []string
		in, out func(addr string) login
	}{
		"token": {
			[]string{"--auth", token},
			func(addr string) login {
				return login{natscluster.Options{URL: with(token, addr)}, []string{token}}
			},
			func(addr string) login {
				return login{natscluster.Options{URL: with("another-token", addr)}, []string{"another-token"}}
			},
		},
		"user and password": {
			[]string{"--user", "gateway", "--pass", password},
			func(addr string) login {
				return login{natscluster.Options{URL: with(escaped, addr)}, []string{password, escaped, "hidden/x", "hidden%2Fx"}}
			},
			func(addr string) login {
				return login{natscluster.Options{URL: with("gateway:wrong-secret", addr)}, []string{"wrong-secret"}}
			},
		},
		"credentials": {
			[]string{"--config", accounts.config},
			func(addr string) login {
				return login{natscluster.Options{URL: "nats://" + addr, Credentials: accounts.file}, accounts.secrets}
			},
			func(addr string) login {
				return login{natscluster.Options{URL: "nats://" + addr, Credentials: accounts.foreign}, accounts.secrets}
			},
		},
		"TLS": {
			[]string{"--tls", "--tlscert", ca.CertFile, "--tlskey", ca.KeyFile},
			func(addr string) login { return login{natscluster.Options{URL: "tls://" + addr, CA: ca.CAFile}, nil} },
			func(addr string) login {
				return login{natscluster.Options{URL: "tls://" + addr, CA: other.CAFile}, nil}
			},
		},
		"a client's certificate": {
			[]string{"--tls", "--tlscert", ca.CertFile, "--tlskey", ca.KeyFile, "--tlscacert", ca.CAFile, "--tlsverify"},
			func(addr string) login {
				return login{natscluster.Options{URL: "tls://" + addr, CA: ca.CAFile, Certificate: ca.CertFile, Key: ca.KeyFile}, []string{string(key)}}
			},
			func(addr string) login { return login{natscluster.Options{URL: "tls://" + addr, CA: ca.CAFile}, nil} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.NATS(t, c.server...)
			one, _ := openAs(t, c.in(s.Addr), "one")
			two, _ := openAs(t, c.in(s.Addr), "two")
			outside, log := openAs(t, c.out(s.Addr), "outside")
			eventually(t, "the gateways hear of each other", func() bool { return one.Stats().Gateways == 2 && two.Stats().Gateways == 2 })
			eventually(t, "who is not let in says so", func() bool { return log.Count("level=WARN") > 0 })
			if outside.Connected() || outside.Stats().Gateways != 1 {
				t.Error("whoever shows something else is let in")
			}
			if n := log.Count("level=WARN"); n != 1 {
				t.Errorf("%d lines warn", n)
			}
			s.Kill()
			eventually(t, "NATS is unavailable", func() bool { return !one.Connected() })
			s.Start()
			eventually(t, "they are let in again", func() bool { return one.Connected() && two.Connected() })
		})
	}
}

// The error of a URL that cannot be parsed does not hold the URL's secrets.
func TestOpen_InvalidURL_ErrorHidesItsUser(t *testing.T) {
	for _, u := range []string{
		"nats://gateway:hidden-word@host:port", "nats://hidden-word@[::1", "nats://gateway:hidden-word%zz@host", "nats://gateway:hidden-word\"\\\x01@host",
		"gateway:hidden-word@host:port", "nats://host:1, nats://gateway:hidden-word@:x y", "ftp://gateway:hidden-word@host",
	} {
		c, err := natscluster.Open(natscluster.Options{URL: u, Name: "one", Logger: slog.New(slog.DiscardHandler),
			Secrets: func() [][]byte { return [][]byte{[]byte(secret)} }})
		if err == nil {
			c.Close()
			continue // a server that cannot be reached
		}
		if strings.Contains(err.Error(), "hidden-word") || !strings.Contains(err.Error(), "Options.URL") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// accounts are those of a NATS server that knows its users by the account's
// signature.
type accounts struct {
	config        string // of the server
	file, foreign string // credentials of a user, and of one whose account is unknown
	secrets       []string
}

func newAccounts(t *testing.T) (a accounts) {
	t.Helper()
	dir := t.TempDir()
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return k, public
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	operator, operatorName := pair(nkeys.CreateOperator)
	credentials := func(file string) (path, accountName, accountToken string) {
		account, accountName := pair(nkeys.CreateAccount)
		user, userName := pair(nkeys.CreateUser)
		limits := map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1}
		accountToken = signed(t, operator, operatorName, accountName, map[string]any{"type": "account", "version": 2, "limits": limits})
		userToken := signed(t, account, accountName, userName, map[string]any{"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1})
		seed, err := user.Seed()
		if err != nil {
			t.Fatal(err)
		}
		a.secrets = append(a.secrets, string(seed), userToken)
		return write(file, fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"+
			"-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", userToken, seed)), accountName, accountToken
	}
	var account, token string
	a.file, account, token = credentials("gateway.creds")
	a.foreign, _, _ = credentials("foreign.creds")
	self := signed(t, operator, operatorName, operatorName, map[string]any{"type": "operator", "version": 2})
	a.config = write("nats.conf", fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n", self, account, token))
	return a
}

// signed makes a token of NATS.
func signed(t *testing.T, by nkeys.KeyPair, issuer, subject string, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"typ": "JWT", "alg": "ed25519-nkey"}) + "." +
		part(map[string]any{"jti": subject, "iat": time.Now().Unix(), "iss": issuer, "sub": subject, "name": "test", "nats": claims})
	signature, err := by.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
