//! The library behind the `beltwatch` daemon; see ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod board;
pub mod capture;
pub mod check;
pub mod difference;
pub mod display;
pub mod gpio;
pub mod guard;
pub mod heatmap;
pub mod hee;
pub mod inputs;
pub mod inspect;
pub mod judge;
pub mod line;
pub mod outputs;
pub mod picture;
pub mod position;
pub mod preprocess;
pub mod promise;
pub mod realtime;
pub mod recipe;
pub mod reconstruct;
pub mod record;
pub mod region;
pub mod resize;
pub mod say;
pub mod smooth;
pub mod splitmix;
pub mod store;
mod strip;
pub mod team;
pub mod time;
mod vectorised;
pub mod verdict;
