package natscluster

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func (c *Cluster) options() ([]nats.Option, error) {
	log := c.o.Logger
	options := []nats.Option{
		nats.Name(c.o.Name), nats.NoEcho(), nats.Timeout(2 * time.Second),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, 500*time.Millisecond),
		nats.IgnoreAuthErrorAbort(), // the secret on the other side may be about to change
		nats.ReconnectBufSize(-1),   // what was said before a loss is stale after it
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err == nil {
				return // closed by us
			}
			log.Warn("NATS is unavailable: this gateway goes on with the agents that it holds itself", "err", withoutURL(err, c.o.URL))
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if !c.everConnected.Swap(true) { // NATS was never available, and the log has not said so
				log.Warn("NATS cannot be reached yet: this gateway goes on with the agents that it holds itself", "err", withoutURL(err, c.o.URL))
			}
		}),
		nats.ConnectHandler(func(*nats.Conn) { // of a first attempt that failed, too
			c.everConnected.Store(true)
			c.connected()
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			log.Info("NATS is available again")
			c.connected()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Debug("NATS reports an error", "err", withoutURL(err, c.o.URL))
		}),
	}
	if file := c.o.Credentials; file != "" {
		if err := checkCredentials(file); err != nil {
			return nil, fmt.Errorf("natscluster: Options.Credentials: %w", err)
		}
		options = append(options, nats.UserCredentials(file))
	}
	if file := c.o.CA; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("natscluster: Options.CA: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("natscluster: Options.CA: %s holds no PEM certificate", file)
		}
		options = append(options, nats.RootCAs(file))
	}
	if c.o.Certificate != "" || c.o.Key != "" {
		if _, err := tls.LoadX509KeyPair(c.o.Certificate, c.o.Key); err != nil {
			return nil, fmt.Errorf("natscluster: Options.Certificate: %w", err)
		}
		options = append(options, nats.ClientCert(c.o.Certificate, c.o.Key))
	}
	return options, nil
}

// checkURLs reports why a list of URLs cannot be one of NATS servers. It shows no user.
func checkURLs(list string) error {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		rest, _ := cutUser(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		switch {
		case err != nil:
			return fmt.Errorf("%q is not a URL; special characters in its user and password are percent-encoded", rest)
		case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			return fmt.Errorf("%q is not a NATS URL; want nats://, tls://, ws:// or wss://", rest)
		case u.Hostname() == "":
			return fmt.Errorf("%q names no host", rest)
		}
		if n, err := strconv.ParseUint(cmp.Or(u.Port(), "4222"), 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q: the port is not between 1 and 65535", rest)
		}
	}
	return nil
}

// checkCredentials reports why a file cannot be a user's credentials.
func checkCredentials(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	key, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return fmt.Errorf("%s holds no user's JWT and seed", file)
	}
	key.Wipe()
	return nil
}

// withoutURL is an error that shows no credentials.
func withoutURL(err error, urls string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for u := range strings.SplitSeq(urls, ",") {
		rest, secrets := cutUser(strings.TrimSpace(u))
		if len(secrets) == 0 {
			continue
		}
		text = strings.ReplaceAll(text, strings.TrimSpace(u), rest)
		for _, s := range secrets {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return errors.New(text)
}

// cutUser takes the user out of a URL. The secrets are the spellings of what stood
// there, the longest first, as errors may have them.
func cutUser(u string) (rest string, secrets []string) {
	scheme, tail, ok := strings.Cut(u, "://")
	if !ok {
		scheme, tail = "nats", u
	}
	at := strings.LastIndex(tail, "@")
	if at < 0 {
		return u, nil
	}
	user, password, found := strings.Cut(tail[:at], ":")
	if !found {
		password = user // a token
	}
	for _, s := range []string{tail[:at], password} {
		secrets = append(secrets, s, strings.Trim(strconv.Quote(s), `"`))
		if plain, err := url.PathUnescape(s); err == nil {
			secrets = append(secrets, plain, strings.Trim(strconv.Quote(plain), `"`))
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
	slices.SortStableFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return scheme + "://" + tail[at+1:], secrets
}
