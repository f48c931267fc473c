//! The kernel's modules in the order in which they have to be loaded, from what each file says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The modules of one kernel package.
pub(crate) struct Modules {
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

/// A module, unpacked.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

impl Modules {
    /// Lists the modules of an unpacked kernel package.
    pub(crate) fn of(kernel: &Path) -> Result<Self> {
        let roots = ["lib/modules", "usr/lib/modules"].map(|folder| kernel.join(folder));
        let root = roots
            .iter()
            .find(|r| r.exists())
            .with_context(|| format!("{}: no modules", kernel.display()))?;
        let version = std::fs::read_dir(root)?
            .next()
            .with_context(|| format!("{}: empty", root.display()))??
            .path();
        let mut files = BTreeMap::new();
        list(&version.join("kernel"), &mut files)?;
        let built_in = std::fs::read_to_string(version.join("modules.builtin"))?;
        let built_in = built_in
            .lines()
            .filter_map(|line| name(Path::new(line)))
            .collect();
        Ok(Self { files, built_in })
    }

    /// These modules and all that they depend on, what is depended on first.
    pub(crate) fn in_order(&self, wanted: &[&str]) -> Result<Vec<Module>> {
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for module in wanted {
            self.visit(module, &mut seen, &mut order)?;
        }
        Ok(order)
    }

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<Module>) -> Result<()> {
        if self.built_in.contains(name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let file = self
            .files
            .get(name)
            .with_context(|| format!("the kernel has no module {name}"))?;
        let content = read(file)?;
        for dependency in depends(&content) {
            self.visit(&dependency, seen, order)?;
        }
        order.push(Module {
            name: name.to_owned(),
            content,
        });
        Ok(())
    }
}

fn list(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("{}: cannot be listed", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if let Some(name) = name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// A module's name: its file's, where `-` and `_` are the same.
fn name(path: &Path) -> Option<String> {
    let (name, rest) = path.file_name()?.to_str()?.split_once(".ko")?;
    ["", ".xz", ".zst"]
        .contains(&rest)
        .then(|| name.replace('-', "_"))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let unpacker = match file.extension().and_then(|e| e.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display())),
    };
    let output = Command::new(unpacker).arg("-dc").arg(file).output();
    let output =
        output.with_context(|| format!("`{unpacker}` is needed to unpack modules; is it installed?"))?;
    ensure!(
        output.status.success(),
        "{}: `{unpacker} -dc` failed",
        file.display()
    );
    Ok(output.stdout)
}

/// What a module says in its `.modinfo`: `depends=a,b`, ended by a zero.
fn depends(content: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = content.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let list = content[start + KEY.len()..]
        .split(|&byte| byte == 0)
        .next()
        .unwrap_or_default();
    let list = String::from_utf8_lossy(list);
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        let folder = std::env::temp_dir().join(format!("beltwatch-rig-modules-{}", std::process::id()));
        let modules = folder.join("lib/modules/6.1/kernel/drivers");
        std::fs::create_dir_all(&modules).unwrap();
        let module = |file: &str, depends: &str| {
            let content = format!("elf\0license=GPL\0depends={depends}\0name=x\0");
            std::fs::write(modules.join(file), content).unwrap();
        };
        module("uvcvideo.ko", "video-buf,mc,usbcore");
        module("video-buf.ko", "mc");
        module("mc.ko", "");
        std::fs::write(
            folder.join("lib/modules/6.1/modules.builtin"),
            "kernel/drivers/usb/usbcore.ko\n",
        )
        .unwrap();
        let all = Modules::of(&folder).unwrap();
        let order: Vec<_> = all
            .in_order(&["uvcvideo", "mc"])
            .unwrap()
            .into_iter()
            .map(|m| m.name)
            .collect();
        let missing = all.in_order(&["vivid"]).err().map(|e| e.to_string());
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(order, ["mc", "video_buf", "uvcvideo"]);
        assert_eq!(missing.as_deref(), Some("the kernel has no module vivid"));
    }
}
