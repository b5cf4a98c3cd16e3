package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/upstream"
)

// identityFlags say who may call, and how callers and this gateway are known.
type identityFlags struct {
	APIKeys        list   `name:"api-keys" placeholder:"[NAME=]KEY,..." help:"API keys to accept, at least 16 bytes each. Without them and --keys-file one is made for this run and printed."`
	KeysFile       string `placeholder:"FILE" help:"JSON list of {name, key_sha256, limits, allow, deny, kinds}: keys by their SHA-256, beside --api-keys. Read again on SIGHUP."`
	TokenSecret    list   `placeholder:"SECRET,..." help:"Signs tokens; at least 32 bytes, and the same in every gateway of a cluster. Of several the first signs and all are accepted. Without it: random."`
	TLSCert        string `name:"tls-cert" placeholder:"FILE" help:"PEM file with a certificate and its chain: serves https and wss. Read again on SIGHUP."`
	TLSKey         string `name:"tls-key" placeholder:"FILE" help:"PEM file with the key of --tls-cert."`
	TrustedProxies list   `placeholder:"CIDR,..." help:"Proxies whose X-Forwarded-For says who the client is."`
	Origins        list   `placeholder:"ORIGIN,..." help:"Ignored: it is for callers that only a host program knows (Options.Origins)."`
}

const minTokenSecret = 32

// An identity is what identityFlags come to: what can change while the gateway
// runs.
type identity struct {
	flags  *identityFlags
	read   fileReader
	keys   *farwire.KeySet
	made   string // the key that was made for this run; empty: there are others
	tokens [][]byte
	shared atomic.Pointer[[][]byte]        // the tokens' secrets as they are now
	cert   atomic.Pointer[tls.Certificate] // nil: no TLS

	readKeys, readTokens func() (list, error) // read the flags' lists, again where they are in files
	inUse                secrets              // what was read last
}

// open reads everything for the first time.
func (f *identityFlags) open(agents list, admin string, log *slog.Logger) (*identity, error) {
	id := &identity{flags: f, read: os.ReadFile, keys: new(farwire.KeySet),
		readKeys: listReader("api-keys", f.APIKeys), readTokens: listReader("token-secret", f.TokenSecret)}
	if len(f.APIKeys) == 0 && f.KeysFile == "" {
		id.made = rand.Text()
	}
	records, err := id.readRecords(f.APIKeys, log)
	if err != nil {
		return nil, err
	}
	if err := id.keys.ReplaceRecords(records); err != nil {
		return nil, misuse("--api-keys: " + strings.TrimPrefix(err.Error(), "farwire: "))
	}
	if id.tokens, err = tokenSecrets(f.TokenSecret); err != nil {
		return nil, err
	}
	id.shared.Store(&id.tokens)
	id.inUse = secrets{records: records, tokens: f.TokenSecret, agents: agents, admin: admin}
	if err := id.inUse.distinct(); err != nil {
		return nil, err
	}
	if err := id.loadCert(); err != nil {
		return nil, err
	}
	id.read = readAgain
	return id, nil
}

// readRecords returns all keys: those of the flag, those of the file, and the one that
// was made. No error repeats a word of the flag, because any may be a key.
func (id *identity) readRecords(entries list, log *slog.Logger) ([]farwire.KeyRecord, error) {
	keys := make(map[string]farwire.Principal)
	if id.made != "" {
		// Another one is made when the gateway starts again. It goes by the same id,
		// so that the sites which this one enrolled are crawled then, too.
		keys[id.made] = farwire.Principal{Subject: "key-1", KeyID: "made-at-start"}
	}
	for i, entry := range entries {
		name, key, named := strings.Cut(entry, "=")
		if !named {
			name, key = fmt.Sprintf("key-%d", i+1), entry
		}
		switch {
		case name == "":
			return nil, misusef("--api-keys: entry %d has no name before its =; write name=key", i+1)
		case !safetext.IsPlain(name):
			return nil, misusef("--api-keys: the name of entry %d begins or ends with white space, or has a character that nobody sees", i+1)
		case len(key) < farwire.MinKeyLength:
			return nil, misusef("--api-keys: the key of entry %d has %d bytes; give at least %d, and a name=key where the key holds an =",
				i+1, len(key), farwire.MinKeyLength)
		case keys[key].Subject != "":
			return nil, misusef("--api-keys: the key of entry %d is there already; give each key once", i+1)
		case farwire.WeakKey(key):
			log.Warn("a key is easily guessed: it has fewer than 8 different bytes; make one with openssl rand -hex 16", "flag", "--api-keys", "entry", i+1)
		}
		keys[key] = farwire.Principal{Subject: name}
	}
	records, err := farwire.KeyRecords(keys)
	if err != nil || id.flags.KeysFile == "" {
		return records, err
	}
	text, err := readFile("--keys-file", id.flags.KeysFile, id.read)
	if err != nil {
		return nil, err
	}
	more, err := farwire.ParseKeysFile(text)
	if err != nil {
		return nil, misusef("--keys-file: %s: %v", id.flags.KeysFile, err)
	}
	seen := make(map[[sha256.Size]byte]bool)
	for _, r := range records {
		seen[r.Hash] = true
	}
	for i, r := range more {
		if seen[r.Hash] {
			return nil, misusef("--keys-file: %s: entry %d is a key of --api-keys too; give it once", id.flags.KeysFile, i+1)
		}
	}
	return append(records, more...), nil
}

// tokenSecrets checks what signs tokens.
func tokenSecrets(secrets list) ([][]byte, error) {
	var keys [][]byte
	for i, s := range secrets {
		if len(s) < minTokenSecret {
			return nil, misusef("--token-secret: %d bytes; give at least %d, such as the output of openssl rand -hex 32", len(s), minTokenSecret)
		}
		for _, before := range secrets[:i] {
			if before == s {
				return nil, misusef("--token-secret: secret %d is there already; give each once", i+1)
			}
		}
		keys = append(keys, []byte(s))
	}
	return keys, nil
}

// readFile reads a file that a flag names.
func readFile(flag, name string, read fileReader) ([]byte, error) {
	b, err := read(name)
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, misusef("%s: %s: cannot be read: %v; give a file that this user may read", flag, name, path.Err)
	}
	if hasByteOrderMark(b) {
		return nil, misusef("%s: %s: begins with a byte order mark; save it as UTF-8 without one", flag, name)
	}
	return b, err
}

func (id *identity) loadCert() error {
	f := id.flags
	switch {
	case f.TLSCert == "" && f.TLSKey == "":
		return nil
	case f.TLSKey == "":
		return misuse("--tls-key: missing; give the PEM file with the key of --tls-cert")
	case f.TLSCert == "":
		return misuse("--tls-cert: missing; give the PEM file with the certificate of --tls-key")
	}
	cert, err := readFile("--tls-cert", f.TLSCert, id.read)
	if err != nil {
		return err
	}
	key, err := readFile("--tls-key", f.TLSKey, id.read)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err != nil && upstream.IsEncrypted(key):
		return misusef("--tls-key: %s is encrypted; give it without a passphrase: openssl pkey -in FILE -out PLAIN", f.TLSKey)
	case err != nil:
		return misusef("--tls-cert: %s: %s; give a PEM certificate and its own key", f.TLSCert, strings.TrimPrefix(err.Error(), "tls: "))
	}
	id.cert.Store(&pair)
	return nil
}

// tlsConfig is the server's; nil without a certificate.
func (id *identity) tlsConfig() *tls.Config {
	if id.cert.Load() == nil {
		return nil
	}
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.cert.Load(), nil }}
}

// clientAddr says who the client of a request is.
func (f *identityFlags) clientAddr() (func(*http.Request) netip.Addr, []netip.Prefix, error) {
	var trusted []netip.Prefix
	for _, s := range f.TrustedProxies {
		p, ok := readPrefix(s)
		if !ok {
			return nil, nil, misusef("--trusted-proxies: %q is not an address or a CIDR; write it as 10.0.0.0/8", s)
		}
		trusted = append(trusted, p)
	}
	if trusted == nil {
		return nil, nil, nil
	}
	return farwire.TrustedProxies(trusted...), trusted, nil
}

// reloadOnHangup reads everything again on SIGHUP, until stop is called. What cannot be
// read or is refused leaves what was there, with one line that names its flag.
func (id *identity) reloadOnHangup(ctx context.Context, h hangups, g *farwire.Gateway, log *slog.Logger, others ...func() error) (stop func()) {
	return h.do(ctx, func(ctx context.Context) { id.reload(ctx, g, log, others) })
}

func (id *identity) reload(ctx context.Context, g *farwire.Gateway, log *slog.Logger, others []func() error) {
	keys := func() error { return id.reloadKeys(ctx, g, log) }
	tokens := func() error { return id.reloadTokens(g) }
	refused := 0
	for _, again := range append([]func() error{keys, tokens, id.loadCert}, others...) {
		if err := again(); err != nil {
			refused++
			log.Error("cannot be read again; the previous value stays in use", "err", err)
		}
	}
	log.Info("reload ended", "refused", refused)
}

func (id *identity) reloadKeys(ctx context.Context, g *farwire.Gateway, log *slog.Logger) error {
	if id.made != "" {
		return nil // there is no other
	}
	keys, err := id.readKeys()
	if err != nil {
		return err
	}
	records, err := id.readRecords(keys, log)
	if err != nil {
		return err
	}
	next := id.inUse
	next.records = records
	if next.distinct() != nil {
		return misuse("--api-keys, --keys-file: a key is also --token-secret, --agent-secret, a token of --agents-file or --admin-key; give another one")
	}
	if err := id.keys.ReplaceRecords(records); err != nil {
		return misuse("--api-keys: " + strings.TrimPrefix(err.Error(), "farwire: "))
	}
	id.inUse = next
	log.Info("keys read again", "keys", len(records), "sessions_ended", g.EndRevoked(ctx))
	return nil
}

func (id *identity) reloadTokens(g *farwire.Gateway) error {
	read, err := id.readTokens()
	if err != nil || len(read) == 0 {
		return err // without secrets the random one stays
	}
	tokens, err := tokenSecrets(read)
	if err != nil {
		return err
	}
	next := id.inUse
	next.tokens = read
	return id.admit(next, func() error {
		id.shared.Store(&tokens)
		return g.SetTokenKeys(tokens)
	})
}

// clusterSecrets are those by which gateways know each other.
func (id *identity) clusterSecrets() [][]byte { return *id.shared.Load() }

// listReader returns what reads a flag's list anew: from the file of its variable
// when first came from there, else first as it is, since a flag beats its variable.
func listReader(flag string, first list) func() (list, error) {
	parse := func(read fileReader) (fresh list, found bool, err error) {
		value, found, err := secretFile(flag, read)
		if err != nil || !found {
			return nil, found, err
		}
		if err := fresh.UnmarshalText([]byte(value)); err != nil {
			return nil, true, misusef("--%s: %v (in the file of %s)", flag, err, variable(flag)+fileSuffix)
		}
		return fresh, true, nil
	}
	if now, found, err := parse(readUnlessPipe); !found || err != nil || !slices.Equal(now, first) {
		return func() (list, error) { return first, nil }
	}
	return func() (list, error) {
		fresh, _, err := parse(readAgain)
		return fresh, err
	}
}
