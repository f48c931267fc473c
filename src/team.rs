//! One thread for a frame, or two that halve it. Frames are short: the second one waits spinning between the steps of a frame, and
//! giving it work allocates nothing (rayon's pools allocate now and then).
#![allow(unsafe_code)]

use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread::{self, JoinHandle, Thread};

use serde::Deserialize;

/// Looks this often for the end of a wait before it sleeps: a few steps of a frame.
const SPINS: u32 = 4000;
/// Bytes: kernels keep their tiles on the stack and call little.
const STACK: usize = 256 << 10;

/// How many cores a frame is shared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub enum Cores {
    /// One: another camera, or the rest of the program, may have the others.
    #[default]
    One,
    /// Two, for a frame that one is too slow for.
    Two,
}

impl TryFrom<u8> for Cores {
    type Error = String;

    fn try_from(cores: u8) -> Result<Self, String> {
        match cores {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(format!("{cores} cores: a frame is computed by 1 core, or shared by 2")),
        }
    }
}

/// Threads that share a frame's work.
#[derive(Debug, Default)]
pub struct Team(Option<Helper>);

#[derive(Debug)]
struct Helper {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where the helper finds its work.
#[derive(Debug, Default)]
struct Desk {
    /// Null where there is none. Who gave it waits until it is null again.
    job: AtomicPtr<Job<'static>>,
    closed: AtomicBool,
}

struct Job<'a> {
    work: &'a mut (dyn FnMut() + Send),
    giver: Thread,
    panicked: bool,
}

impl Team {
    /// The calling thread.
    pub const fn alone() -> Self {
        Self(None)
    }

    /// The calling thread and another one, which ends with the team.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn pair() -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let helpers = Arc::clone(&desk);
        let thread = thread::Builder::new().name("helper".into()).stack_size(STACK).spawn(move || helpers.serve())?;
        Ok(Self(Some(Helper { desk, thread: Some(thread) })))
    }

    /// A thread for each core, the calling one among them.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn of(cores: Cores) -> io::Result<Self> {
        match cores {
            Cores::One => Ok(Self::alone()),
            Cores::Two => Self::pair(),
        }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        1 + usize::from(self.0.is_some())
    }

    /// Where work of so many equal pieces is cut in two; none where one thread does it all.
    pub fn cut(&self, pieces: usize) -> Option<usize> {
        self.0.as_ref().and(pieces.checked_div(2)).filter(|&half| half > 0)
    }

    /// Does both, at the same time where there are two threads: `there` on the other one.
    pub fn both(&mut self, here: impl FnOnce(), there: impl FnOnce() + Send) {
        let Some(Helper { desk, thread: Some(thread) }) = &self.0 else {
            here();
            return there();
        };
        let mut there = Some(there);
        let mut work = || there.take().into_iter().for_each(|work| work());
        let mut job = Job { work: &mut work, giver: thread::current(), panicked: false };
        desk.job.store(ptr::from_mut(&mut job).cast(), Ordering::Release);
        let taken = Taken(desk);
        thread.thread().unpark();
        here();
        drop(taken);
        assert!(!job.panicked, "the helper panicked");
    }
}

/// Waits for the helper when it goes, also where the giver panics: the job is on the giver's stack.
struct Taken<'a>(&'a Desk);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        wait_until(|| self.0.job.load(Ordering::Acquire).is_null());
    }
}

impl Desk {
    /// Works until the desk is closed.
    fn serve(&self) {
        loop {
            let job = || self.job.load(Ordering::Acquire);
            wait_until(|| !job().is_null() || self.closed.load(Ordering::Acquire));
            if job().is_null() {
                return;
            }
            // SAFETY: `Team::both` made it of a job that it neither touches nor leaves until the place is null again.
            let Job { work, giver, panicked } = unsafe { &mut *job() };
            let giver = giver.clone();
            *panicked = catch_unwind(AssertUnwindSafe(work)).is_err();
            self.job.store(ptr::null_mut(), Ordering::Release);
            giver.unpark();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            thread.join().expect("the helper catches panics");
        }
    }
}

/// Who makes it so unparks this thread.
fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..SPINS {
        if is_so() {
            return;
        }
        spin_loop();
    }
    while !is_so() {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_are_done_before_it_returns() {
        for mut team in [Team::alone(), Team::pair().expect("a thread")] {
            let mut sums = [0u64; 2];
            for round in 0..20_000 {
                let [here, there] = &mut sums;
                team.both(|| *here += round, || *there += round);
                assert_eq!(sums[0], sums[1]);
                // long enough for the helper to fall asleep, at times
                if round % 5_000 == 0 {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            let (mut here, mut there) = (None, None);
            team.both(|| here = Some(thread::current().id()), || there = Some(thread::current().id()));
            assert_eq!(here != there, team.threads() == 2);
        }
    }

    #[test]
    fn a_giver_waits_for_a_slow_helper() {
        let mut done = false;
        Team::pair().expect("a thread").both(
            || (),
            || {
                thread::sleep(Duration::from_millis(50));
                done = true;
            },
        );
        assert!(done);
    }

    #[test]
    fn panics_reach_the_giver_and_the_helper_lives() {
        let mut team = Team::pair().expect("a thread");
        let mut done = false;
        let here = catch_unwind(AssertUnwindSafe(|| {
            team.both(
                || panic!("here"),
                || {
                    thread::sleep(Duration::from_millis(20));
                    done = true;
                },
            );
        }));
        assert!(here.is_err() && done, "the giver left before the helper was through");
        assert!(catch_unwind(AssertUnwindSafe(|| team.both(|| (), || panic!("there")))).is_err());
        let mut again = false;
        team.both(|| (), || again = true);
        assert!(again);
    }

    #[test]
    fn cuts() {
        let pair = Team::pair().expect("a thread");
        assert_eq!([0, 1, 2, 7].map(|pieces| pair.cut(pieces)), [None, None, Some(1), Some(3)]);
        assert_eq!(Team::alone().cut(8), None);
    }
}
