use proptest::prelude::*;

use super::*;
use crate::board::{ControlSettings, Match, Wish};

#[test]
fn a_node_that_gives_no_pictures_is_refused_with_what_to_do() {
    let about = |caps| About {
        driver: "rp1-cfe".to_owned(),
        card: "rp1-cfe".to_owned(),
        caps,
    };
    let capture = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_STREAMING;
    assert_eq!(about(capture).check(), Ok(()));
    let csi = about(capture | sys::V4L2_CAP_IO_MC).check().expect_err("CSI");
    assert!(csi.contains("libcamerify") && csi.contains("rp1-cfe"), "{csi}");
    assert!(
        about(sys::V4L2_CAP_META_CAPTURE | sys::V4L2_CAP_STREAMING)
            .check()
            .is_err()
    );
    assert!(about(sys::V4L2_CAP_VIDEO_CAPTURE).check().is_err(), "read() only");
    assert!(
        about(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE)
            .check()
            .expect_err("planes")
            .contains("planes")
    );
}

#[test]
fn the_offset_leads_to_the_middle_of_the_exposure_and_old_stamps_are_flaws() {
    let now = MonoNanos(10_000_000_000);
    let label = |stamp| Label {
        stamp,
        is_monotonic: true,
        is_corrupt: false,
        sequence: 0,
    };
    assert_eq!(
        exposed(&label(9_990_000_000), -2_500, now),
        Ok(MonoNanos(9_987_500_000))
    );
    assert_eq!(
        exposed(&label(9_990_000_000), 4_000, now),
        Ok(MonoNanos(9_994_000_000))
    );
    assert_eq!(exposed(&label(7_999_999_999), 0, now), Err(Flaw::Stamp(-2000)));
    assert_eq!(
        exposed(&label(10_500_000_000), 0, now),
        Ok(MonoNanos(10_500_000_000))
    );
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
    let matching = Match {
        id: Some("usb-no-such-camera".to_owned()),
        ..Match::default()
    };
    let wish = Wish {
        width: 640,
        height: 480,
        fps: 30.0,
        pixel: None,
        colour: true,
    };
    let settings = CameraSettings {
        matching,
        wish,
        controls: ControlSettings::default(),
        offset_us: 0,
    };
    let error = Connection::new(settings)
        .connect()
        .err()
        .expect("no camera")
        .to_string();
    assert!(error.contains("usb-no-such-camera"), "{error}");
}
