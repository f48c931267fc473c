#!/bin/sh
# The first process of the guest: loads the modules, then serves a shell to the rig.
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
. /etc/machine
until port=$(ls $port 2>/dev/null); do sleep 0.05; done
# held from here on: what comes while nobody has a serial port open is lost. It is a terminal, which would echo commands;
# and QEMU's one of the Raspberry Pi takes the rate for the interrupts that are wanted, until something is sent
exec 3<>$port
stty raw -echo <&3 2>/dev/null
echo >&3
# as a message of the kernel's, for the console may be its own alone; severe enough to be shown
echo "<2>beltwatch-rig: ready after $(cut -d' ' -f1 /proc/uptime) s" > /dev/kmsg
# a shell that ends takes nothing with it that it started; one that writes to a pipe does not take the port for a person
while true; do setsid sh -c "sh 2>&1 | cat" 0<&3 1>&3 2>&3 3>&-; done
