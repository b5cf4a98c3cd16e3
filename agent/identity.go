package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// A Record is an agent that has a token of its own. The pool takes slug and
// country from the record, whatever the agent claims.
type Record struct {
	Slug        string `json:"slug"`
	Country     string `json:"country"`
	TokenSHA256 string `json:"token_sha256"` // of the token, in lower-case hex

	// Exclusive lets only one agent of this slug serve at a time, the newest.
	// The others are told why, finish their sessions, and come back when it is
	// gone.
	Exclusive bool `json:"exclusive,omitempty"`
}

// An identity is what a token proves: a record, or if that is nil knowledge of
// a shared secret.
type identity struct {
	record *Record
	sum    [32]byte // of the token
}

// MinSecretLength is the length, in bytes, of the shortest secret that agents can share.
// The token of a [Record] may be shorter.
const MinSecretLength = 16

// hashSecrets checks secrets and keeps their hashes; field names them in errors.
func hashSecrets(field string, secrets []string) (map[[32]byte]bool, error) {
	hashes := make(map[[32]byte]bool, len(secrets))
	for _, secret := range secrets {
		if len(secret) < MinSecretLength {
			return nil, fmt.Errorf("agent: %s has %d bytes, want at least %d", field, len(secret), MinSecretLength)
		}
		if !fitsHeader(secret) {
			return nil, fmt.Errorf("agent: %s has a space at an end, or characters that no header can carry", field)
		}
		hashes[sha256.Sum256([]byte(secret))] = true
	}
	return hashes, nil
}

func hashRecords(field string, list []Record, secrets map[[32]byte]bool) (map[[32]byte]*Record, error) {
	records := make(map[[32]byte]*Record, len(list))
	nothing := sha256.Sum256(nil)
	for i, r := range list {
		fail := func(err error) (map[[32]byte]*Record, error) {
			return nil, fmt.Errorf("agent: %s[%d]: %w", field, i, err)
		}
		e := Exit{Slug: r.Slug, Country: r.Country}
		if err := e.checkName(); err != nil {
			return fail(err)
		}
		r.Country = e.Country
		raw, err := hex.DecodeString(r.TokenSHA256)
		if err != nil || len(raw) != sha256.Size || r.TokenSHA256 != strings.ToLower(r.TokenSHA256) {
			return fail(errors.New("token_sha256 is not 64 digits of lower-case hex"))
		}
		sum := [32]byte(raw)
		if sum == nothing {
			return fail(errors.New("token_sha256 is that of an empty token"))
		}
		if records[sum] != nil || secrets[sum] {
			return fail(errors.New("token_sha256 is in use already"))
		}
		records[sum] = &r
	}
	return records, nil
}

// SetSecrets replaces the secrets that agents share. There may be several while
// they change; none means that only agents with a record attach. A link stays
// when its secret is gone, until the agent has to attach again. On an error
// nothing changes.
func (p *Pool) SetSecrets(secrets []string) error {
	hashes, err := hashSecrets("a secret", secrets)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.local && len(hashes) > 0 {
		return errors.New("agent: the pool is LocalOnly")
	}
	for sum := range hashes {
		if p.records[sum] != nil {
			return errors.New("agent: a secret is also the token of a record")
		}
	}
	p.secrets = hashes
	return nil
}

// SetRecords replaces the records. An agent whose record is gone, or has
// another slug or country now, loses its links, and its sessions are cut. So do
// agents of the shared secret whose slug has a record now. On an error nothing
// changes.
//
// In a cluster the other gateways are told of records that are gone, and treat
// theirs as gone for a day.
func (p *Pool) SetRecords(records []Record) error {
	p.publishing.Lock()
	defer p.publishing.Unlock()
	gone, back, err := p.setRecords(records)
	if err != nil {
		return err
	}
	p.mu.Lock()
	publish := p.publishRecord
	p.mu.Unlock()
	if publish == nil {
		return nil
	}
	for _, id := range gone {
		publish(id, false)
	}
	for _, id := range back {
		publish(id, true)
	}
	return nil
}

// setRecords returns the ids of the records that are gone, and of those that were and
// are back.
func (p *Pool) setRecords(records []Record) (gone, back []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hashed, err := hashRecords("record ", records, p.secrets)
	if err != nil {
		return nil, nil, err
	}
	if p.local && len(hashed) > 0 {
		return nil, nil, errors.New("agent: the pool is LocalOnly")
	}
	for _, r := range hashed {
		for _, e := range p.entries {
			if e.own != nil && strings.EqualFold(e.exit.Slug, r.Slug) {
				return nil, nil, fmt.Errorf("agent: the slug %q of a record belongs to this gateway's own exit", r.Slug)
			}
		}
	}
	now := make(map[string]bool, len(hashed))
	for _, r := range hashed {
		id := r.id()
		if now[id] = true; p.goneRecords[id] {
			delete(p.goneRecords, id)
			back = append(back, id)
		}
	}
	for _, r := range p.records {
		if id := r.id(); !now[id] {
			p.goneRecords[id] = true
			gone = append(gone, id)
		}
	}
	p.records = hashed
	p.dismissUnrecorded()
	return gone, back, nil
}

// dismissUnrecorded ends the links of agents that no record, or another one, stands
// for now. The caller holds mu.
func (p *Pool) dismissUnrecorded() {
	for _, e := range p.entries {
		for _, l := range e.links {
			switch {
			case l.who.record == nil && p.recorded(l.exit.Slug):
				p.dismiss([]*link{l}, fmt.Sprintf("slug %q has a token of its own", l.exit.Slug))
			case l.who.record != nil && !p.stands(l.who):
				p.dismiss([]*link{l}, recordGone)
			}
		}
	}
}

const recordGone = "the record of this agent is gone"

// id names a record without giving its token's hash away: the same at every gateway
// that has it.
func (r *Record) id() string {
	sum := sha256.Sum256([]byte("farwire agent record\x00" + strings.ToLower(r.Slug) + "/" + r.Country + " " + r.TokenSHA256))
	return hex.EncodeToString(sum[:8])
}

// ShareRecords calls publish with the ids of records that SetRecords removes,
// and of those that it restores. A gateway with a Bus uses it.
func (p *Pool) ShareRecords(publish func(id string, restored bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publishRecord = publish
}

// RevokeRecord treats a record as gone until a time, as another gateway says;
// its agents lose their links. A time in the past restores it.
func (p *Pool) RevokeRecord(id string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revokedRecords[id] = until
	now := time.Now()
	maps.DeleteFunc(p.revokedRecords, func(_ string, until time.Time) bool { return !now.Before(until) })
	p.dismissUnrecorded()
}

// revoked reports whether another gateway says that a record is gone. The caller
// holds mu.
func (p *Pool) revoked(r *Record) bool {
	return len(p.revokedRecords) > 0 && time.Now().Before(p.revokedRecords[r.id()])
}

// stands reports whether the record that let an agent in is there and says the
// same. The caller holds mu.
func (p *Pool) stands(who identity) bool {
	r := p.records[who.sum]
	return r != nil && r.Slug == who.record.Slug && r.Country == who.record.Country && !p.revoked(r)
}

// fitsHeader reports whether a secret arrives as it was sent.
func fitsHeader(secret string) bool {
	return strings.TrimSpace(secret) == secret &&
		!strings.ContainsFunc(secret, func(c rune) bool { return c < ' ' || c > '~' })
}

// tokenOf returns the token of an attach request; empty without one.
func tokenOf(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// authenticate tells who holds a token. Only hashes are kept and compared, each in
// constant time, so that how long it takes says nothing of a token.
func (p *Pool) authenticate(token string) (identity, bool) {
	if token == "" {
		return identity{}, false
	}
	who := identity{sum: sha256.Sum256([]byte(token))}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := 0
	for known, record := range p.records {
		if subtle.ConstantTimeCompare(known[:], who.sum[:]) == 1 {
			who.record, found = record, 1
		}
	}
	for known := range p.secrets {
		found |= subtle.ConstantTimeCompare(known[:], who.sum[:])
	}
	return who, found == 1
}

// refuses says why an agent may not have a slug, if it may not. The caller holds
// mu.
func (p *Pool) refuses(who identity, slug string) string {
	switch {
	case who.record == nil && p.recorded(slug):
		return fmt.Sprintf("slug %q has a token of its own", slug)
	case who.record != nil && !p.stands(who):
		return recordGone
	}
	for _, e := range p.entries {
		if e.own != nil && strings.EqualFold(e.exit.Slug, slug) {
			return fmt.Sprintf("slug %q belongs to this gateway's own exit", slug)
		}
	}
	return ""
}

// recorded reports whether a record speaks for the slug, so that a shared secret
// cannot claim it. The caller holds mu.
func (p *Pool) recorded(slug string) bool {
	for _, r := range p.records {
		if strings.EqualFold(r.Slug, slug) {
			return true
		}
	}
	return false
}

// exclusive reports whether one agent of the slug serves at a time. The caller
// holds mu.
func (p *Pool) exclusive(slug string) bool {
	for _, r := range p.records {
		if r.Exclusive && strings.EqualFold(r.Slug, slug) {
			return true
		}
	}
	return false
}
