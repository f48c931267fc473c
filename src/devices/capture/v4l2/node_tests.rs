use std::os::unix::fs::symlink;

use super::*;

/// A system with what it shows of cameras: number, index, name, and USB vendor, product, serial.
struct Fake {
    roots: Roots,
    _dir: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let roots = Roots {
            dev: dir.path().join("dev"),
            sys: dir.path().join("sys"),
        };
        for folder in [
            roots.dev.join("v4l/by-id"),
            roots.dev.join("v4l/by-path"),
            roots.sys.join("class/video4linux"),
        ] {
            fs::create_dir_all(folder).expect("writable");
        }
        Self { roots, _dir: dir }
    }

    fn plug(&self, number: u32, index: u32, name: &str, port: &str, usb: Option<(&str, &str, Option<&str>)>) {
        let device = self.roots.sys.join("devices/usb1").join(port);
        let interface = device.join(format!("{port}:1.0"));
        let node = interface.join(format!("video4linux/video{number}"));
        fs::create_dir_all(&node).expect("writable");
        let write = |path: PathBuf, text: &str| fs::write(path, format!("{text}\n")).expect("writable");
        write(node.join("index"), &index.to_string());
        write(node.join("name"), name);
        let _ = symlink(
            "../../../../".to_owned() + port + "/" + port + ":1.0",
            node.join("device"),
        );
        if let Some((vendor, product, serial)) = usb {
            write(device.join("idVendor"), vendor);
            write(device.join("idProduct"), product);
            serial
                .into_iter()
                .for_each(|serial| write(device.join("serial"), serial));
        }
        fs::write(self.roots.dev.join(format!("video{number}")), "").expect("writable");
        symlink(
            &node,
            self.roots.sys.join(format!("class/video4linux/video{number}")),
        )
        .expect("writable");
    }

    fn link(&self, folder: &str, name: &str, number: u32) {
        let link = self.roots.dev.join("v4l").join(folder).join(name);
        symlink(format!("../../video{number}"), link).expect("writable");
    }

    fn find(&self, wanted: &Match) -> Result<String, String> {
        let name = |path: PathBuf| {
            path.file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        wanted.find(&self.roots).map(name).map_err(|e| e.to_string())
    }
}

fn usb(usb: &str, serial: Option<&str>) -> Match {
    Match {
        usb: Some(usb.to_owned()),
        serial: serial.map(str::to_owned),
        ..Match::default()
    }
}

#[test]
fn a_usb_camera_is_found_under_whatever_number() {
    let fake = Fake::new();
    fake.plug(
        0,
        0,
        "HD Webcam C525",
        "1-1",
        Some(("046d", "0826", Some("8A2B"))),
    );
    fake.plug(
        1,
        1,
        "HD Webcam C525",
        "1-1",
        Some(("046d", "0826", Some("8A2B"))),
    );
    fake.plug(10, 0, "Other", "1-2", Some(("1d6b", "0102", None)));
    assert_eq!(fake.find(&usb("046D:0826", None)), Ok("video0".to_owned()));
    assert_eq!(fake.find(&usb("1d6b:0102", None)), Ok("video10".to_owned()));
    assert_eq!(
        fake.find(&usb("046d:0826", Some("8A2B"))),
        Ok("video0".to_owned())
    );
    let error = fake
        .find(&usb("046d:0826", Some("8a2c")))
        .expect_err("another serial number");
    assert!(
        error.contains("serial = \"8a2c\"") && error.contains("serial = \"8A2B\""),
        "{error}"
    );
    assert!(
        !error.contains("video1 "),
        "the second node is no camera: {error}"
    );
}

#[test]
fn two_of_a_kind_are_told_apart_or_refused() {
    let fake = Fake::new();
    fake.plug(2, 0, "Cam", "1-1", Some(("046d", "0825", Some("A"))));
    fake.plug(4, 0, "Cam", "1-2", Some(("046d", "0825", Some("B"))));
    let error = fake.find(&usb("046d:0825", None)).expect_err("which one?");
    assert!(
        error.contains("2 cameras") && error.contains("`serial`"),
        "{error}"
    );
    assert_eq!(fake.find(&usb("046d:0825", Some("B"))), Ok("video4".to_owned()));
}

#[test]
fn links_are_followed() {
    let fake = Fake::new();
    fake.plug(3, 0, "Cam", "1-1", None);
    fake.link("by-id", "usb-Cam-video-index0", 3);
    fake.link("by-path", "platform-x-usb-0:1:1.0-video-index0", 3);
    symlink("video3", fake.roots.dev.join("inspection-camera")).expect("writable");
    let id = Match {
        id: Some("usb-Cam-video-index0".to_owned()),
        ..Match::default()
    };
    let path = |path: &str| Match {
        path: Some(path.to_owned()),
        ..Match::default()
    };
    assert_eq!(fake.find(&id), Ok("video3".to_owned()));
    assert_eq!(
        fake.find(&path("platform-x-usb-0:1:1.0-video-index0")),
        Ok("video3".to_owned())
    );
    let own = fake.roots.dev.join("inspection-camera");
    assert_eq!(fake.find(&path(&own.to_string_lossy())), Ok("video3".to_owned()));
    fs::remove_file(fake.roots.dev.join("video3")).expect("there");
    let error = fake.find(&id).expect_err("unplugged");
    assert!(
        error.contains("usb-Cam-video-index0") && error.contains("\"Cam\""),
        "{error}"
    );
}

#[test]
fn nothing_plugged_in_is_said() {
    let empty = Roots {
        dev: PathBuf::from("/nonexistent"),
        sys: PathBuf::from("/nonexistent"),
    };
    let error = usb("046d:0825", None)
        .find(&empty)
        .expect_err("nothing")
        .to_string();
    assert!(error.contains("no video node is there at all"), "{error}");
}

#[test]
fn a_match_that_cannot_hold_is_refused() {
    let error = |wanted: Match| wanted.check().expect_err("refused");
    let path = |path: &str| Match {
        path: Some(path.to_owned()),
        ..Match::default()
    };
    assert!(error(Match::default()).contains("exactly one"));
    assert!(
        error(Match {
            id: Some("a".to_owned()),
            ..usb("046d:0825", None)
        })
        .contains("exactly one")
    );
    assert!(
        error(Match {
            serial: Some("a".to_owned()),
            ..path("x")
        })
        .contains("beside `usb`")
    );
    for number in ["/dev/video0", "/dev/video12", "0", "/dev/video"] {
        assert!(error(path(number)).contains("numbers change"), "{number}");
    }
    for wrong in ["046d", "046d:082", "046d:08255", "zzzz:0825", "046d-0825", ""] {
        assert!(error(usb(wrong, None)).contains("lsusb"), "{wrong}");
    }
    assert!(
        error(Match {
            id: Some("../x".to_owned()),
            ..Match::default()
        })
        .contains("by-id")
    );
    for good in [
        path("/dev/inspection-camera"),
        path("platform-x-video-index0"),
        usb("046d:0825", Some("1")),
    ] {
        assert_eq!(good.check(), Ok(()));
    }
}
