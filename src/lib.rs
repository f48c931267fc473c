//! The library behind the `beltwatch` daemon; see ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod difference;
pub mod heatmap;
pub mod hee;
pub mod judge;
pub mod picture;
pub mod preprocess;
pub mod smooth;
pub mod verdict;
