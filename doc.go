// Package farwire mounts three handlers that reach the outside world through
// a network of exit agents into a host's own net/http server.
package farwire
