//! What is not there: the simulated belt's thread and its camera's.

pub(super) mod belt;
pub(super) mod camera;
