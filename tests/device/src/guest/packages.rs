//! Debian packages for arm64: downloaded once, unpacked into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The package that depends on the newest kernel. Not the `cloud` one: it has neither cameras nor USB nor
/// displays.
const KERNEL: &str = "linux-image-arm64";
const HOW_TO: &str =
    "the rig takes Debian's arm64 packages: `sudo dpkg --add-architecture arm64 && sudo apt-get update`";

/// What a guest is made of, unpacked.
pub(crate) struct Packages {
    /// Kernel and modules.
    pub(crate) kernel: PathBuf,
    pub(crate) busybox: PathBuf,
    /// Shared libraries that the program is linked to.
    pub(crate) libraries: Vec<PathBuf>,
}

impl Packages {
    /// Downloads and unpacks what is not in the cache yet.
    pub(crate) fn fetch(cache: &Path) -> Result<Self> {
        std::fs::create_dir_all(cache).with_context(|| format!("{}: cannot be made", cache.display()))?;
        let cache = cache.canonicalize()?;
        Ok(Self {
            kernel: unpacked(&newest_kernel()?, &cache)?,
            busybox: unpacked("busybox-static", &cache)?,
            libraries: vec![unpacked("libc6", &cache)?, unpacked("libgcc-s1", &cache)?],
        })
    }
}

/// The real package behind the metapackage: old versions disappear from the mirror, so none is written down
/// here.
fn newest_kernel() -> Result<String> {
    let said = run(Command::new("apt-cache").args(["depends", &format!("{KERNEL}:arm64")]));
    let said = said.with_context(|| HOW_TO.to_owned())?;
    let depends = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let names = depends.map(|package| package.split(':').next().unwrap_or(package));
    let kernel = names
        .map(str::to_owned)
        .find(|name| name.starts_with("linux-image-"));
    kernel.with_context(|| format!("{KERNEL}:arm64 depends on no kernel; {HOW_TO}"))
}

/// The folder with a package's content. The cache keeps one version of each until it is emptied.
fn unpacked(package: &str, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join(package);
    if folder.exists() {
        return Ok(folder);
    }
    let download = cache.join(format!("{package}.download"));
    let half = cache.join(format!("{package}.half"));
    if download.exists() {
        std::fs::remove_dir_all(&download)?;
    }
    std::fs::create_dir(&download)?;
    eprintln!("downloading {package}:arm64");
    run(Command::new("apt-get")
        .args(["download", &format!("{package}:arm64")])
        .current_dir(&download))
    .with_context(|| HOW_TO.to_owned())?;
    let Some(archive) = std::fs::read_dir(&download)?.next() else {
        bail!(
            "apt-get download {package}:arm64 left no file in {}",
            download.display()
        );
    };
    unpack(&archive?.path(), &half)?;
    std::fs::remove_dir_all(&download)?;
    // whoever is interrupted before leaves no folder that looks whole
    std::fs::rename(&half, &folder)?;
    Ok(folder)
}

/// Unpacks a package into a folder, in the place of what was there; the folder.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("{}: cannot be removed", folder.display()))?;
    }
    run(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder))?;
    Ok(folder.to_owned())
}

/// Runs a program; what it says, where it ends well.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("`{name}` cannot be run; is it installed?"))?;
    let (said, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
    ensure!(
        output.status.success(),
        "`{name} {}` failed: {}",
        arguments.join(" "),
        wrong.trim()
    );
    Ok(said.into_owned())
}
