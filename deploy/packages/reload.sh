#!/bin/sh
# After a package was installed or removed: systemd reads its units again.
if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
