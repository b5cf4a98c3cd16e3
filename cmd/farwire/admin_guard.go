package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/upgrade"
)

// An adminGuard lets nobody but operators at the admin address: no page in an
// operator's browser, by whatever name it found the address.
type adminGuard struct {
	name     string // in --admin-listen, in lower case; empty: none
	loopback bool
	key      *atomic.Pointer[string] // to an empty one: none

	wrong      *attempts.Counter
	clientAddr func(*http.Request) netip.Addr
	log        *slog.Logger
}

// newAdminGuard guards an address that serves for a key. ClientAddr says where a wrong one
// came from; nil: from the connection's address. Wrong counts wrong ones.
func newAdminGuard(listen string, addr net.Addr, key string, clientAddr func(*http.Request) netip.Addr, wrong *attempts.Counter, log *slog.Logger) adminGuard {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		host = ""
	}
	bound, err := netip.ParseAddrPort(addr.String())
	if clientAddr == nil {
		clientAddr = farwire.TrustedProxies()
	}
	g := adminGuard{strings.ToLower(host), err == nil && bound.Addr().Unmap().IsLoopback(), new(atomic.Pointer[string]),
		wrong, clientAddr, log}
	g.key.Store(&key)
	return g
}

func checkAdminKey(key string) error {
	if key != "" && len(key) < farwire.MinKeyLength {
		return misusef("--admin-key: %d bytes; give at least %d, such as the output of openssl rand -hex 16", len(key), farwire.MinKeyLength)
	}
	return nil
}

// public refuses requests for another name, and those of web pages.
func (g adminGuard) public(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Farwire-From", "gateway")
		_, page := r.Header["Origin"]
		page = page || slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(site string) bool {
			return site != "none" && site != "same-origin"
		})
		switch {
		case !g.servesHost(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "bad_request", "this Host is not served here; use an IP address, localhost or the name in --admin-listen")
		case page:
			refuse(w, http.StatusForbidden, "origin_refused", "web pages may not ask here")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

func (g adminGuard) servesHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || g.name != "" && host == g.name {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// private serves what needs --admin-key, or without one a loopback address.
func (g adminGuard) private(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := r.Header.Get("X-API-Key")
		if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); shown == "" && ok && strings.EqualFold(scheme, "Bearer") {
			shown = strings.TrimSpace(token)
		}
		key := *g.key.Load()
		a, b := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(key))
		switch {
		case key == "" && g.loopback: // the bounds are for others than who is let in
			upgrade.KeyShown(r.Context())()
			h.ServeHTTP(w, r)
		case key == "":
			refuse(w, http.StatusForbidden, "key_invalid", "served on a loopback address alone without --admin-key")
		case shown == "":
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "key_missing", "admin key missing")
		case subtle.ConstantTimeCompare(a[:], b[:]) != 1:
			if v := g.wrong.Refused(r.Context(), g.log, g.clientAddr(r), "of", "admin"); v.TooMany {
				v.SetHeaders(w.Header())
				refuse(w, http.StatusTooManyRequests, "rate_limited", attempts.TooMany)
				return
			}
			refuse(w, http.StatusForbidden, "key_invalid", "admin key invalid")
		default:
			upgrade.KeyShown(r.Context())()
			h.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that has gone needs no answer.
	_ = json.NewEncoder(w).Encode(struct {
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{detail, code})
}
