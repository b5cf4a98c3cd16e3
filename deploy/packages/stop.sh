#!/bin/sh
# Before a package is removed (remove from dpkg, 0 from rpm), but not when it is upgraded:
# the services end, and do not begin at the next start of the machine.
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
	systemctl disable --now farwire.service farwire-agent.service
fi
