//! The real camera's thread: frames as they come; a camera that is gone, silent or sends rubbish is connected
//! anew, for ever.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use beltwatch_core::{Device, Input, MonoNanos, Quality};
use beltwatch_vision::processor::NoThread;

use crate::board::Stage;
use crate::clock::{Clock, realtime};
use crate::devices::capture::{CaptureError, Captured, Connect, FrameCheck, LiveCamera, Shown, Truth};
use crate::line::queue::Sender;
use crate::line::stage::SLICE;
use crate::line::wiring::{Frame, Shared};

/// How long what is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// A camera without a good frame for longer is connected anew.
    pub(crate) silence: Duration,
    /// Before the first attempt to connect anew; each further one waits twice as long.
    pub(crate) first: Duration,
    /// At most.
    pub(crate) longest: Duration,
}

impl Patience {
    pub(crate) fn new(silence: Duration) -> Self {
        Self {
            silence,
            first: Duration::from_millis(100),
            longest: Duration::from_secs(2),
        }
    }
}

type Found = Result<Box<dyn LiveCamera>, CaptureError>;

/// Connects on a thread of its own: a driver may hold whoever asks it for seconds.
pub(crate) struct Connector {
    /// A wish to connect, with the old camera, which is let go first.
    wishes: SyncSender<Option<Box<dyn LiveCamera>>>,
    found: Receiver<Found>,
}

impl Connector {
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(mut connect: Box<dyn Connect>) -> Result<Self, NoThread> {
        let (wishes, asked) = sync_channel::<Option<Box<dyn LiveCamera>>>(1);
        let (answer, found) = sync_channel(1);
        // not joined: a driver that never answers must not hold up the end
        thread::Builder::new().name("connect".to_owned()).spawn(move || {
            for old in asked {
                drop(old);
                if answer.send(connect.connect()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { wishes, found })
    }
}

/// Why a camera was given up.
#[derive(Debug, thiserror::Error)]
enum Loss {
    #[error("{0}")]
    Camera(#[from] CaptureError),
    #[error("no new picture for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("the line has ended")]
    End,
}

pub(crate) struct Live<'q> {
    pub(crate) frames: Sender<'q, Box<Frame>>,
    pub(crate) commands: &'q Mutex<Sender<'q, Input>>,
    pub(crate) shared: &'q Shared,
    pub(crate) patience: Patience,
    /// What the core was told.
    pub(crate) is_up: bool,
    /// Outlives a connection: a sensor that hangs sends the same picture after it, too.
    pub(crate) check: FrameCheck,
}

impl Live<'_> {
    /// Works until the core has ended.
    pub(crate) fn run(mut self, connector: &Connector) {
        realtime::prefer();
        let mut old = None;
        let mut wait = self.patience.first;
        let mut said = String::new();
        while !self.is_over() {
            let loss = match self.connect(connector, old.take()) {
                Ok(mut camera) => {
                    let loss = self.stream(camera.as_mut(), &mut wait);
                    old = Some(camera);
                    loss
                }
                Err(loss) => loss,
            };
            if matches!(loss, Loss::End) {
                break;
            }
            let loss = loss.to_string();
            self.is_down(&loss);
            // a camera that is not there for a day is not worth a line each second
            if said != loss {
                log::warn!(
                    "camera: {loss}; trying again, every {} s at last",
                    self.patience.longest.as_secs_f32()
                );
                said = loss;
            }
            self.shared
                .stages
                .wait(Stage::Camera, MonoNanos::now() + wait, || self.is_over());
            wait = (wait * 2).min(self.patience.longest);
        }
        self.shared.stages.ended(Stage::Camera);
    }

    fn is_over(&self) -> bool {
        self.shared.core_ended.load(Ordering::Acquire)
    }

    fn connect(
        &self,
        connector: &Connector,
        old: Option<Box<dyn LiveCamera>>,
    ) -> Result<Box<dyn LiveCamera>, Loss> {
        // there is room: every wish before this one was answered
        if connector.wishes.send(old).is_err() {
            return Err(Loss::End);
        }
        while !self.is_over() {
            self.shared.stages.advanced(Stage::Camera);
            match connector.found.recv_timeout(SLICE) {
                Ok(found) => return Ok(found?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Err(Loss::End)
    }

    /// Passes frames on until the camera is lost. The first good one proves that it is there, and starts the
    /// waits anew.
    fn stream(&mut self, camera: &mut dyn LiveCamera, wait: &mut Duration) -> Loss {
        let mut last_good = MonoNanos::now();
        while !self.is_over() {
            self.shared.stages.advanced(Stage::Camera);
            let captured = match camera.next(SLICE.min(self.patience.silence)) {
                Ok(captured) => captured,
                Err(e) => return e.into(),
            };
            let now = MonoNanos::now();
            match captured {
                Some(Captured {
                    exposed,
                    sequence,
                    picture: Ok(picture),
                }) => {
                    self.shared.fault_at(Stage::Camera, u64::from(sequence));
                    let quality = self.check.check(&picture);
                    // a sensor that hangs sends its last picture again and again
                    if quality != Quality::Repeated {
                        last_good = now;
                        *wait = self.patience.first;
                    }
                    if quality == Quality::Good {
                        self.is_there();
                    }
                    let shown = Shown {
                        name: format!("frame {sequence}"),
                        truth: Truth::Unknown,
                        picture,
                    };
                    self.pass(Frame {
                        exposed,
                        sequence,
                        quality,
                        shown,
                    });
                }
                Some(Captured {
                    sequence,
                    picture: Err(flaw),
                    ..
                }) => {
                    self.is_down(&format!("frame {sequence} is no picture: {flaw}"));
                }
                None => {}
            }
            if now.since(last_good) > self.patience.silence {
                return Loss::Silent(self.patience.silence);
            }
        }
        Loss::End
    }

    fn pass(&mut self, frame: Frame) {
        if let Err(frame) = self.frames.send(Box::new(frame)) {
            log::warn!("{} is dropped: the core is behind", frame.shown.name);
        }
    }

    fn is_there(&mut self) {
        if !self.is_up {
            log::info!("the camera sends pictures");
            self.tell(true);
        }
    }

    fn is_down(&mut self, why: &str) {
        if self.is_up {
            log::error!("no camera: {why}");
            self.tell(false);
        }
    }

    fn tell(&mut self, up: bool) {
        self.is_up = up;
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.send_when_room(
            Input::Device {
                device: Device::Camera,
                up,
            },
            || self.is_over(),
        );
    }
}

#[cfg(test)]
#[path = "camera_tests.rs"]
mod tests;
