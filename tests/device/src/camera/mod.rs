//! A USB camera that the guest takes for real: USB Video Class 1.0 over usbredir, with faults.

mod control;
mod descriptors;
mod picture;
mod stream;
#[cfg(test)]
mod tests;
mod usbredir;

use std::collections::VecDeque;
use std::io::Result;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use control::Device;
use usbredir::kind;

pub(crate) use picture::{Format, Picture};

/// How the camera is found by a board file.
pub(crate) const VENDOR_PRODUCT: (u16, u16) = (0x1d6b, 0x0102);
pub(crate) const SERIAL: &str = "RIG0001";

/// What the camera can do.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// In pixels, even.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
    pub(crate) frames_per_second: u32,
    /// At least one; the first is the default.
    pub(crate) formats: Vec<Format>,
}

impl Shape {
    /// The largest frame.
    fn frame_bytes(&self) -> u32 {
        self.width * self.height * 2
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs(1) / self.frames_per_second
    }
}

/// What is wrong with the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// None comes any more; the camera still answers.
    Frozen,
    /// Each is flagged as damaged.
    Flagged,
    /// Each ends after half of its bytes.
    Truncated,
}

/// What the program has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Controls {
    pub(crate) manual_exposure: bool,
    pub(crate) exposure_100us: u32,
    pub(crate) gain: u32,
    pub(crate) manual_white_balance: bool,
    pub(crate) white_balance_kelvin: u32,
}

/// What both threads of a plugged camera look at.
struct State {
    device: Device,
    plugged: bool,
    fault: Fault,
    /// Requests for data that wait for it.
    requests: VecDeque<u64>,
    /// Shown in turn, so that no two frames that follow each other are the same.
    background: [Picture; 2],
    exposures: VecDeque<(Instant, Picture)>,
    frames: u64,
    /// How late an exposure began, at the worst.
    worst_delay: Duration,
}

#[derive(Clone)]
struct Shared(Arc<(Mutex<State>, Condvar)>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.0.1.notify_all();
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, patience: Duration) -> MutexGuard<'a, State> {
        self.0
            .1
            .wait_timeout(state, patience)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

/// The camera.
pub(crate) struct Camera {
    socket: PathBuf,
    shape: Shape,
    shared: Shared,
    plugged: Option<(UnixStream, [JoinHandle<()>; 2])>,
}

impl Camera {
    /// A camera on the shelf; `socket` is QEMU's.
    pub(crate) fn new(socket: PathBuf, shape: Shape, background: [Picture; 2]) -> Self {
        let device = Device::new(shape.clone(), SERIAL.to_owned());
        let state = State {
            device,
            plugged: false,
            fault: Fault::None,
            requests: VecDeque::new(),
            background,
            exposures: VecDeque::new(),
            frames: 0,
            worst_delay: Duration::ZERO,
        };
        Self {
            socket,
            shape,
            shared: Shared(Arc::new((Mutex::new(state), Condvar::new()))),
            plugged: None,
        }
    }

    /// Plugs it in: everything in it is as after power-up.
    pub(crate) fn plug(&mut self) -> Result<()> {
        self.unplug();
        let mut stream = UnixStream::connect(&self.socket)?;
        {
            let mut state = self.shared.lock();
            state.device = Device::new(self.shape.clone(), SERIAL.to_owned());
            state.plugged = true;
            state.requests.clear();
        }
        usbredir::hello(&mut stream)?;
        stream::introduce(&mut stream)?;
        let answers = stream::answer(stream.try_clone()?, self.shared.clone())?;
        let frames = stream::send_frames(stream.try_clone()?, self.shared.clone(), self.shape.period())?;
        self.plugged = Some((stream, [answers, frames]));
        Ok(())
    }

    /// Plugs it in with other formats.
    pub(crate) fn plug_with(&mut self, formats: &[Format]) -> Result<()> {
        self.shape.formats = formats.to_vec();
        self.plug()
    }

    /// Pulls the plug.
    pub(crate) fn unplug(&mut self) {
        let Some((mut stream, threads)) = self.plugged.take() else {
            return;
        };
        let mut state = self.shared.lock();
        state.plugged = false;
        // the other side may be gone already: then it knows
        let _ = usbredir::send(&mut stream, kind::DISCONNECT, 0, &[]);
        drop(state);
        self.shared.wake();
        std::thread::sleep(Duration::from_millis(50));
        let _ = stream.shutdown(Shutdown::Both);
        for thread in threads {
            let _ = thread.join();
        }
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.shared.lock().fault = fault;
        self.shared.wake();
    }

    /// Exposes this picture at that time, in place of the background's frames around then.
    pub(crate) fn expose(&self, at: Instant, picture: &Picture) {
        self.shared.lock().exposures.push_back((at, picture.clone()));
        self.shared.wake();
    }

    /// The format in which the guest wants frames now, if it does.
    pub(crate) fn streaming(&self) -> Option<Format> {
        let state = self.shared.lock();
        state.device.wanted().filter(|_| state.plugged)
    }

    pub(crate) fn controls(&self) -> Controls {
        self.shared.lock().device.controls()
    }

    /// How late an exposure began since the last call, at the worst.
    pub(crate) fn take_worst_delay(&self) -> Duration {
        std::mem::take(&mut self.shared.lock().worst_delay)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.unplug();
    }
}
