//! Frames from a node, in memory that the kernel shares. A stream of our own: it waits no longer than it is
//! told, gives every buffer back exactly once, and ends without a panic when the camera is gone.
#![allow(unsafe_code, reason = "memory that the kernel shares")]

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::device::{CAPTURE, Plain, V4l2Device};

const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;
/// One is filled, one waits to be, one is looked at, one for when that takes long.
const BUFFERS: u32 = 4;

/// What the driver says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// Nanoseconds of the clock that `is_monotonic` is about.
    pub(super) stamp: i128,
    /// The stamp is of CLOCK_MONOTONIC.
    pub(super) is_monotonic: bool,
    /// The driver takes its bytes for corrupt.
    pub(super) is_corrupt: bool,
    pub(super) sequence: u32,
}

impl Label {
    fn of(buffer: &sys::v4l2_buffer) -> Self {
        let seconds = i128::from(buffer.timestamp.tv_sec);
        Self {
            stamp: seconds * 1_000_000_000 + i128::from(buffer.timestamp.tv_usec) * 1_000,
            is_monotonic: buffer.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK
                == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
            is_corrupt: buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            sequence: buffer.sequence,
        }
    }
}

/// Memory of one buffer.
struct Mapping {
    start: *mut c_void,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this length, and nothing borrows from it any more
        if let Err(e) = unsafe { v4l::v4l2::munmap(self.start, self.length) } {
            log::warn!("a camera's buffer cannot be unmapped: {e}");
        }
    }
}

/// A node that streams, until it is dropped.
pub(super) struct Stream {
    // in this order: memory is unmapped before the node is closed
    mappings: Vec<Mapping>,
    device: V4l2Device,
}

impl Stream {
    /// The node that it streams from.
    pub(super) fn device(&mut self) -> &mut V4l2Device {
        &mut self.device
    }

    /// Starts streaming in the format that is set.
    pub(super) fn start(device: V4l2Device) -> io::Result<Self> {
        let mut stream = Self {
            mappings: Vec::new(),
            device,
        };
        let mut request = sys::v4l2_requestbuffers {
            count: BUFFERS,
            type_: CAPTURE,
            memory: MMAP,
            ..Plain::zeroed()
        };
        stream.device.request(vidioc::VIDIOC_REQBUFS, &mut request)?;
        if request.count < 2 {
            return Err(io::Error::other(format!(
                "the driver has {} buffers, two are needed",
                request.count
            )));
        }
        for index in 0..request.count {
            let mapping = stream.map(index)?;
            stream.mappings.push(mapping);
            stream.queue(index)?;
        }
        stream
            .device
            .request(vidioc::VIDIOC_STREAMON, &mut (CAPTURE as c_int))?;
        Ok(stream)
    }

    fn buffer(index: u32) -> sys::v4l2_buffer {
        sys::v4l2_buffer {
            index,
            type_: CAPTURE,
            memory: MMAP,
            ..Plain::zeroed()
        }
    }

    fn map(&self, index: u32) -> io::Result<Mapping> {
        let mut buffer = Self::buffer(index);
        self.device.request(vidioc::VIDIOC_QUERYBUF, &mut buffer)?;
        let length = buffer.length as usize;
        let (protection, fd) = (
            libc::PROT_READ | libc::PROT_WRITE,
            self.device.as_fd().as_raw_fd(),
        );
        // SAFETY: a fresh mapping at a place of the kernel's choice; with this kind of memory the union holds
        // an offset
        let start = unsafe {
            let offset = libc::off_t::from(buffer.m.offset);
            v4l::v4l2::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                fd,
                offset,
            )?
        };
        Ok(Mapping { start, length })
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        self.device.request(vidioc::VIDIOC_QBUF, &mut Self::buffer(index))
    }

    /// Waits up to `patience` for a frame and has it looked at where it lies. `None`: there was none.
    ///
    /// # Errors
    /// The camera is gone or its driver is in trouble: the stream is to be dropped.
    pub(super) fn next<T>(
        &mut self,
        patience: Duration,
        look: impl FnOnce(Label, &[u8]) -> T,
    ) -> io::Result<Option<T>> {
        let Some(events) = self.wait(patience)? else {
            return Ok(None);
        };
        let mut buffer = Self::buffer(0);
        match self.device.request(vidioc::VIDIOC_DQBUF, &mut buffer) {
            Ok(()) => {}
            // an error that is no frame would be reported again at once
            Err(e)
                if e.kind() == io::ErrorKind::WouldBlock
                    && !events.intersects(PollFlags::ERR | PollFlags::HUP) =>
            {
                return Ok(None);
            }
            Err(e) => return Err(e),
        }
        let Some(mapping) = self.mappings.get(buffer.index as usize) else {
            return Err(io::Error::other(format!(
                "the driver gave buffer {}, which does not exist",
                buffer.index
            )));
        };
        let used = (buffer.bytesused as usize).min(mapping.length);
        // SAFETY: mapped with at least this length until `self` is dropped, and the kernel leaves it alone
        // until it is queued
        let bytes = unsafe { std::slice::from_raw_parts(mapping.start.cast::<u8>(), used) };
        let seen = look(Label::of(&buffer), bytes);
        self.queue(buffer.index)?;
        Ok(Some(seen))
    }

    fn wait(&self, patience: Duration) -> io::Result<Option<PollFlags>> {
        let mut fds = [PollFd::new(&self.device, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: patience.as_secs() as _,
            tv_nsec: patience.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(None),
            Ok(_) => Ok(Some(fds[0].revents())),
            Err(e) => Err(e.into()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // a camera that was unplugged has stopped already; closing the node frees what is left
        let _ = self
            .device
            .request(vidioc::VIDIOC_STREAMOFF, &mut (CAPTURE as c_int));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_what_the_buffer_says() {
        let mut buffer = Stream::buffer(3);
        buffer.timestamp = sys::timeval {
            tv_sec: 12,
            tv_usec: 345_678,
        };
        buffer.sequence = 7;
        buffer.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | sys::V4L2_BUF_FLAG_DONE;
        let good = Label {
            stamp: 12_345_678_000,
            is_monotonic: true,
            is_corrupt: false,
            sequence: 7,
        };
        assert_eq!(Label::of(&buffer), good);
        buffer.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_COPY | sys::V4L2_BUF_FLAG_ERROR;
        assert_eq!(
            Label::of(&buffer),
            Label {
                is_monotonic: false,
                is_corrupt: true,
                ..good
            }
        );
        buffer.flags = 0;
        assert!(!Label::of(&buffer).is_monotonic);
    }

    #[test]
    fn what_is_no_camera_does_not_stream() {
        let null = V4l2Device::open(std::path::Path::new("/dev/null")).expect("opens");
        assert_eq!(
            Stream::start(null).err().and_then(|e| e.raw_os_error()),
            Some(libc::ENOTTY)
        );
    }
}
