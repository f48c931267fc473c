use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A camera whose manual values do nothing while something adjusts itself, as real ones are.
#[derive(Default)]
struct Fake {
    knobs: BTreeMap<u32, (Span, i32)>,
    /// The order in which controls were set.
    log: Vec<(u32, i32)>,
    /// A control that forgets what it was told.
    stubborn: Option<u32>,
}

const fn steps(min: i32, max: i32, step: i32) -> Span {
    Span {
        min,
        max,
        step,
        read_only: false,
    }
}

impl Fake {
    fn webcam() -> Self {
        let knobs = [
            (sys::V4L2_CID_EXPOSURE_AUTO, steps(0, 3, 1), 3),
            (sys::V4L2_CID_EXPOSURE_AUTO_PRIORITY, steps(0, 1, 1), 1),
            (sys::V4L2_CID_AUTO_WHITE_BALANCE, steps(0, 1, 1), 1),
            (sys::V4L2_CID_EXPOSURE_ABSOLUTE, steps(3, 2047, 1), 250),
            (sys::V4L2_CID_GAIN, steps(0, 255, 1), 64),
            (
                sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE,
                steps(2800, 6500, 10),
                4000,
            ),
        ];
        Self {
            knobs: knobs
                .into_iter()
                .map(|(id, span, value)| (id, (span, value)))
                .collect(),
            ..Self::default()
        }
    }

    fn is_auto(&self, id: u32) -> bool {
        let value = |id| self.knobs.get(&id).map(|k| k.1);
        match id {
            sys::V4L2_CID_EXPOSURE_ABSOLUTE => value(sys::V4L2_CID_EXPOSURE_AUTO).is_some_and(|v| v != 1),
            sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE => value(sys::V4L2_CID_AUTO_WHITE_BALANCE) == Some(1),
            _ => false,
        }
    }
}

impl Knobs for Fake {
    fn span(&self, id: u32) -> io::Result<Option<Span>> {
        Ok(self.knobs.get(&id).map(|k| k.0))
    }

    fn get(&self, id: u32) -> io::Result<i32> {
        self.knobs
            .get(&id)
            .map(|k| k.1)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn set(&mut self, id: u32, value: i32) -> io::Result<()> {
        self.log.push((id, value));
        let ignored = self.is_auto(id) || self.stubborn == Some(id);
        let (span, now) = self.knobs.get_mut(&id).ok_or(io::ErrorKind::InvalidInput)?;
        if !(span.min..=span.max).contains(&value) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if !ignored {
            *now = value;
        }
        Ok(())
    }
}

#[test]
fn automatic_control_is_off_before_a_value_is_set() {
    let mut fake = Fake::webcam();
    let settings = ControlSettings {
        exposure_us: Some(5_000),
        gain: Some(20),
        white_balance_k: Some(4_604),
        ..ControlSettings::default()
    };
    let report = settings.lock(&mut fake).expect("locked");
    let expected = [
        (sys::V4L2_CID_EXPOSURE_AUTO, 1),
        (sys::V4L2_CID_EXPOSURE_AUTO_PRIORITY, 0),
        (sys::V4L2_CID_AUTO_WHITE_BALANCE, 0),
        (sys::V4L2_CID_EXPOSURE_ABSOLUTE, 50),
        (sys::V4L2_CID_GAIN, 20),
        (sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE, 4_600),
    ];
    assert_eq!(fake.log, expected);
    assert!(
        report.contains(&"exposure_time_absolute = 50".to_owned()),
        "{report:?}"
    );
    let again = settings.lock(&mut fake).expect("after a reconnect");
    assert_eq!((again, fake.log.len()), (report, 2 * expected.len()));
}

#[test]
fn what_the_board_file_leaves_out_is_said() {
    let report = ControlSettings::default()
        .lock(&mut Fake::webcam())
        .expect("locked");
    assert!(
        report
            .iter()
            .any(|l| l.starts_with("exposure_us is 25000 as found")),
        "{report:?}"
    );
    assert!(
        !report.iter().any(|l| l.contains("focus")),
        "the camera has none: {report:?}"
    );
}

#[test]
fn what_cannot_be_is_an_error() {
    let lock = |settings: ControlSettings, stubborn| {
        let mut fake = Fake {
            stubborn,
            ..Fake::webcam()
        };
        settings.lock(&mut fake).expect_err("refused").to_string()
    };
    let none = ControlSettings::default();
    let focus = lock(
        ControlSettings {
            focus: Some(3),
            ..none
        },
        None,
    );
    assert!(focus.contains("no control focus_absolute"), "{focus}");
    let dark = lock(
        ControlSettings {
            exposure_us: Some(299),
            ..none
        },
        None,
    );
    assert_eq!(
        dark,
        "controls.exposure_us = 299 is not possible: the camera takes 300 to 204700"
    );
    let gain = lock(
        ControlSettings {
            gain: Some(9),
            ..none
        },
        Some(sys::V4L2_CID_GAIN),
    );
    assert_eq!(gain, "control gain was set to 9, but the camera says 64");
    let auto = lock(none, Some(sys::V4L2_CID_EXPOSURE_AUTO));
    assert_eq!(auto, "control auto_exposure was set to 1, but the camera says 3");
}

#[test]
fn a_camera_without_controls_has_nothing_to_lock() {
    let mut fake = Fake::default();
    assert_eq!(
        ControlSettings::default().lock(&mut fake).expect("nothing to do"),
        Vec::<String>::new()
    );
    assert!(fake.log.is_empty());
    let fixed = Span {
        read_only: true,
        ..steps(0, 3, 1)
    };
    fake.knobs.insert(sys::V4L2_CID_EXPOSURE_AUTO, (fixed, 3));
    assert!(ControlSettings::default().lock(&mut fake).is_ok() && fake.log.is_empty());
}

proptest! {
    #[test]
    fn the_nearest_value_is_one_that_the_control_takes(
        min in -5_000_i32..5_000,
        width in 0_i32..5_000,
        step in -1_i32..700,
        value in -1_000_000_i64..1_000_000,
        unit in prop_oneof![Just(1_i64), Just(100)],
    ) {
        let span = steps(min, min + width, step);
        if let Some(raw) = span.nearest(value, unit) {
            prop_assert!((min..=min + width).contains(&raw));
            prop_assert_eq!((raw - min) % step.max(1), 0);
            let beyond = i64::from(width % step.max(1));
            let off = (i64::from(raw) * unit - value).abs();
            prop_assert!(off * 2 <= i64::from(step.max(1)) * unit || off <= beyond * unit);
        } else {
            prop_assert!(value < i64::from(min) * unit || value > i64::from(min + width) * unit);
        }
    }
}
