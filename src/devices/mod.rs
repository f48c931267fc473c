//! What is outside of the program: a folder a kind, a back end a file.

pub mod capture;
pub mod display;
pub mod gpio_lines;
pub mod inputs;
pub mod outputs;
