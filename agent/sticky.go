package agent

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// How a sticky session finds its agent
//
// Each slug draws a number from the caller, the session and its own name, and
// the session belongs to the slug with the highest (rendezvous hashing). So
// every gateway decides the same without asking another; when an agent cannot
// be used, all requests of a session go to the one with the next number; and
// one that comes anew takes over only the sessions that draw the highest number
// with it, one of n. How an exit fares with a target plays no part: a target
// that fails must not move a session.

// sticky picks, of those that fit and take sessions, the exit of a session.
func sticky(found []candidate, q Query) candidate {
	return slices.MinFunc(found, func(a, b candidate) int {
		x, y := a.entry.exit, b.entry.exit
		return cmp.Or(
			cmp.Compare(draw(q, y.Slug), draw(q, x.Slug)), // the highest comes first
			strings.Compare(strings.ToLower(x.Slug), strings.ToLower(y.Slug)),
			strings.Compare(x.Country, y.Country),
			strings.Compare(x.ID, y.ID),
		)
	})
}

// draw is a slug's number for a session of a caller. No two different inputs
// are written alike, so that no caller can ask for another's session.
func draw(q Query, slug string) uint64 {
	h := sha256.New()
	for _, s := range []string{q.Subject, q.Session, strings.ToLower(slug)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// ValidSession reports whether s can name a sticky session: 1 to 64 letters,
// digits, dots, underscores and hyphens.
func ValidSession(s string) bool { return validSlug(s) }
