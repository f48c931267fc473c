//! Which `/dev/video*` is the camera: by what it is or where it is plugged in, never by its number, which
//! changes.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::board::Match;

/// Why no node is the camera.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum NodeError {
    #[error("no camera with {wanted} is there; {present}")]
    Absent { wanted: String, present: String },
    #[error("{count} cameras with {wanted} are there: tell them apart by `serial` or by `path`; {present}")]
    Several {
        count: usize,
        wanted: String,
        present: String,
    },
}

/// Where the system shows devices: [`Roots::default`], or other folders for tests.
#[derive(Clone, Debug)]
pub struct Roots {
    /// `/dev`
    pub dev: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            dev: PathBuf::from("/dev"),
            sys: PathBuf::from("/sys"),
        }
    }
}

/// A capture node that the system shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `/dev/videoN`: valid until it is unplugged.
    pub dev: PathBuf,
    /// What its driver calls it.
    pub name: String,
    /// `vendor:product`, where it is on USB.
    pub usb: Option<String>,
    /// The USB device's serial number.
    pub serial: Option<String>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.dev.display(), self.name)?;
        if let Some(usb) = &self.usb {
            write!(f, " usb = \"{usb}\"")?;
        }
        if let Some(serial) = &self.serial {
            write!(f, " serial = \"{serial}\"")?;
        }
        Ok(())
    }
}

/// What is there, for messages.
fn present(nodes: &[Node]) -> String {
    if nodes.is_empty() {
        return "no video node is there at all".to_owned();
    }
    let list: Vec<_> = nodes.iter().map(Node::to_string).collect();
    format!("what is there: {}", list.join(", "))
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = [
            ("id", &self.id),
            ("path", &self.path),
            ("usb", &self.usb),
            ("serial", &self.serial),
        ];
        let mut between = "";
        for (key, value) in keys.into_iter().filter_map(|(k, v)| v.as_ref().map(|v| (k, v))) {
            write!(f, "{between}{key} = \"{value}\"")?;
            between = " and ";
        }
        Ok(())
    }
}

impl Match {
    /// The camera's node, now.
    ///
    /// # Errors
    /// It is not there, or several are.
    pub fn find(&self, roots: &Roots) -> Result<PathBuf, NodeError> {
        let link = match (&self.id, &self.path) {
            (Some(id), _) => Some(roots.dev.join("v4l/by-id").join(id)),
            (_, Some(path)) => Some(roots.dev.join("v4l/by-path").join(path)),
            _ => None,
        };
        let absent = || NodeError::Absent {
            wanted: self.to_string(),
            present: present(&nodes(roots)),
        };
        if let Some(link) = link {
            return fs::canonicalize(link).map_err(|_| absent());
        }
        let is_it = |node: &Node| {
            let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                _ => false,
            };
            same(&self.usb, &node.usb) && (self.serial.is_none() || self.serial == node.serial)
        };
        let mut found: Vec<Node> = nodes(roots).into_iter().filter(is_it).collect();
        match (found.pop(), found.len()) {
            (None, _) => Err(absent()),
            (Some(node), 0) => Ok(node.dev),
            (Some(_), others) => Err(NodeError::Several {
                count: others + 1,
                wanted: self.to_string(),
                present: present(&nodes(roots)),
            }),
        }
    }
}

/// All capture nodes that the system shows, in the order of their numbers. A camera's further nodes, which
/// carry data about its pictures, are left out.
pub fn nodes(roots: &Roots) -> Vec<Node> {
    let entries = fs::read_dir(roots.sys.join("class/video4linux"))
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, Node)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("video")?.parse().ok()?;
            let class = entry.path();
            if text(&class.join("index")).is_some_and(|index| index != "0") {
                return None;
            }
            // the link leads to the interface, the device is above it
            let usb = fs::canonicalize(class.join("device"))
                .ok()
                .and_then(|d| d.parent().map(Path::to_owned));
            let attribute = |key: &str| usb.as_ref().and_then(|usb| text(&usb.join(key)));
            let id = attribute("idVendor")
                .zip(attribute("idProduct"))
                .map(|(v, p)| format!("{v}:{p}"));
            let serial = id.as_ref().and_then(|_| attribute("serial"));
            let card = text(&class.join("name")).unwrap_or_default();
            Some((
                number,
                Node {
                    dev: roots.dev.join(name),
                    name: card,
                    usb: id,
                    serial,
                },
            ))
        })
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, node)| node).collect()
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
