package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// secrets are what callers, agents and operators show, and what signs tokens. What is in
// use is compared with what is read next: no secret may have two purposes.
type secrets struct {
	records        []farwire.KeyRecord
	tokens, agents list
	agentRecords   []agent.Record
	admin          string // empty: unset
}

// distinct refuses a secret that has two purposes: a person who knows it for one could
// use it for the other.
func (s secrets) distinct() error {
	isKey := func(secret string) bool {
		sum := sha256.Sum256([]byte(secret))
		return slices.ContainsFunc(s.records, func(r farwire.KeyRecord) bool { return r.Hash == sum })
	}
	recorded := make(map[string]bool, len(s.agentRecords))
	for _, r := range s.agentRecords {
		recorded[r.TokenSHA256] = true
	}
	hasRecord := func(sum [sha256.Size]byte) bool { return recorded[hex.EncodeToString(sum[:])] }
	isToken := func(secret string) bool { return hasRecord(sha256.Sum256([]byte(secret))) }
	for _, token := range s.tokens {
		switch {
		case isKey(token):
			return misuse("--token-secret: it is also an API key, whose owner could sign tokens for anybody; give another one")
		case slices.Contains(s.agents, token):
			return misuse("--token-secret: it is also --agent-secret, and any agent could sign tokens; give another one")
		case isToken(token):
			return misuse("--token-secret: it is also a token of --agents-file, whose agent could sign tokens; give another one")
		}
	}
	switch {
	case slices.ContainsFunc(s.agents, isKey):
		return misuse("--agent-secret: it is also an API key, whose owner could attach agents; give another one")
	case slices.ContainsFunc(s.agents, isToken):
		return misuse("--agent-secret: it is also a token of --agents-file, whose agent could attach under any name; give another one")
	case slices.ContainsFunc(s.records, func(r farwire.KeyRecord) bool { return hasRecord(r.Hash) }):
		return misuse("--agents-file: a token in it is also an API key, whose owner could attach as that agent; give another one")
	case s.admin == "":
		return nil
	case isKey(s.admin):
		return misuse("--admin-key: it is also an API key, whose owner could end everybody's sessions; give another one")
	case slices.Contains(s.agents, s.admin):
		return misuse("--admin-key: it is also --agent-secret, and any agent could end everybody's sessions; give another one")
	case isToken(s.admin):
		return misuse("--admin-key: it is also a token of --agents-file, whose agent could end everybody's sessions; give another one")
	case slices.Contains(s.tokens, s.admin):
		return misuse("--admin-key: it is also --token-secret, and any operator could sign tokens; give another one")
	}
	return nil
}

// admit has use put next in place of the secrets that are in use, unless one of them has two
// purposes.
func (id *identity) admit(next secrets, use func() error) error {
	if err := next.distinct(); err != nil {
		return err
	}
	if err := use(); err != nil {
		return err
	}
	id.inUse = next
	return nil
}

const fileSuffix = "_FILE"

// secretFlags can be read from a file: their variable with _FILE behind it names it.
var secretFlags = map[string]bool{"api-keys": true, "token-secret": true, "agent-secret": true, "admin-key": true,
	"secret": true, "token": true, "key": true, "proxy": true, "header": true, "cookie": true}

// secretFile returns the secret of a flag from the file that a variable names, white
// space at its end left out.
func secretFile(flag string, read fileReader) (value string, found bool, err error) {
	if !secretFlags[flag] {
		return "", false, nil
	}
	return variableFile("--"+flag, variable(flag), read)
}

// variableFile reads the file that the variable name with _FILE behind it names. Errors
// begin with what: a flag, or the variable itself.
func variableFile(what, name string, read fileReader) (value string, found bool, err error) {
	_, both := os.LookupEnv(name)
	name += fileSuffix
	file, found := os.LookupEnv(name)
	switch {
	case !found:
		return "", false, nil
	case both:
		return "", true, misusef("%s: the variables %s and %s are both set; leave one of them out", what, strings.TrimSuffix(name, fileSuffix), name)
	case file == "":
		return "", true, misusef("%s: the variable %s is empty; name a file or leave it out", what, name)
	}
	b, err := read(file)
	var path *fs.PathError
	if errors.As(err, &path) {
		return "", true, misusef("%s: the file of %s cannot be read: %v; name a file that this user may read", what, name, path.Err)
	}
	if err != nil {
		return "", true, err
	}
	if hasByteOrderMark(b) {
		return "", true, misusef("%s: the file of %s begins with a byte order mark; save it as UTF-8 without one", what, name)
	}
	if value = strings.TrimRight(string(b), " \t\r\n"); value == "" {
		return "", true, misusef("%s: the file of %s is empty; write the secret into it", what, name)
	}
	return value, true, nil
}

// hasByteOrderMark reports whether a file begins with the byte order mark of UTF-8 or
// UTF-16, which some editors on Windows write.
func hasByteOrderMark(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))
}
