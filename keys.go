package farwire

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/farwire/farwire/internal/jsonobject"
)

// MinKeyLength is the length, in bytes, of the shortest API key that a KeySet
// takes.
const MinKeyLength = 16

// APIKeys returns an Authenticator for a fixed set of keys: a map from key to
// subject. It is a [KeySet] of principals that have a subject alone.
func APIKeys(keys map[string]string) (Authenticator, error) {
	principals := make(map[string]Principal, len(keys))
	for key, subject := range keys {
		principals[key] = Principal{Subject: subject}
	}
	return NewKeySet(principals)
}

// A KeySet is an [Authenticator] and a [KeyLookuper] for a set of API keys that
// can be replaced while it is in use. Keys are kept as SHA-256 sums and compared
// in constant time. It is safe for concurrent use.
type KeySet struct{ set atomic.Pointer[keySet] }

// A KeyRecord admits one API key, which it knows by its hash alone.
type KeyRecord struct {
	Hash      [sha256.Size]byte // SHA-256 of the key
	Principal Principal         // its KeyID is made from the hash when it is empty
}

// NewKeySet returns a KeySet: a map from key to principal, whose KeyID may be
// left out. An empty set, an empty key, one shorter than [MinKeyLength] bytes, as
// from an unset environment variable, an empty subject or a rule that is not
// valid is an error, which never holds the key. Several keys may name one subject,
// none a KeyID of another.
func NewKeySet(keys map[string]Principal) (*KeySet, error) {
	s := new(KeySet)
	return s, s.Replace(keys)
}

// Replace puts other keys in place of those that are there. On an error these
// stay. [Gateway.EndRevoked] ends the sessions of keys that are gone.
func (s *KeySet) Replace(keys map[string]Principal) error {
	records, err := KeyRecords(keys)
	if err != nil {
		return err
	}
	return s.ReplaceRecords(records)
}

// ReplaceRecords is Replace for keys that are known by their hashes.
func (s *KeySet) ReplaceRecords(records []KeyRecord) error {
	if len(records) == 0 {
		return errors.New("farwire: no API keys")
	}
	set := &keySet{byID: make(map[string]Principal, len(records))}
	for _, r := range records {
		p := r.Principal
		if p.Subject == "" {
			return errors.New("farwire: an API key has no subject")
		}
		if _, err := p.rules(); err != nil {
			return fmt.Errorf("farwire: the rules of %q: %w", p.Subject, err)
		}
		if p.KeyID == "" {
			p.KeyID = keyID(r.Hash)
		}
		_, sameID := set.byID[p.KeyID]
		if sameID || slices.Contains(set.sums, r.Hash) {
			return fmt.Errorf("farwire: a key of %q is there twice", p.Subject)
		}
		set.sums, set.ids = append(set.sums, r.Hash), append(set.ids, p.KeyID)
		set.byID[p.KeyID] = p
	}
	s.set.Store(set)
	return nil
}

// KeyRecords makes records of keys, under the rules of [NewKeySet].
func KeyRecords(keys map[string]Principal) ([]KeyRecord, error) {
	records := make([]KeyRecord, 0, len(keys))
	for key, p := range keys {
		switch {
		case key == "":
			return nil, fmt.Errorf("farwire: the API key of %q is empty", p.Subject)
		case len(key) < MinKeyLength:
			return nil, fmt.Errorf("farwire: the API key of %q has %d bytes; at least %d are needed", p.Subject, len(key), MinKeyLength)
		}
		records = append(records, KeyRecord{sha256.Sum256([]byte(key)), p})
	}
	return records, nil
}

type keySet struct {
	sums [][sha256.Size]byte
	ids  []string // of the keys in sums
	byID map[string]Principal
}

// Authenticate compares with every key, so that the time tells nothing about
// which came close.
func (s *KeySet) Authenticate(ctx context.Context, c Credentials) (Principal, error) {
	sum := sha256.Sum256([]byte(c.Key))
	found := -1
	set := s.set.Load()
	for i := range set.sums {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], set.sums[i][:]), i, found)
	}
	if found < 0 {
		return Principal{}, ErrUnauthorized
	}
	return set.byID[set.ids[found]], nil
}

// Lookup returns the principal behind a key id.
func (s *KeySet) Lookup(_ context.Context, keyID string) (Principal, error) {
	p, ok := s.set.Load().byID[keyID]
	if !ok {
		return Principal{}, ErrUnauthorized
	}
	return p, nil
}

// KeyIDs returns the ids of all keys, in no order.
func (s *KeySet) KeyIDs() []string { return slices.Collect(maps.Keys(s.set.Load().byID)) }

// keyID names a key without giving it away: the same in every gateway that
// knows the key or its hash, and not the sum that keys are compared by.
func keyID(hash [sha256.Size]byte) string {
	sum := sha256.Sum256(append([]byte("farwire key id\x00"), hash[:]...))
	return hex.EncodeToString(sum[:8])
}

// WeakKey reports whether a key looks as if a person had made it up: fewer than
// 8 different bytes. What a random generator prints, in hex or base64, has more.
func WeakKey(key string) bool {
	var seen [256]bool
	n := 0
	for i := range len(key) {
		if !seen[key[i]] {
			seen[key[i]] = true
			n++
		}
	}
	return n < 8
}

// A keyEntry is one entry of a keys file.
type keyEntry struct {
	Name   *string     `json:"name"`
	Hash   *string     `json:"key_sha256"`
	Limits *fileLimits `json:"limits"`
	Allow  *[]string   `json:"allow"`
	Deny   *[]string   `json:"deny"`
	Kinds  *[]Kind     `json:"kinds"`
}

// fileLimits are the limits of a keys file: at least 1, or -1 for none.
type fileLimits struct {
	Rate        *float64 `json:"rate"`
	Burst       *int     `json:"burst"`
	HTTPRate    *float64 `json:"http_rate"`
	HTTPBurst   *int     `json:"http_burst"`
	Sessions    *int     `json:"sessions"`
	Streams     *int     `json:"streams"`
	Crawls      *int     `json:"crawls"`
	PagesPerDay *int     `json:"pages_per_day"`
	Sites       *int     `json:"sites"`
	BytesPerDay *int64   `json:"bytes_per_day"`
}

// ParseKeysFile reads a keys file: a JSON list of {"name", "key_sha256",
// "limits", "allow", "deny", "kinds"}, of which the first two must be there. A
// typing error never opens what was meant to be closed: an unknown name, a null, an
// empty list, a hash that is not 64 lower-case hex digits or comes twice, and a
// limit that is neither at least 1 nor -1 are errors, which name the entry.
func ParseKeysFile(text []byte) ([]KeyRecord, error) {
	var entries []jsontext.Value
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("not a JSON list of entries: %w", jsonobject.Error(err))
	}
	if len(entries) == 0 {
		return nil, errors.New("the list is empty; without keys nobody may call")
	}
	records := make([]KeyRecord, 0, len(entries))
	seen := make(map[[sha256.Size]byte]int)
	for i, raw := range entries {
		r, err := parseKeyEntry(raw)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		if first, twice := seen[r.Hash]; twice {
			return nil, fmt.Errorf("entry %d: key_sha256 is that of entry %d", i+1, first)
		}
		seen[r.Hash] = i + 1
		records = append(records, r)
	}
	return records, nil
}

func parseKeyEntry(raw jsontext.Value) (r KeyRecord, err error) {
	var e keyEntry
	if err := jsonobject.UnmarshalStrict(raw, &e); err != nil {
		return r, err
	}
	switch {
	case e.Name == nil || *e.Name == "":
		return r, errors.New("name is missing")
	case e.Hash == nil || len(*e.Hash) != hex.EncodedLen(sha256.Size):
		return r, errors.New("key_sha256 must be 64 lower-case hex digits")
	}
	sum, err := hex.DecodeString(*e.Hash)
	if err != nil || hex.EncodeToString(sum) != *e.Hash {
		return r, errors.New("key_sha256 must be 64 lower-case hex digits")
	}
	r.Hash = [sha256.Size]byte(sum)
	r.Principal.Subject = *e.Name
	if e.Limits != nil {
		if r.Principal.Limits, err = e.Limits.limits(); err != nil {
			return r, err
		}
	}
	if err := r.Principal.restrict(e.Allow, e.Deny, e.Kinds); err != nil {
		return r, err
	}
	return r, nil
}

// restrict takes rules from a file or a request, where an empty list is an error.
func (p *Principal) restrict(allow, deny *[]string, kinds *[]Kind) error {
	if allow != nil {
		if p.Allow = *allow; len(p.Allow) == 0 {
			return errors.New("allow is empty; leave it out to allow everything")
		}
	}
	if deny != nil {
		if p.Deny = *deny; len(p.Deny) == 0 {
			return errors.New("deny is empty; leave it out")
		}
	}
	if kinds != nil {
		if p.Kinds = *kinds; len(p.Kinds) == 0 {
			return errors.New("kinds is empty; leave it out to allow every kind")
		}
	}
	_, err := p.rules()
	return err
}

func (f *fileLimits) limits() (l Limits, err error) {
	for _, rate := range []struct {
		name string
		from *float64
		to   *float64
	}{{"rate", f.Rate, &l.Rate}, {"http_rate", f.HTTPRate, &l.HTTPRate}} {
		switch {
		case rate.from == nil:
		case *rate.from > 0 || *rate.from == -1:
			*rate.to = *rate.from
		default:
			return l, fmt.Errorf("limits: %s is %v; give more than 0, or -1 for no limit", rate.name, *rate.from)
		}
	}
	if f.BytesPerDay != nil {
		if l.BytesPerDay = *f.BytesPerDay; l.BytesPerDay < 1 && l.BytesPerDay != -1 {
			return l, fmt.Errorf("limits: bytes_per_day is %d; give at least 1, or -1 for no limit", l.BytesPerDay)
		}
	}
	for _, n := range []struct {
		name string
		from *int
		to   *int
	}{
		{"burst", f.Burst, &l.Burst}, {"http_burst", f.HTTPBurst, &l.HTTPBurst}, {"sessions", f.Sessions, &l.Sessions},
		{"streams", f.Streams, &l.Streams}, {"crawls", f.Crawls, &l.Crawls},
		{"pages_per_day", f.PagesPerDay, &l.PagesPerDay}, {"sites", f.Sites, &l.Sites},
	} {
		switch {
		case n.from == nil:
		case *n.from >= 1 || *n.from == -1:
			*n.to = *n.from
		default:
			return l, fmt.Errorf("limits: %s is %d; give at least 1, or -1 for no limit", n.name, *n.from)
		}
	}
	return l, nil
}
