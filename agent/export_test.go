package agent

import "net/netip"

// GuardCheck judges an address as an exit with these options would.
func GuardCheck(o DirectOptions, host string, ap netip.AddrPort) error {
	return newDialer(o).guard(Rules{}).check(host, ap)
}

// GuardCheckHost judges the spelling of a host.
func GuardCheckHost(host string) error { return checkHost(host) }
