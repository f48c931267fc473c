//! What runs in the emulated computer: Debian's kernel, and a file system made for it.

mod cpio;
mod initramfs;
mod modules;
mod packages;

pub(crate) use initramfs::{BOARD, Content, PROGRAM, RECIPE, device_tree, kernel, make};
pub(crate) use packages::{Packages, run, unpack};
