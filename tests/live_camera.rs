//! A line with a real camera, as far as a machine without one can show it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use beltwatch::board::SIMULATED;
use serde_json::Value;

const CAMERA: &str =
    "source = \"v4l2\"\nmatch = { usb = \"ffff:ffff\" }\nwidth = 640\nheight = 480\nfps = 30";

#[test]
fn without_its_camera_a_line_rejects_every_part_says_why_and_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("board.toml"),
        SIMULATED.replacen("source = \"rendered\"", CAMERA, 1),
    )
    .expect("writable");
    let log = fs::File::create(at("log")).expect("writable");
    let mut child = Command::new(env!("CARGO_BIN_EXE_beltwatch"))
        .args(["run", "--quiet", "--parts", "5", "--recipe"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo"))
        .args(["--board".as_ref(), at("board.toml").as_os_str()])
        .args(["--json".as_ref(), at("report.json").as_os_str()])
        .args(["--sheet".as_ref(), at("sheet.png").as_os_str()])
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program starts");
    let start = Instant::now();
    while child.try_wait().expect("our child").is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            let _ = (child.kill(), child.wait());
            panic!("five parts take a second, and after a minute the line has not ended");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let report: Value =
        serde_json::from_slice(&fs::read(at("report.json")).expect("a report")).expect("a report in JSON");
    assert_eq!(
        (&report["parts"], &report["passed"], &report["rejected"]),
        (&5.into(), &0.into(), &5.into())
    );
    let log = fs::read_to_string(at("log")).expect("a log");
    assert_eq!(
        log.matches("no camera with usb = \"ffff:ffff\" is there").count(),
        1,
        "{log}"
    );
}
