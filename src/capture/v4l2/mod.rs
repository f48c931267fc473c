//! A V4L2 camera.
mod convert;
mod pixel;
mod yuv;
