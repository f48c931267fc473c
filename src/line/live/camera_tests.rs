use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use beltwatch_vision::picture::Picture;
use heapless::spsc::{Consumer, Queue};

use super::*;
use crate::devices::capture::v4l2::{CameraError, Flaw};
use crate::line::queue::Bell;

const PATIENCE: Patience = Patience {
    silence: Duration::from_millis(40),
    first: Duration::from_millis(1),
    longest: Duration::from_millis(8),
};

/// What a simulated camera does next. At the end of its script it goes silent.
#[derive(Clone, Copy)]
enum Act {
    Good,
    Same,
    Dark,
    Marked,
    Gone,
}

use Act::{Dark, Gone, Good, Marked, Same};

fn gone() -> CaptureError {
    CameraError::Stamps {
        path: "/dev/video7".into(),
    }
    .into()
}

struct Fake {
    script: VecDeque<Act>,
    /// No two connections see the same.
    connection: u8,
    frame: u32,
    alive: Arc<AtomicUsize>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl LiveCamera for Fake {
    fn next(&mut self, patience: Duration) -> Result<Option<Captured>, CaptureError> {
        let Some(act) = self.script.pop_front() else {
            thread::sleep(patience);
            return Ok(None);
        };
        let mut picture = Picture::filled(4, 4, 1, 100);
        (picture.data[0], picture.data[1]) = (self.frame as u8, self.connection);
        if matches!(act, Same) {
            thread::sleep(Duration::from_millis(1));
        }
        let picture = match act {
            Good => Ok(picture),
            Same => Ok(Picture::filled(4, 4, 1, 200)),
            Dark => Ok(Picture::filled(4, 4, 1, 3)),
            Marked => Err(Flaw::Marked),
            Gone => return Err(gone()),
        };
        self.frame += 1;
        let exposed = MonoNanos(1000 * u64::from(self.frame));
        Ok(Some(Captured {
            exposed,
            sequence: self.frame - 1,
            picture,
        }))
    }
}

/// Connects to one simulated camera after the other; then there is none any more.
struct Bench {
    scripts: VecDeque<Vec<Act>>,
    /// Every attempt takes so long.
    takes: Duration,
    attempts: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
    most_alive: Arc<AtomicUsize>,
}

impl Bench {
    fn new(scripts: impl IntoIterator<Item = Vec<Act>>) -> Self {
        let zero = || Arc::new(AtomicUsize::new(0));
        let scripts = scripts.into_iter().collect();
        Self {
            scripts,
            takes: Duration::ZERO,
            attempts: zero(),
            alive: zero(),
            most_alive: zero(),
        }
    }
}

impl Connect for Bench {
    fn connect(&mut self) -> Result<Box<dyn LiveCamera>, CaptureError> {
        let connection = self.attempts.fetch_add(1, Ordering::SeqCst) as u8;
        thread::sleep(self.takes);
        let script = self.scripts.pop_front().ok_or_else(gone)?.into();
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_alive.fetch_max(alive, Ordering::SeqCst);
        Ok(Box::new(Fake {
            script,
            connection,
            frame: 0,
            alive: self.alive.clone(),
        }))
    }
}

/// What the core hears: whether the camera is there, in order, and of each frame its number, quality and
/// exposure.
#[derive(Default)]
struct Heard {
    up: Vec<bool>,
    frames: Vec<(u32, Quality, u64)>,
    /// The watch found the stage hung.
    hung: bool,
}

impl Heard {
    fn numbers(&self) -> Vec<u32> {
        self.frames.iter().map(|f| f.0).collect()
    }
}

/// Runs the thread until `enough` or for ten seconds.
fn play(bench: Bench, patience: Patience, enough: impl Fn(&Heard) -> bool) -> Heard {
    let (mut frames, mut commands) = (Queue::<Box<Frame>, 16>::new(), Queue::<Input, 16>::new());
    let ((frame_in, mut frames), (command_in, mut commands)) = (frames.split(), commands.split());
    let bell = Bell::default();
    let commands_in = Mutex::new(Sender::new(command_in, &bell));
    let shared = Shared::default();
    let connector = Connector::start(Box::new(bench)).expect("a thread");
    let live = Live {
        frames: Sender::new(frame_in, &bell),
        commands: &commands_in,
        shared: &shared,
        patience,
        is_up: false,
        check: FrameCheck::default(),
    };
    let mut heard = Heard::default();
    let start = MonoNanos::now();
    thread::scope(|scope| {
        scope.spawn(move || live.run(&connector));
        while !enough(&heard) && MonoNanos::now().since(start) < Duration::from_secs(10) {
            listen(&mut heard, &mut frames, &mut commands);
            shared.stages.advanced(Stage::Belt);
            heard.hung |= shared.stages.hung(MonoNanos::now(), 6 * SLICE) == Some(Stage::Camera);
            thread::sleep(Duration::from_micros(200));
        }
        shared.core_ended.store(true, Ordering::Release);
    });
    listen(&mut heard, &mut frames, &mut commands);
    heard
}

fn listen(heard: &mut Heard, frames: &mut Consumer<'_, Box<Frame>>, commands: &mut Consumer<'_, Input>) {
    while let Some(input) = commands.dequeue() {
        let Input::Device {
            device: Device::Camera,
            up,
        } = input
        else {
            panic!("{input:?}")
        };
        heard.up.push(up);
    }
    while let Some(frame) = frames.dequeue() {
        heard
            .frames
            .push((frame.sequence, frame.quality, frame.exposed.0));
    }
}

fn patient() -> Patience {
    Patience {
        silence: Duration::from_secs(30),
        ..PATIENCE
    }
}

#[test]
fn frames_go_on_with_exposure_number_and_quality() {
    let heard = play(Bench::new([vec![Good, Dark, Same, Same, Good]]), patient(), |h| {
        h.frames.len() == 5
    });
    let qualities = [
        Quality::Good,
        Quality::Black,
        Quality::Good,
        Quality::Repeated,
        Quality::Good,
    ];
    let expected: Vec<_> = (0..5)
        .zip(qualities)
        .map(|(i, q)| (i, q, 1000 * (u64::from(i) + 1)))
        .collect();
    assert_eq!((heard.frames, heard.up), (expected, vec![true]));
}

#[test]
fn a_camera_that_is_unplugged_is_connected_anew_and_numbers_start_anew() {
    let bench = Bench::new([vec![Good, Good, Gone], vec![Gone], vec![Good]]);
    let heard = play(bench, patient(), |h| h.frames.len() == 3);
    assert_eq!(
        (heard.up.as_slice(), heard.numbers()),
        (&[true, false, true][..], vec![0, 1, 0])
    );
}

#[test]
fn a_frame_that_is_no_picture_takes_the_camera_down_until_there_is_one() {
    let bench = Bench::new([vec![Marked, Good, Marked, Marked, Good]]);
    let attempts = bench.attempts.clone();
    let heard = play(bench, patient(), |h| h.frames.len() == 2);
    assert_eq!(
        (heard.up.as_slice(), heard.numbers()),
        (&[true, false, true][..], vec![1, 4])
    );
    assert_eq!(attempts.load(Ordering::SeqCst), 1, "the stream goes on");
}

#[test]
fn a_silent_camera_and_one_that_repeats_itself_are_connected_anew() {
    let frozen: Vec<_> = std::iter::repeat_n(Same, 10_000).collect();
    // the second camera falls silent in its turn
    let heard = play(Bench::new([vec![Good], vec![Good]]), PATIENCE, |h| {
        h.up.len() >= 3
    });
    assert_eq!(
        (&heard.up[..3], heard.numbers()),
        (&[true, false, true][..], vec![0, 0])
    );
    let heard = play(Bench::new([frozen, vec![Good]]), PATIENCE, |h| h.up.len() >= 3);
    assert_eq!(heard.up[..3], [true, false, true]);
}

#[test]
fn a_sensor_that_still_hangs_after_a_reconnect_is_not_there() {
    let frozen = || std::iter::repeat_n(Same, 10_000).collect::<Vec<_>>();
    let heard = play(Bench::new([frozen(), frozen(), vec![Good]]), PATIENCE, |h| {
        h.up.len() >= 3
    });
    assert_eq!(heard.up[..3], [true, false, true]);
    let good: Vec<_> = heard
        .frames
        .iter()
        .filter(|f| f.1 == Quality::Good)
        .map(|f| f.0)
        .collect();
    assert_eq!(
        good,
        [0, 0],
        "the first picture of the frozen sensor, and the one of the third connection"
    );
}

#[test]
fn pictures_of_nothing_do_not_make_a_camera() {
    let heard = play(Bench::new([vec![Dark, Dark, Good]]), patient(), |h| {
        h.frames.len() == 3
    });
    assert_eq!(heard.up, [true]);
    let heard = play(Bench::new([vec![Dark, Dark, Dark]]), patient(), |h| {
        h.frames.len() == 3
    });
    assert!(heard.up.is_empty());
}

#[test]
fn attempts_go_on_for_ever_ever_more_slowly() {
    let bench = Bench::new([]);
    let attempts = bench.attempts.clone();
    let start = MonoNanos::now();
    let heard = play(bench, PATIENCE, |_| {
        MonoNanos::now().since(start) > Duration::from_millis(250)
    });
    let count = attempts.load(Ordering::SeqCst);
    // 1, 2, 4, then 8 ms between them
    assert!((4..=40).contains(&count), "{count} attempts in 250 ms");
    assert!(
        heard.up.is_empty() && heard.frames.is_empty(),
        "what never was there is not lost"
    );
}

#[test]
fn a_driver_that_holds_up_whoever_asks_does_not_hang_the_stage() {
    let bench = Bench {
        takes: 12 * SLICE,
        ..Bench::new([vec![Good]])
    };
    let heard = play(bench, patient(), |h| h.frames.len() == 1);
    assert_eq!((heard.up.as_slice(), heard.hung), (&[true][..], false));
    let bench = Bench {
        takes: Duration::from_secs(5),
        ..Bench::new([vec![Good]])
    };
    let start = MonoNanos::now();
    play(bench, patient(), |_| MonoNanos::now().since(start) > SLICE);
    assert!(
        MonoNanos::now().since(start) < Duration::from_secs(3),
        "the end does not wait for the driver"
    );
}

#[test]
fn a_thousand_reconnects_leave_nothing_behind() {
    let bench = Bench::new(std::iter::repeat_n(vec![Good, Gone], 1000));
    let (alive, most) = (bench.alive.clone(), bench.most_alive.clone());
    let heard = play(
        bench,
        Patience {
            longest: PATIENCE.first,
            ..patient()
        },
        |h| h.up.len() == 2000,
    );
    assert_eq!((heard.frames.len(), heard.up.len()), (1000, 2000));
    assert!(heard.up.chunks(2).all(|pair| pair == [true, false]));
    assert_eq!(
        (most.load(Ordering::SeqCst), alive.load(Ordering::SeqCst)),
        (1, 0)
    );
}
