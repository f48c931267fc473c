use super::*;
use crate::board::Pixel;

fn settled(colorspace: u32, encoding: u32, quantization: u32) -> Coding {
    coding(colorspace, encoding, quantization).expect("supported")
}

#[test]
fn what_a_driver_leaves_open_follows_the_kernels_rules() {
    let limited = Coding {
        matrix: Matrix::Bt601,
        range: Range::Limited,
    };
    let full = Coding {
        range: Range::Full,
        ..limited
    };
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 0, 0), limited);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG, 0, 0), full);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 0, 1), full);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG, 0, 2), limited);
    assert_eq!(
        settled(sys::v4l2_colorspace_V4L2_COLORSPACE_REC709, 0, 0).matrix,
        Matrix::Bt709
    );
    assert_eq!(
        settled(sys::v4l2_colorspace_V4L2_COLORSPACE_REC709, 1, 0).matrix,
        Matrix::Bt601
    );
    assert!(coding(sys::v4l2_colorspace_V4L2_COLORSPACE_BT2020, 0, 0).is_err());
}

#[test]
fn what_the_driver_made_of_the_format_is_looked_at() {
    let wish = Wish {
        width: 64,
        height: 48,
        fps: 30.0,
        pixel: None,
        colour: true,
    };
    let code = Pixel::Yuyv.fourcc();
    let choice = Choice {
        pixel: Pixel::Yuyv,
        code,
        interval: None,
        reasons: Vec::new(),
    };
    let mut format = sys::v4l2_pix_format {
        width: 64,
        height: 48,
        pixelformat: code.0,
        field: sys::v4l2_field_V4L2_FIELD_NONE,
        bytesperline: 128,
        sizeimage: 128 * 48,
        colorspace: sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB,
        priv_: 0,
        flags: 0,
        __bindgen_anon_1: sys::v4l2_pix_format__bindgen_ty_1 { ycbcr_enc: 0 },
        quantization: 0,
        xfer_func: 0,
    };
    let made = layout(&choice, &wish, &format).expect("as asked");
    assert_eq!((made.stride, made.width, made.height), (128, 64, 48));
    let wrong = |change: &dyn Fn(&mut sys::v4l2_pix_format)| {
        let mut format = format;
        change(&mut format);
        layout(&choice, &wish, &format).expect_err("refused")
    };
    assert!(wrong(&|f| f.width = 80).contains("it gives YUYV 80x48"));
    assert!(wrong(&|f| f.pixelformat = Pixel::Mjpeg.fourcc().0).contains("it gives MJPG"));
    assert!(wrong(&|f| f.field = sys::v4l2_field_V4L2_FIELD_INTERLACED).contains("interlaced"));
    assert!(wrong(&|f| f.bytesperline = 100).contains("100 bytes"));
    assert!(wrong(&|f| f.sizeimage = 128 * 47).contains("do not make"));
    format.quantization = sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE;
    assert_eq!(
        layout(&choice, &wish, &format).expect("as asked").coding.range,
        Range::Full
    );
}
