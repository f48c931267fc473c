//! The camera against a host controller of the tests' own, over a real socket.

use std::os::unix::net::UnixListener;

use super::descriptors::{BULK_ENDPOINT, PAYLOAD};
use super::usbredir::{Message, kind, number, receive, status};
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// A host that asks for a stream and reads payloads.
struct Host {
    stream: UnixStream,
    next: u64,
}

impl Host {
    fn accept(listener: &UnixListener) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        usbredir::hear_hello(&mut stream).unwrap();
        usbredir::hello(&mut stream).unwrap();
        let mut kinds = Vec::new();
        for _ in 0..3 {
            kinds.push(receive(&mut stream).unwrap().kind);
        }
        assert_eq!(kinds, [kind::INTERFACES, kind::ENDPOINTS, kind::CONNECT]);
        Self { stream, next: 1 }
    }

    fn commit(&mut self, format: u8) {
        let mut probe = [0; 26];
        probe[2] = format;
        let mut body = vec![0, 1, 0x21, 0];
        [0x0200_u16, 1, 26]
            .into_iter()
            .for_each(|word| body.extend(word.to_le_bytes()));
        body.extend(probe);
        self.send(kind::CONTROL, &body);
        assert_eq!(receive(&mut self.stream).unwrap().body[3], status::SUCCESS);
    }

    fn send(&mut self, kind: u32, body: &[u8]) -> u64 {
        usbredir::send(&mut self.stream, kind, self.next, body).unwrap();
        self.next += 1;
        self.next - 1
    }

    fn ask(&mut self) -> u64 {
        let length = (PAYLOAD as u16).to_le_bytes();
        self.send(
            kind::BULK,
            &[BULK_ENDPOINT, 0, length[0], length[1], 0, 0, 0, 0, 0, 0],
        )
    }

    /// Header bits that any payload had, and the data.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let (mut bits, mut data) = (0, Vec::new());
        while bits & 2 == 0 {
            let asked = self.ask();
            let Message { kind, id, body } = receive(&mut self.stream).unwrap();
            assert_eq!((kind, id, body[1]), (kind::BULK, asked, status::SUCCESS));
            assert_eq!(number(&body[2..4]), body.len() - 10);
            bits |= body[11];
            data.extend_from_slice(&body[12..]);
        }
        (bits, data)
    }
}

fn plugged(name: &str) -> (Camera, Host, [Picture; 2], PathBuf) {
    let path = std::env::temp_dir().join(format!("beltwatch-rig-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let belt = [1, 2].map(|seed| Picture::noise(128, 96, 60, seed).unwrap());
    let shape = Shape {
        width: 128,
        height: 96,
        frames_per_second: 50,
        formats: vec![Format::Yuyv, Format::Mjpeg],
    };
    let mut camera = Camera::new(path.clone(), shape, belt.clone());
    let host = std::thread::spawn(move || Host::accept(&listener));
    camera.plug().unwrap();
    (camera, host.join().unwrap(), belt, path)
}

#[test]
fn frames_come_whole_in_turn_and_in_the_format_that_was_asked_for() {
    let (camera, mut host, belt, path) = plugged("whole");
    assert_eq!(camera.streaming(), None);
    for (number, format) in [(1, Format::Yuyv), (2, Format::Mjpeg)] {
        host.commit(number);
        assert_eq!(camera.streaming(), Some(format));
        // one may have been on its way in the old format
        host.frame();
        let frames = [host.frame(), host.frame()];
        let known = |frame: &[u8]| belt.iter().position(|picture| picture.bytes(format) == frame);
        let shown = frames
            .each_ref()
            .map(|(_, data)| known(data).expect("a frame of the belt, byte for byte"));
        assert_ne!(shown[0], shown[1]);
        assert_ne!(frames[0].0 & 1, frames[1].0 & 1, "the frame bit does not toggle");
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_part_is_exposed_at_its_time() {
    let (camera, mut host, _, path) = plugged("part");
    let part = Picture::noise(128, 96, 200, 3).unwrap();
    host.commit(1);
    let at = Instant::now() + Duration::from_millis(110);
    camera.expose(at, &part);
    let mut frames = 0;
    while host.frame().1 != part.bytes(Format::Yuyv) {
        frames += 1;
        assert!(
            Instant::now() < at + Duration::from_secs(5),
            "the part is never shown"
        );
    }
    assert!(Instant::now() >= at, "shown too early");
    assert!((1..=6).contains(&frames), "{frames} frames of the belt before");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn faults_are_seen_on_the_wire() {
    let (camera, mut host, belt, path) = plugged("faults");
    host.commit(1);
    let whole = belt[0].bytes(Format::Yuyv).len();
    camera.set_fault(Fault::Flagged);
    host.frame();
    assert_eq!(host.frame().0 & 0x40, 0x40);
    camera.set_fault(Fault::Truncated);
    host.frame();
    assert_eq!(host.frame().1.len(), whole / 2);
    camera.set_fault(Fault::Frozen);
    host.stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    // the payloads of one frame may have been on their way
    let silent = (0..4).any(|_| {
        host.ask();
        receive(&mut host.stream).is_err()
    });
    assert!(silent, "frames come from a frozen camera");
    camera.set_fault(Fault::None);
    host.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(receive(&mut host.stream).unwrap().kind, kind::BULK);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_pulled_plug_says_so_and_all_is_as_after_power_up_when_it_is_back() {
    let (mut camera, mut host, _, path) = plugged("pulled");
    // auto-exposure mode of the camera terminal: manual
    host.send(kind::CONTROL, &[0, 1, 0x21, 0, 0, 2, 0, 1, 1, 0, 1]);
    receive(&mut host.stream).unwrap();
    assert!(camera.controls().manual_exposure);
    camera.unplug();
    assert_eq!(receive(&mut host.stream).unwrap().kind, kind::DISCONNECT);
    assert!(receive(&mut host.stream).is_err());
    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    camera.plug().unwrap();
    let _host = Host::accept(&listener);
    assert!(!camera.controls().manual_exposure);
    std::fs::remove_file(path).unwrap();
}
