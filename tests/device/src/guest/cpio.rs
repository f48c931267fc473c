//! Archives in the form that the kernel unpacks at boot: cpio "newc". Written without root, device nodes too.

use std::collections::BTreeMap;

const MAGIC: &str = "070701";
const TRAILER: &str = "TRAILER!!!";
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

#[derive(Default)]
struct Entry {
    mode: u32,
    content: Vec<u8>,
    /// Major and minor number, of a device.
    device: (u32, u32),
}

/// An archive in the making. Paths are relative to the root, without a slash in front; folders come by
/// themselves.
#[derive(Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds a file with these permissions, as in `0o755`.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: impl Into<Vec<u8>>) {
        self.add(
            path,
            Entry {
                mode: REGULAR | permissions,
                content: content.into(),
                ..Entry::default()
            },
        );
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.add(
            path,
            Entry {
                mode: LINK,
                content: target.into(),
                ..Entry::default()
            },
        );
    }

    /// Adds an empty folder.
    pub(crate) fn folder(&mut self, path: &str) {
        self.add(
            path,
            Entry {
                mode: FOLDER,
                ..Entry::default()
            },
        );
    }

    /// Adds a character device.
    pub(crate) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.add(
            path,
            Entry {
                mode: CHARACTER_DEVICE,
                device: (major, minor),
                ..Entry::default()
            },
        );
    }

    fn add(&mut self, path: &str, entry: Entry) {
        if let Some((parent, _)) = path.rsplit_once('/')
            && !self.entries.contains_key(parent)
        {
            self.folder(parent);
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// The archive's bytes. A folder's name sorts before what is in it, as the kernel needs it.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            write(&mut out, inode, path, entry);
        }
        write(&mut out, 0, TRAILER, &Entry::default());
        out
    }
}

fn write(out: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) {
    let (owner, links, time) = (0, 1, 0);
    let (size, name_size) = (entry.content.len() as u32, path.len() as u32 + 1);
    let fields = [
        inode,
        entry.mode,
        owner,
        owner,
        links,
        time,
        size,
        0,
        0,
        entry.device.0,
        entry.device.1,
        name_size,
        0,
    ];
    out.extend_from_slice(MAGIC.as_bytes());
    for field in fields {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(&entry.content);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of the form, from its description: path, mode, content.
    fn read(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            let field = |n: usize| {
                let digits = std::str::from_utf8(&bytes[6 + 8 * n..14 + 8 * n]).unwrap();
                u32::from_str_radix(digits, 16).unwrap() as usize
            };
            assert_eq!(&bytes[..6], b"070701");
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = String::from_utf8(bytes[110..110 + name_size - 1].to_vec()).unwrap();
            let start = (110 + name_size).next_multiple_of(4);
            if name == TRAILER {
                assert_eq!(bytes.len(), start);
                return found;
            }
            found.push((name, mode as u32, bytes[start..start + size].to_vec()));
            bytes = &bytes[(start + size).next_multiple_of(4)..];
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut archive = Archive::default();
        archive.file("usr/share/a", 0o644, *b"12345");
        archive.file("init", 0o755, *b"");
        archive.link("bin/sh", "busybox");
        archive.device("dev/console", 5, 1);
        let found = read(&archive.finish());
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "bin",
                "bin/sh",
                "dev",
                "dev/console",
                "init",
                "usr",
                "usr/share",
                "usr/share/a"
            ]
        );
        assert_eq!(found[7], ("usr/share/a".to_owned(), 0o100_644, b"12345".to_vec()));
        assert_eq!(found[1], ("bin/sh".to_owned(), 0o120_777, b"busybox".to_vec()));
        assert_eq!(found[5].1, 0o040_755);
    }

    #[test]
    fn a_folder_that_is_there_stays_as_it_is() {
        let mut archive = Archive::default();
        archive.folder("tmp");
        archive.file("tmp/a", 0o600, *b"x");
        assert_eq!(read(&archive.finish()).len(), 2);
    }
}
