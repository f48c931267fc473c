#!/bin/sh
# Prepares a mounted Raspberry Pi OS or Jetson root filesystem: at its first boot the device installs beltwatch, with this
# board file and recipe, and starts it; without a recipe it waits for one.
#   board/flash.sh ROOT PACKAGE.deb BOARD.toml [RECIPE]
set -eu
usage() { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "flash.sh: $*" >&2; exit 1; }
[ $# -ge 3 ] && [ $# -le 4 ] || usage
root="${1%/}" package="$2" board="$3" recipe="${4:-}"
[ -n "$root" ] || fail "ROOT must not be the running system: mount the card's root filesystem and name that folder"
[ -d "$root/etc/systemd/system" ] || fail "$root: no root filesystem of a systemd distribution (etc/systemd/system is missing)"
[ -w "$root/etc" ] || fail "$root: not writable: run with sudo, and mount the card read-write"
[ -s "$package" ] || fail "$package: no package there; board/flash.md says how it is built"
case "$package" in *_arm64.deb) ;; *) fail "$package: not a package for arm64" ;; esac
[ -s "$board" ] || fail "$board: no board file there"
[ -z "$recipe" ] || [ -s "$recipe/recipe.toml" ] || fail "$recipe: no recipe (recipe.toml is missing)"

install -d "$root/opt/beltwatch" "$root/etc/beltwatch"
install -m 644 "$package" "$root/opt/beltwatch/beltwatch.deb"
install -m 644 "$board" "$root/etc/beltwatch/board.toml"
if [ -n "$recipe" ]; then
    rm -rf "$root/etc/beltwatch/recipe"
    cp -r "$recipe" "$root/etc/beltwatch/recipe"
fi
# the demo's recipe would make any line READY
start=
[ -z "$recipe" ] || start="ExecStart=/usr/bin/systemctl enable --now --no-block beltwatch.service"
cat > "$root/etc/systemd/system/beltwatch-first-boot.service" <<UNIT
[Unit]
Description=Installs beltwatch at the first boot
ConditionPathExists=/opt/beltwatch/beltwatch.deb
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
# the system's own updates may hold the package manager
Restart=on-failure
RestartSec=10
# the board file that is there stays
ExecStart=/usr/bin/dpkg --force-confold -i /opt/beltwatch/beltwatch.deb
$start
ExecStart=/bin/rm /opt/beltwatch/beltwatch.deb
ExecStart=/usr/bin/systemctl disable beltwatch-first-boot.service

[Install]
WantedBy=multi-user.target
UNIT
install -d "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../beltwatch-first-boot.service "$root/etc/systemd/system/multi-user.target.wants/beltwatch-first-boot.service"
# the hardware watchdog restarts a computer whose kernel stands still
install -d "$root/etc/systemd/system.conf.d"
printf '[Manager]\nRuntimeWatchdogSec=15\n' > "$root/etc/systemd/system.conf.d/beltwatch.conf"
if [ -n "$recipe" ]; then
    echo "ready: unmount the card, boot the device; \`systemctl status beltwatch\` shows it at work"
else
    echo "ready: unmount the card, boot the device; it installs beltwatch, and flash.md tells how to give it a recipe"
fi
