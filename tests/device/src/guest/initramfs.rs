//! The guest's whole file system: busybox, modules, libraries, and what the program's package installs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::cpio::Archive;
use super::modules::Modules;
use super::packages::Packages;
use crate::machine::Model;

const INIT: &str = include_str!("init.sh");
/// Links to busybox for what init and the checks call.
const APPLETS: &str = "sh mount insmod cat echo sleep ls mkdir rm cp mv ln kill ps grep sed cut head tail wc \
                       tr sort seq dd od base64 sha256sum setsid sync uname free date stat touch printf test \
                       watchdog poweroff dmesg find readlink dirname top chmod stty mknod";
const LIBRARIES: &str = "lib/aarch64-linux-gnu";

/// Where the guest has the program and its files: where the package puts them.
pub(crate) const PROGRAM: &str = "/usr/bin/beltwatch";
pub(crate) const RECIPE: &str = "/usr/share/beltwatch/models/demo";
pub(crate) const BOARD: &str = "/etc/beltwatch/board.toml";

/// What goes into the guest besides Debian's own.
pub(crate) struct Content<'a> {
    /// The program's package, unpacked.
    pub(crate) package: &'a Path,
    /// In the place of the package's board file.
    pub(crate) board: &'a str,
}

/// Makes the guest's file system; its bytes.
pub(crate) fn make(packages: &Packages, model: &Model, content: Option<&Content<'_>>) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "sys", "tmp", "run", "var/lib/beltwatch", "root"] {
        archive.folder(folder);
    }
    archive.device("dev/console", 5, 1);
    archive.file("init", 0o755, INIT);
    archive.file("etc/machine", 0o644, model.init);
    archive.file("bin/busybox", 0o755, read(&packages.busybox.join("bin/busybox"))?);
    for applet in APPLETS.split_whitespace() {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    let modules = Modules::of(&packages.kernel)?.in_order(model.modules)?;
    let names: String = modules.iter().map(|m| format!("{}\n", m.name)).collect();
    archive.file("etc/modules", 0o644, names);
    for module in modules {
        archive.file(
            &format!("lib/boot-modules/{}.ko", module.name),
            0o644,
            module.content,
        );
    }
    for library in &packages.libraries {
        libraries(&library.join(LIBRARIES), &mut archive)?;
    }
    archive.link(
        "lib/ld-linux-aarch64.so.1",
        "aarch64-linux-gnu/ld-linux-aarch64.so.1",
    );
    if let Some(Content { package, board }) = content {
        let program = package.join(&PROGRAM[1..]);
        ensure!(
            is_aarch64(&read(&program)?),
            "{}: is no aarch64 program",
            program.display()
        );
        folder(package, "", &mut archive)?;
        archive.file(&BOARD[1..], 0o644, *board);
    }
    Ok(archive.finish())
}

/// The kernel of an unpacked package.
pub(crate) fn kernel(packages: &Packages) -> Result<PathBuf> {
    let boot = packages.kernel.join("boot");
    let files = std::fs::read_dir(&boot).with_context(|| format!("{}: cannot be listed", boot.display()))?;
    let mut files = files.filter_map(|entry| Some(entry.ok()?.path()));
    let kernel = files.find(|p| {
        p.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz"))
    });
    kernel.with_context(|| format!("{}: no vmlinuz", boot.display()))
}

/// The kernel package's description of the hardware of this name.
pub(crate) fn device_tree(packages: &Packages, name: &str) -> Result<PathBuf> {
    let all = packages.kernel.join("usr/lib");
    let folders = std::fs::read_dir(&all).with_context(|| format!("{}: cannot be listed", all.display()))?;
    let mut files = folders.filter_map(|entry| Some(entry.ok()?.path().join(name)));
    files
        .find(|file| file.exists())
        .with_context(|| format!("{}: no {name}", all.display()))
}

/// ELF, 64 bit, little endian, machine 183.
fn is_aarch64(program: &[u8]) -> bool {
    program.starts_with(b"\x7fELF\x02\x01") && program.get(18..20) == Some(&[183, 0])
}

fn libraries(from: &Path, archive: &mut Archive) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("{}: cannot be listed", from.display()))? {
        let path = entry?.path();
        // follows links: a library under each of its names is a few kilobytes more
        if path.is_file()
            && path
                .file_name()
                .is_some_and(|n| n.to_string_lossy().contains(".so"))
        {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            archive.file(&format!("{LIBRARIES}/{name}"), 0o755, read(&path)?);
        }
    }
    Ok(())
}

fn folder(from: &Path, to: &str, archive: &mut Archive) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("{}: cannot be listed", from.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let to = if to.is_empty() {
            name
        } else {
            format!("{to}/{name}")
        };
        if path.is_dir() {
            folder(&path, &to, archive)?;
        } else if to != BOARD[1..] {
            let mode = path
                .metadata()
                .with_context(|| format!("{}: cannot be read", path.display()))?
                .mode();
            archive.file(&to, mode & 0o777, read(&path)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))
}
