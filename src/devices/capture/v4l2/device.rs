//! A video node: what it is, what it offers, how it is set. Over the `v4l` crate's structures and request
//! numbers.
#![allow(
    unsafe_code,
    reason = "ioctl takes a pointer to whatever the request is about"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::controls::{Knobs, Span};
use super::mode::{Interval, Offer, Rates, Sizes};
use super::pixel::FourCc;
use crate::board::Wish;

/// No driver has more formats, sizes or rates than this; one that never ends the list is cut off.
const MOST: u32 = 256;
pub(super) const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;

/// C structures that the kernel fills in: of integers and unions of them, so that any bits, zeros too, are
/// one.
///
/// # Safety
/// The type must be such a structure.
pub(super) unsafe trait Plain: Copy {
    fn zeroed() -> Self {
        // SAFETY: every implementor is a structure for which all zeros are a value
        unsafe { std::mem::zeroed() }
    }
}

macro_rules! plain {
    ($($name:ty),* $(,)?) => {
        $(
            // SAFETY: bindgen's image of a C structure of integers; its pointers are only for the kernel
            unsafe impl Plain for $name {}
        )*
    };
}

plain!(
    sys::v4l2_capability,
    sys::v4l2_fmtdesc,
    sys::v4l2_frmsizeenum,
    sys::v4l2_frmivalenum,
    sys::v4l2_format,
    sys::v4l2_streamparm,
    sys::v4l2_queryctrl,
    sys::v4l2_control,
    sys::v4l2_requestbuffers,
    sys::v4l2_buffer,
    std::ffi::c_int,
);

/// An open node, closed when it is dropped.
pub(super) struct V4l2Device {
    fd: OwnedFd,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) driver: String,
    pub(super) card: String,
    /// `V4L2_CAP_*` of this node.
    pub(super) caps: u32,
}

impl V4l2Device {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let fd = v4l::v4l2::open(path, libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC)?;
        // SAFETY: the descriptor was just opened, and nobody else has it
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// The request must be about a `T`. Through the C library's function, not the bare system call that the
    /// `v4l` crate makes: `libcamerify` works by standing in for it.
    pub(super) fn request<T: Plain>(&self, request: vidioc::_IOC_TYPE, about: &mut T) -> io::Result<()> {
        debug_assert_eq!(
            (request as usize >> 16) & 0x3fff,
            size_of::<T>(),
            "the request's number holds the size"
        );
        loop {
            // SAFETY: the descriptor is open, and `about` is a live structure of the size that the request's
            // number holds
            if unsafe { libc::ioctl(self.fd.as_raw_fd(), request, std::ptr::from_mut(about)) } != -1 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    pub(super) fn about(&self) -> io::Result<About> {
        let mut caps = sys::v4l2_capability::zeroed();
        self.request(vidioc::VIDIOC_QUERYCAP, &mut caps)?;
        let has_own = caps.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0;
        Ok(About {
            driver: text(&caps.driver),
            card: text(&caps.card),
            caps: if has_own {
                caps.device_caps
            } else {
                caps.capabilities
            },
        })
    }

    /// All formats with their sizes, and their rates at the wanted size.
    pub(super) fn offers(&self, wish: &Wish) -> io::Result<Vec<Offer>> {
        let mut offers = Vec::new();
        for index in 0..MOST {
            let mut format = sys::v4l2_fmtdesc {
                index,
                type_: CAPTURE,
                ..Plain::zeroed()
            };
            match self.request(vidioc::VIDIOC_ENUM_FMT, &mut format) {
                Ok(()) => {}
                Err(e) if is_end(&e) => break,
                Err(e) => return Err(e),
            }
            let code = format.pixelformat;
            offers.push(Offer {
                code: FourCc(code),
                sizes: self.sizes(code)?,
                rates: self.rates(code, wish)?,
            });
        }
        Ok(offers)
    }

    /// A driver that does not list sizes takes any, or says otherwise when it is asked for one.
    fn sizes(&self, pixel_format: u32) -> io::Result<Vec<Sizes>> {
        let mut sizes = Vec::new();
        for index in 0..MOST {
            let mut size = sys::v4l2_frmsizeenum {
                index,
                pixel_format,
                ..Plain::zeroed()
            };
            match self.request(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut size) {
                Ok(()) => {}
                Err(e) if is_end(&e) => break,
                Err(e) => return Err(e),
            }
            if size.type_ == sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                // SAFETY: integers, whichever of the union's members was written
                let one = unsafe { size.__bindgen_anon_1.discrete };
                sizes.push(Sizes::One(one.width, one.height));
            } else {
                // SAFETY: as above
                let s = unsafe { size.__bindgen_anon_1.stepwise };
                let width = [s.min_width, s.max_width, s.step_width];
                sizes.push(Sizes::Steps(width, [s.min_height, s.max_height, s.step_height]));
                break;
            }
        }
        if sizes.is_empty() {
            sizes.push(Sizes::Steps([1, u32::MAX, 1], [1, u32::MAX, 1]));
        }
        Ok(sizes)
    }

    fn rates(&self, pixel_format: u32, wish: &Wish) -> io::Result<Rates> {
        let of = |f: sys::v4l2_fract| Interval {
            numerator: f.numerator,
            denominator: f.denominator,
        };
        let mut rates = Vec::new();
        for index in 0..MOST {
            let Wish { width, height, .. } = *wish;
            let mut rate = sys::v4l2_frmivalenum {
                index,
                pixel_format,
                width,
                height,
                ..Plain::zeroed()
            };
            match self.request(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut rate) {
                Ok(()) => {}
                Err(e) if is_end(&e) => break,
                Err(e) => return Err(e),
            }
            if rate.type_ != sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
                // SAFETY: integers, whichever of the union's members was written
                let steps = unsafe { rate.__bindgen_anon_1.stepwise };
                return Ok(Rates::Between(of(steps.min), of(steps.max)));
            }
            // SAFETY: as above
            rates.push(of(unsafe { rate.__bindgen_anon_1.discrete }));
        }
        Ok(if rates.is_empty() {
            Rates::Unknown
        } else {
            Rates::These(rates)
        })
    }

    /// Sets the format; what the driver made of it comes back.
    pub(super) fn set_format(
        &self,
        code: FourCc,
        width: u32,
        height: u32,
    ) -> io::Result<sys::v4l2_pix_format> {
        let mut format = sys::v4l2_format {
            type_: CAPTURE,
            ..Plain::zeroed()
        };
        format.fmt.pix = sys::v4l2_pix_format {
            width,
            height,
            pixelformat: code.0,
            field: sys::v4l2_field_V4L2_FIELD_NONE,
            priv_: sys::V4L2_PIX_FMT_PRIV_MAGIC,
            // SAFETY: integers, for which zeros are values
            ..unsafe { std::mem::zeroed() }
        };
        self.request(vidioc::VIDIOC_S_FMT, &mut format)?;
        // SAFETY: for this type of buffer the kernel fills in this member
        Ok(unsafe { format.fmt.pix })
    }

    /// Sets the time between two frames; what the driver made of it comes back, nothing where it cannot be
    /// set.
    pub(super) fn set_interval(&self, interval: Interval) -> io::Result<Option<Interval>> {
        let mut parameters = sys::v4l2_streamparm {
            type_: CAPTURE,
            ..Plain::zeroed()
        };
        parameters.parm.capture.timeperframe = sys::v4l2_fract {
            numerator: interval.numerator,
            denominator: interval.denominator,
        };
        match self.request(vidioc::VIDIOC_S_PARM, &mut parameters) {
            Ok(()) => {}
            Err(e) if is_end(&e) => return Ok(None),
            Err(e) => return Err(e),
        }
        // SAFETY: for this type of buffer the kernel fills in this member
        let capture = unsafe { parameters.parm.capture };
        let set = Interval {
            numerator: capture.timeperframe.numerator,
            denominator: capture.timeperframe.denominator,
        };
        Ok((capture.capability & sys::V4L2_CAP_TIMEPERFRAME != 0).then_some(set))
    }
}

/// How its colours are coded.
pub(super) fn encoding(format: &sys::v4l2_pix_format) -> u32 {
    // SAFETY: both members are such an integer
    unsafe { format.__bindgen_anon_1.ycbcr_enc }
}

impl AsFd for V4l2Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Knobs for V4l2Device {
    fn span(&self, id: u32) -> io::Result<Option<Span>> {
        let mut query = sys::v4l2_queryctrl {
            id,
            ..Plain::zeroed()
        };
        match self.request(vidioc::VIDIOC_QUERYCTRL, &mut query) {
            Ok(()) => {}
            Err(e) if is_end(&e) => return Ok(None),
            Err(e) => return Err(e),
        }
        let has = |flag| query.flags & flag != 0;
        let sys::v4l2_queryctrl {
            minimum: min,
            maximum: max,
            step,
            ..
        } = query;
        let read_only = has(sys::V4L2_CTRL_FLAG_READ_ONLY);
        Ok((!has(sys::V4L2_CTRL_FLAG_DISABLED)).then_some(Span {
            min,
            max,
            step,
            read_only,
        }))
    }

    fn get(&self, id: u32) -> io::Result<i32> {
        let mut control = sys::v4l2_control { id, value: 0 };
        self.request(vidioc::VIDIOC_G_CTRL, &mut control)?;
        Ok(control.value)
    }

    fn set(&mut self, id: u32, value: i32) -> io::Result<()> {
        self.request(vidioc::VIDIOC_S_CTRL, &mut sys::v4l2_control { id, value })
    }
}

/// A list is at its end, or the driver has no such thing.
fn is_end(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTTY))
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_answers_no_request() {
        let null = V4l2Device::open(Path::new("/dev/null")).expect("opens");
        let error = null.about().expect_err("it is no camera");
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(null.span(sys::V4L2_CID_GAIN).expect("an answer"), None);
    }

    #[test]
    fn names_end_at_the_first_zero() {
        assert_eq!(text(b"uvcvideo\0\0x"), "uvcvideo");
        assert_eq!(
            (text(b""), text(b"ab"), text(b"a\xff\0")),
            (String::new(), "ab".to_owned(), "a\u{fffd}".to_owned())
        );
    }
}
