//! The library behind the `beltwatch` daemon; see ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod board;
pub mod capture;
pub mod difference;
pub mod gate;
pub mod heatmap;
pub mod hee;
pub mod inspect;
pub mod judge;
pub mod line;
pub mod picture;
pub mod preprocess;
pub mod recipe;
pub mod reconstruct;
pub mod smooth;
pub mod splitmix;
pub mod time;
pub mod track;
pub mod verdict;
