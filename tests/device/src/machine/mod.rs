//! The emulated computer, with a GPIO chip that the rig holds by its pins.

pub(crate) mod gpio;
mod model;
mod qmp;
mod shell;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use gpio::Gpio;
use qmp::Qmp;
use shell::Shell;

pub(crate) use model::{Kind, Model};

const READY: &str = "beltwatch-rig: ready";
/// A loaded host is slow to emulate.
const BOOT_PATIENCE: Duration = Duration::from_secs(240);
const HOW_TO: &str = "the rig needs `sudo apt-get install qemu-system-arm` (or --qemu PROGRAM)";

/// A running machine. Dropped, it is switched off.
pub(crate) struct Machine {
    qemu: Child,
    folder: PathBuf,
    pub(crate) qmp: Qmp,
    pub(crate) gpio: Gpio,
    pub(crate) shell: Shell,
    /// From power-up to the shell.
    pub(crate) boot: Duration,
}

/// What a machine is started with.
pub(crate) struct Parts<'a> {
    /// `qemu-system-aarch64`.
    pub(crate) qemu: &'a Path,
    pub(crate) model: &'static Model,
    pub(crate) kernel: &'a Path,
    pub(crate) device_tree: Option<&'a Path>,
    pub(crate) initramfs: &'a [u8],
    /// Where sockets and logs go.
    pub(crate) folder: &'a Path,
}

impl Machine {
    /// Says what is missing, in words, before anything is downloaded or built.
    pub(crate) fn check(qemu: &Path, model: &Model) -> Result<()> {
        let output = Command::new(qemu).args(["-device", "help"]).output();
        let output = output.with_context(|| format!("{}: cannot be run; {HOW_TO}", qemu.display()))?;
        let known = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "{}: {}",
            qemu.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        for device in model.devices() {
            let found = known.contains(&format!("\"{device}\""));
            ensure!(
                found,
                "{}: this QEMU was built without {device}; {HOW_TO}",
                qemu.display()
            );
        }
        let found = Command::new("setpriv")
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        ensure!(
            found,
            "the rig needs `setpriv`, from util-linux, so that no QEMU outlives it"
        );
        Ok(())
    }

    /// Switches a machine on and waits for the guest's shell.
    pub(crate) fn start(parts: &Parts<'_>) -> Result<Self> {
        let folder = parts.folder.to_owned();
        let initramfs = folder.join("initramfs.cpio");
        std::fs::write(&initramfs, parts.initramfs)?;
        let start = Instant::now();
        let mut qemu = command(parts, &initramfs)
            .spawn()
            .with_context(|| HOW_TO.to_owned())?;
        match Self::connect(&mut qemu, parts.model, &folder) {
            Ok((qmp, gpio, shell)) => {
                // large, and read by now
                std::fs::remove_file(initramfs)?;
                Ok(Self {
                    qemu,
                    folder,
                    qmp,
                    gpio,
                    shell,
                    boot: start.elapsed(),
                })
            }
            Err(e) => {
                let _ = qemu.kill();
                let _ = qemu.wait();
                Err(e.context(format!("the machine does not start; see {}", folder.display())))
            }
        }
    }

    fn connect(qemu: &mut Child, model: &'static Model, folder: &Path) -> Result<(Qmp, Gpio, Shell)> {
        let mut qmp = Qmp::new(socket(qemu, &folder.join("qmp"))?)?;
        let chip = qmp.object(model.chip.within, model.chip.kind)?;
        let gpio = Gpio::new(socket(qemu, &folder.join("qtest"))?, &model.chip, chip)?;
        let mut shell = Shell::new(socket(qemu, &folder.join("shell"))?);
        let end = Instant::now() + BOOT_PATIENCE;
        loop {
            let console = std::fs::read(folder.join("console.log")).unwrap_or_default();
            let console = String::from_utf8_lossy(&console);
            if console.contains(READY) {
                break;
            }
            if let Some(status) = qemu.try_wait()? {
                bail!("QEMU ended ({status}): {}", last_words(folder, &console));
            }
            ensure!(
                Instant::now() < end,
                "the guest did not boot in {BOOT_PATIENCE:?}: {}",
                last_words(folder, &console)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        shell.run("true")?;
        Ok((qmp, gpio, shell))
    }

    /// The socket that a camera plugs into.
    pub(crate) fn usb_socket(&self) -> PathBuf {
        self.folder.join("usb")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn command(parts: &Parts<'_>, initramfs: &Path) -> Command {
    let Parts {
        qemu,
        model,
        kernel,
        device_tree,
        folder,
        ..
    } = parts;
    // ends with the rig, however that ends; takes no time from others on this computer
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "nice", "-n", "10"])
        .arg(qemu);
    command.args(["-display", "none", "-nic", "none", "-no-reboot"]);
    command.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    command.args(["-append", &format!("quiet loglevel=4 {}", model.kernel)]);
    if let Some(tree) = device_tree {
        command.arg("-dtb").arg(tree);
    }
    for id in ["shell", "usb"] {
        command.args([
            "-chardev",
            &format!(
                "socket,id={id},path={},server=on,wait=off",
                folder.join(id).display()
            ),
        ]);
    }
    command.args([
        "-serial",
        &format!("file:{}", folder.join("console.log").display()),
    ]);
    command.args(model.options.split_whitespace());
    command.args([
        "-qmp",
        &format!("unix:{},server=on,wait=off", folder.join("qmp").display()),
    ]);
    command.args([
        "-qtest",
        &format!("unix:{},server=on,wait=off", folder.join("qtest").display()),
    ]);
    command.args(["-qtest-log", "none"]);
    let log = File::create(folder.join("qemu.log")).map_or_else(|_| Stdio::null(), Stdio::from);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command
}

/// Connects to a socket that QEMU is about to make.
fn socket(qemu: &mut Child, path: &Path) -> Result<UnixStream> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(e) if Instant::now() > end => return Err(e).with_context(|| format!("{}", path.display())),
            Err(_) => {}
        }
        if let Some(status) = qemu.try_wait()? {
            let folder = path.parent().unwrap_or(path);
            bail!("QEMU ended ({status}): {}", last_words(folder, ""));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn last_words(folder: &Path, console: &str) -> String {
    let qemu = std::fs::read_to_string(folder.join("qemu.log")).unwrap_or_default();
    let lines: Vec<_> = console.lines().chain(qemu.lines()).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
