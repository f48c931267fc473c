#!/bin/sh
# The first process of the guest: loads the modules, then serves a shell to the rig over the virtual serial port.
export PATH=/bin:/usr/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
mount -t tmpfs none /run
: > /run/modules-failed
while read -r module; do
    insmod "/lib/boot-modules/$module.ko" || echo "$module" >> /run/modules-failed
done < /etc/modules
until port=$(ls /dev/vport*p1 2>/dev/null); do sleep 0.05; done
echo "beltwatch-rig: ready after $(cut -d' ' -f1 /proc/uptime) s"
# a shell that ends takes nothing with it that it started
while true; do setsid sh -c "exec sh 0<>$port 1>&0 2>&0"; done
