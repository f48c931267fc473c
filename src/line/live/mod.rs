//! What is really there: the camera's thread and the inputs'.

pub(super) mod camera;
pub(super) mod inputs;
