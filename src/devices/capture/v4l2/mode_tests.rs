use super::*;

const WISH: Wish = Wish {
    width: 640,
    height: 480,
    fps: 30.0,
    pixel: None,
    colour: true,
};

fn offer(code: &[u8; 4], size: (u32, u32), rates: &[u32]) -> Offer {
    let rates = rates
        .iter()
        .map(|&fps| Interval {
            numerator: 1,
            denominator: fps,
        })
        .collect();
    Offer {
        code: FourCc::new(*code),
        sizes: vec![Sizes::One(size.0, size.1)],
        rates: Rates::These(rates),
    }
}

/// A common webcam: uncompressed only slowly where the picture is large.
fn webcam() -> Vec<Offer> {
    vec![
        offer(b"MJPG", (640, 480), &[60, 30, 15]),
        offer(b"YUYV", (640, 480), &[30, 15, 5]),
    ]
}

#[test]
fn uncompressed_is_taken_where_it_is_fast_enough_at_the_slowest_rate_that_does() {
    let choice = choose(&webcam(), &WISH).expect("a mode");
    assert_eq!(
        (choice.pixel, choice.interval.map(Interval::fps)),
        (Pixel::Yuyv, Some(30.0))
    );
    assert_eq!(choice.reasons[0], "YUYV 640x480 at 30 fps: uncompressed");
    assert!(
        choice
            .reasons
            .iter()
            .any(|r| r.starts_with("MJPEG: compressed") && r.ends_with("YUYV is better")),
        "{:?}",
        choice.reasons
    );
    assert_eq!(choice.reasons.len(), Pixel::ALL.len());
    let slow = choose(&webcam(), &Wish { fps: 12.0, ..WISH }).expect("a mode");
    assert_eq!(slow.interval.map(Interval::fps), Some(15.0));
}

#[test]
fn compressed_is_taken_where_nothing_else_is_fast_enough() {
    let choice = choose(&webcam(), &Wish { fps: 60.0, ..WISH }).expect("a mode");
    assert_eq!(choice.pixel, Pixel::Mjpeg);
    assert!(
        choice
            .reasons
            .iter()
            .any(|r| r == "YUYV: 640x480 at 30 fps at most, 60 wanted"),
        "{:?}",
        choice.reasons
    );
    let error = choose(&webcam(), &Wish { fps: 90.0, ..WISH })
        .expect_err("too fast")
        .to_string();
    assert!(
        error.contains("MJPEG: 640x480 at 60 fps at most, 90 wanted"),
        "{error}"
    );
    let error = choose(
        &webcam(),
        &Wish {
            width: 1280,
            height: 720,
            ..WISH
        },
    )
    .expect_err("too large")
    .to_string();
    assert!(error.contains("no 1280x720, only 640x480"), "{error}");
}

#[test]
fn the_board_files_format_wins() {
    let choice = choose(
        &webcam(),
        &Wish {
            pixel: Some(Pixel::Mjpeg),
            ..WISH
        },
    )
    .expect("a mode");
    assert_eq!(
        choice.reasons[0],
        "MJPEG 640x480 at 30 fps: as the board file asks"
    );
    let error = choose(
        &webcam(),
        &Wish {
            pixel: Some(Pixel::Nv12),
            ..WISH
        },
    )
    .expect_err("not there")
    .to_string();
    assert!(error.contains("NV12: not offered"), "{error}");
}

#[test]
fn grey_is_for_who_wants_grey() {
    let mut offers = webcam();
    offers.push(offer(b"GREY", (640, 480), &[30]));
    assert_eq!(choose(&offers, &WISH).expect("a mode").pixel, Pixel::Yuyv);
    assert_eq!(
        choose(
            &offers,
            &Wish {
                colour: false,
                ..WISH
            }
        )
        .expect("a mode")
        .pixel,
        Pixel::Grey
    );
}

#[test]
fn steps_and_fractions_are_understood() {
    let any = Offer {
        code: FourCc::new(*b"NV12"),
        sizes: vec![Sizes::Steps([16, 1920, 16], [16, 1080, 8])],
        rates: Rates::Between(
            Interval {
                numerator: 1,
                denominator: 120,
            },
            Interval {
                numerator: 1,
                denominator: 1,
            },
        ),
    };
    let fits = |width, height, fps| {
        choose(
            std::slice::from_ref(&any),
            &Wish {
                width,
                height,
                fps,
                ..WISH
            },
        )
    };
    let choice = fits(640, 480, 12.5).expect("a mode");
    assert_eq!(
        choice.interval,
        Some(Interval {
            numerator: 1000,
            denominator: 12_500
        })
    );
    assert_eq!(
        fits(640, 480, 0.5)
            .expect("slower than the slowest")
            .interval
            .map(Interval::fps),
        Some(1.0)
    );
    assert!(
        fits(648, 480, 30.0).is_err() && fits(640, 1088, 30.0).is_err() && fits(640, 480, 121.0).is_err()
    );
    let ntsc = Rates::These(vec![Interval {
        numerator: 1001,
        denominator: 30_000,
    }]);
    let ntsc = Offer {
        rates: ntsc,
        sizes: vec![Sizes::One(640, 480)],
        ..any.clone()
    };
    assert_eq!(
        choose(&[ntsc], &WISH).expect("30 is meant").reasons[0],
        "NV12 640x480 at 29.97 fps: uncompressed, a colour for four pixels"
    );
    let silent = Offer {
        rates: Rates::Unknown,
        sizes: vec![Sizes::One(640, 480)],
        ..any.clone()
    };
    assert_eq!(choose(&[silent], &WISH).expect("no rates").interval, None);
}

#[test]
fn a_bare_sensor_is_refused_with_what_to_do() {
    let bayer = [
        offer(b"pRAA", (1456, 1088), &[60]),
        offer(b"RG10", (1456, 1088), &[60]),
    ];
    let error = choose(&bayer, &WISH).expect_err("Bayer").to_string();
    assert!(
        error.contains("pRAA, RG10") && error.contains("libcamerify"),
        "{error}"
    );
    let mixed = [bayer[0].clone(), offer(b"H264", (640, 480), &[30])];
    assert!(
        choose(&mixed, &WISH)
            .expect_err("H264")
            .to_string()
            .contains("only pRAA, H264")
    );
    assert!(
        choose(&[], &WISH)
            .expect_err("nothing")
            .to_string()
            .contains("only nothing")
    );
    let nonsense = Rates::These(vec![Interval {
        numerator: 0,
        denominator: 0,
    }]);
    let odd = Offer {
        rates: nonsense,
        ..offer(b"YUYV", (640, 480), &[])
    };
    assert!(choose(&[odd], &WISH).is_err());
}
