//! What the driver made of the format that was chosen.

use v4l::v4l_sys as sys;

use super::convert::Layout;
use super::device::encoding;
use super::mode::Choice;
use super::pixel::FourCc;
use super::yuv::{Coding, Matrix, Range};
use crate::board::Wish;

/// How frames lie in buffers, from what the driver made of the format.
pub(super) fn layout(choice: &Choice, wish: &Wish, format: &sys::v4l2_pix_format) -> Result<Layout, String> {
    let (width, height, code) = (format.width, format.height, FourCc(format.pixelformat));
    if (width, height, code) != (wish.width, wish.height, choice.code) {
        return Err(format!(
            "asked for {} {}x{}, it gives {code} {width}x{height}: write that into the board file, or \
             another size",
            choice.code, wish.width, wish.height
        ));
    }
    if ![sys::v4l2_field_V4L2_FIELD_NONE, sys::v4l2_field_V4L2_FIELD_ANY].contains(&format.field) {
        return Err("it is interlaced: half of the rows are of another moment".to_owned());
    }
    let coding = coding(format.colorspace, encoding(format), format.quantization)?;
    let layout = Layout {
        pixel: choice.pixel,
        width: width as usize,
        height: height as usize,
        stride: format.bytesperline as usize,
        coding,
    };
    if layout.needed() > format.sizeimage as usize {
        return Err(format!(
            "its rows of {} bytes do not make {code} {width}x{height}",
            format.bytesperline
        ));
    }
    Ok(layout)
}

/// What Y, Cb and Cr mean, by the kernel's rules for what a driver leaves open.
fn coding(colorspace: u32, encoding: u32, quantization: u32) -> Result<Coding, String> {
    let default_encoding = match colorspace {
        sys::v4l2_colorspace_V4L2_COLORSPACE_REC709 | sys::v4l2_colorspace_V4L2_COLORSPACE_DCI_P3 => {
            sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709
        }
        sys::v4l2_colorspace_V4L2_COLORSPACE_BT2020 => sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020,
        sys::v4l2_colorspace_V4L2_COLORSPACE_SMPTE240M => sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SMPTE240M,
        _ => sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601,
    };
    let matrix = match if encoding == 0 { default_encoding } else { encoding } {
        sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601 | sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SYCC => {
            Matrix::Bt601
        }
        sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709 => Matrix::Bt709,
        other => {
            return Err(format!(
                "its colours are coded in a way that is not supported (V4L2_YCBCR_ENC {other})"
            ));
        }
    };
    let range = match quantization {
        sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => Range::Full,
        sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => Range::Limited,
        _ if colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG => Range::Full,
        _ => Range::Limited,
    };
    Ok(Coding { matrix, range })
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
