//! The computers that can be emulated, and all that tells one from the other.

use super::gpio::{Chip, Pin};

/// Which computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// QEMU's own: the rig has camera, eye, display and watchdog in its hands
    Virt,
    /// A Raspberry Pi 3 B: outputs through the registers of its header, the belt is the program's own
    Raspi3b,
}

/// A computer.
pub(crate) struct Model {
    /// QEMU's options for it. There are sockets `shell` and `usb` for what it has; the first serial port is
    /// the console.
    pub(super) options: &'static str,
    /// Of the kernel's command line.
    pub(super) kernel: &'static str,
    /// The kernel package's description of the hardware, where QEMU makes none.
    pub(crate) device_tree: Option<&'static str>,
    /// Modules that the kernel needs for the hardware.
    pub(crate) modules: &'static [&'static str],
    /// What the guest's first process does after it has loaded them: says which port the shell has.
    pub(crate) init: &'static str,
    /// What the guest must have then.
    pub(crate) nodes: &'static [&'static str],
    pub(crate) chip: Chip,
    /// The board file for it.
    pub(crate) board: &'static str,
}

impl Kind {
    pub(crate) fn model(self) -> &'static Model {
        match self {
            Self::Virt => &VIRT,
            Self::Raspi3b => &RASPI3B,
        }
    }
}

impl Model {
    /// Whether the rig moves the belt: it holds the eye's line, and a camera that the guest sees. Otherwise
    /// the program's own simulated belt moves.
    pub(crate) fn has_eye(&self) -> bool {
        self.chip.lines.iter().any(|(pin, _)| *pin == Pin::Eye)
    }

    /// Devices without which it cannot be started.
    pub(super) fn devices(&self) -> impl Iterator<Item = &'static str> {
        let options = self.options.split_whitespace();
        let values = options.clone().skip(1);
        options
            .zip(values)
            .filter(|(option, _)| *option == "-device")
            .filter_map(|(_, value)| value.split(',').next())
    }
}

const VIRT: Model = Model {
    options: "-M virt -cpu cortex-a76 -smp 1 -m 384 \
        -device virtio-gpu-pci,xres=800,yres=480 \
        -device qemu-xhci -device usb-redir,chardev=usb \
        -device virtio-serial-pci -device virtserialport,chardev=shell,name=shell \
        -device i6300esb -action watchdog=none",
    kernel: "console=ttyAMA0 vt.global_cursor_default=0 consoleblank=0",
    device_tree: None,
    modules: &[
        "virtio_pci",
        "virtio_console",
        "virtio_gpu",
        "xhci_pci",
        "uvcvideo",
        "i6300esb",
    ],
    init: "port='/dev/vport*p1'",
    nodes: &["/dev/gpiochip0", "/dev/fb0", "/dev/dri/card0", "/dev/watchdog"],
    chip: Chip {
        kind: "pl061",
        within: "/machine/unattached",
        label: "9030000.pl061",
        // the data register with all lines in its address mask
        levels: 0x0903_03fc,
        // line 3 is the power button
        lines: &[
            (Pin::Eye, 0),
            (Pin::Gate, 1),
            (Pin::Ready, 2),
            (Pin::Fault, 4),
            (Pin::Heartbeat, 5),
        ],
    },
    board: "board/qemu-virt.toml",
};

/// One core of its four, for the others would be this computer's. Debian's kernel has no driver for
/// /dev/gpiomem, so the registers are reached through /dev/mem, as rppal does where the former cannot be
/// mapped; what is there in its place can be locked.
const RASPI3B: Model = Model {
    options: "-M raspi3b -global bcm2837.enabled-cpus=1 -serial chardev:shell",
    kernel: "console=ttyAMA0 maxcpus=1 iomem=relaxed",
    device_tree: Some("broadcom/bcm2837-rpi-3-b.dtb"),
    modules: &[],
    init: "port=/dev/ttyS1\nmknod /dev/gpiomem c 1 3",
    nodes: &["/dev/gpiochip0", "/dev/mem", "/dev/gpiomem"],
    chip: Chip {
        kind: "bcm2835_gpio",
        within: "/machine/soc/peripherals",
        label: "pinctrl-bcm2835",
        levels: 0x3f20_0034,
        lines: &[
            (Pin::Gate, 5),
            (Pin::Ready, 6),
            (Pin::Fault, 13),
            (Pin::Heartbeat, 19),
        ],
    },
    board: "board/qemu-raspi3b.toml",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_those_of_the_options() {
        let devices: Vec<_> = VIRT.devices().collect();
        assert_eq!(devices[..2], ["virtio-gpu-pci", "qemu-xhci"]);
        assert!(devices.contains(&"i6300esb") && devices.len() == 6);
        assert_eq!(RASPI3B.devices().count(), 0);
    }
}
