use proptest::prelude::*;

use super::*;

fn settled(colorspace: u32, encoding: u32, quantization: u32) -> Coding {
    coding(colorspace, encoding, quantization).expect("supported")
}

#[test]
fn what_a_driver_leaves_open_follows_the_kernels_rules() {
    let limited = Coding { matrix: Matrix::Bt601, range: Range::Limited };
    let full = Coding { range: Range::Full, ..limited };
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 0, 0), limited);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG, 0, 0), full);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB, 0, 1), full);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG, 0, 2), limited);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_REC709, 0, 0).matrix, Matrix::Bt709);
    assert_eq!(settled(sys::v4l2_colorspace_V4L2_COLORSPACE_REC709, 1, 0).matrix, Matrix::Bt601);
    assert!(coding(sys::v4l2_colorspace_V4L2_COLORSPACE_BT2020, 0, 0).is_err());
}

#[test]
fn a_node_that_gives_no_pictures_is_refused_with_what_to_do() {
    let about = |caps| About { driver: "rp1-cfe".to_owned(), card: "rp1-cfe".to_owned(), caps };
    let capture = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_STREAMING;
    assert_eq!(about(capture).check(), Ok(()));
    let csi = about(capture | sys::V4L2_CAP_IO_MC).check().expect_err("CSI");
    assert!(csi.contains("libcamerify") && csi.contains("rp1-cfe"), "{csi}");
    assert!(about(sys::V4L2_CAP_META_CAPTURE | sys::V4L2_CAP_STREAMING).check().is_err());
    assert!(about(sys::V4L2_CAP_VIDEO_CAPTURE).check().is_err(), "read() only");
    assert!(about(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE).check().expect_err("planes").contains("planes"));
}

#[test]
fn what_the_driver_made_of_the_format_is_looked_at() {
    let wish = Wish { width: 64, height: 48, fps: 30.0, pixel: None, colour: true };
    let code = Pixel::Yuyv.fourcc();
    let choice = Choice { pixel: Pixel::Yuyv, code, interval: None, reasons: Vec::new() };
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
    assert_eq!(layout(&choice, &wish, &format).expect("as asked").coding.range, Range::Full);
}

#[test]
fn the_offset_leads_to_the_middle_of_the_exposure_and_old_stamps_are_flaws() {
    let now = MonoNanos(10_000_000_000);
    let label = |stamp| Label { stamp, is_monotonic: true, is_corrupt: false, sequence: 0 };
    assert_eq!(exposed(&label(9_990_000_000), -2_500, now), Ok(MonoNanos(9_987_500_000)));
    assert_eq!(exposed(&label(9_990_000_000), 4_000, now), Ok(MonoNanos(9_994_000_000)));
    assert_eq!(exposed(&label(7_999_999_999), 0, now), Err(Flaw::Stamp(-2000)));
    assert_eq!(exposed(&label(10_500_000_000), 0, now), Ok(MonoNanos(10_500_000_000)));
    assert_eq!(exposed(&label(10_500_000_001), 0, now), Err(Flaw::Stamp(500)));
    assert_eq!(exposed(&label(-5), 0, MonoNanos(5)), Ok(MonoNanos(0)));
}

proptest! {
    #[test]
    fn any_stamp_and_offset_give_a_time_or_a_flaw(seconds: i64, offset_us: i64, now: u64) {
        let stamp = i128::from(seconds) * 1_000_000_000;
        let label = Label { stamp, is_monotonic: true, is_corrupt: false, sequence: 0 };
        let _ = exposed(&label, offset_us, MonoNanos(now));
    }
}

#[test]
fn a_camera_that_is_not_there_is_said_so() {
    let matching = Match { id: Some("usb-no-such-camera".to_owned()), ..Match::default() };
    let wish = Wish { width: 640, height: 480, fps: 30.0, pixel: None, colour: true };
    let settings = CameraSettings { matching, wish, controls: ControlSettings::default(), offset_us: 0 };
    let error = Connection::new(settings).connect().err().expect("no camera").to_string();
    assert!(error.contains("usb-no-such-camera"), "{error}");
}
