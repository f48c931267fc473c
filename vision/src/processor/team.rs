//! One thread for a frame, or two that share it. A frame has many steps of a millisecond and less: between
//! them the second thread waits spinning, giving it work allocates nothing (rayon's pools allocate now and
//! then), and work that it has not begun is taken back.
#![allow(unsafe_code)]

use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::{io, ptr};

use serde::Deserialize;

/// Looks this often for the end of a wait before it sleeps: some ten to two hundred microseconds, by
/// processor, longer than two halves of a step differ.
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
            _ => Err(format!(
                "{cores} cores: a frame is computed by 1 core, or shared by 2"
            )),
        }
    }
}

/// The system gives no thread.
#[derive(Debug, thiserror::Error)]
#[error("a thread cannot be started: {0}")]
pub struct NoThread(#[from] pub io::Error);

/// Threads that share a frame's work.
#[derive(Debug)]
pub struct Team(Option<Helper>);

#[derive(Debug)]
struct Helper {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where the helper finds its work.
#[derive(Debug, Default)]
struct Desk {
    /// Null where there is none, `TAKEN` while the helper works. Who gave it takes it back or waits until it
    /// is null again.
    job: AtomicPtr<Job<'static>>,
    closed: AtomicBool,
}

const TAKEN: *mut Job<'static> = ptr::dangling_mut();

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
    pub fn pair() -> Result<Self, NoThread> {
        let desk = Arc::new(Desk::default());
        let helpers = Arc::clone(&desk);
        let thread = thread::Builder::new()
            .name("helper".into())
            .stack_size(STACK)
            .spawn(move || helpers.serve())?;
        Ok(Self(Some(Helper {
            desk,
            thread: Some(thread),
        })))
    }

    /// A thread for each core, the calling one among them; fewer cores than that are said in the log.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn of(cores: Cores) -> Result<Self, NoThread> {
        match cores {
            Cores::One => Ok(Self::alone()),
            Cores::Two => {
                if !has_two_cores() {
                    log::warn!(
                        "two cores are to share a frame, but the program may use only one: nothing is gained"
                    );
                }
                Self::pair()
            }
        }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        1 + usize::from(self.0.is_some())
    }

    /// Where work of so many equal pieces is cut in two; none where one thread does it all.
    pub(crate) fn cut(&self, pieces: usize) -> Option<usize> {
        self.0
            .as_ref()
            .and(Some(pieces.div_ceil(2)))
            .filter(|&half| half < pieces)
    }

    /// Does both, at the same time where the other thread is there in time: `there` is its part.
    pub(crate) fn both(&mut self, here: impl FnOnce(), there: impl FnOnce() + Send) {
        let Some(helper) = &self.0 else {
            here();
            return there();
        };
        let mut there = Some(there);
        let mut work = || there.take().into_iter().for_each(|work| work());
        let mut job = Job {
            work: &mut work,
            giver: thread::current(),
            panicked: false,
        };
        let given = helper.give(&mut job);
        here();
        if given.take_back() {
            (job.work)();
        }
        drop(given);
        assert!(!job.panicked, "the helper panicked");
    }

    /// Does it on every thread.
    pub fn each(&mut self, work: impl Fn() + Sync) {
        work();
        let Some(helper) = &self.0 else { return };
        let mut work = &work;
        let mut job = Job {
            work: &mut work,
            giver: thread::current(),
            panicked: false,
        };
        drop(helper.give(&mut job));
        assert!(!job.panicked, "the helper panicked");
    }
}

/// Whether there are two cores that this program may use.
pub fn has_two_cores() -> bool {
    thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

impl Helper {
    /// The job is not touched and stays where it is until what comes back was dropped or taken back.
    fn give(&self, job: &mut Job<'_>) -> Given<'_> {
        let job = ptr::from_mut(job).cast();
        self.desk.job.store(job, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        Given {
            desk: &self.desk,
            job,
        }
    }
}

/// Waits for the helper when it goes, also where the giver panics: the job is on the giver's stack.
struct Given<'a> {
    desk: &'a Desk,
    job: *mut Job<'static>,
}

impl Given<'_> {
    /// Whether the helper has not begun it, and never will.
    fn take_back(&self) -> bool {
        self.desk.moved(self.job, ptr::null_mut())
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        if !(thread::panicking() && self.take_back()) {
            wait_until(|| self.desk.job.load(Ordering::Acquire).is_null());
        }
    }
}

impl Desk {
    fn moved(&self, from: *mut Job<'static>, to: *mut Job<'static>) -> bool {
        self.job
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Works until the desk is closed; no job is on it then.
    fn serve(&self) {
        let is_closed = || self.closed.load(Ordering::Acquire);
        while !is_closed() {
            let job = || self.job.load(Ordering::Acquire);
            wait_until(|| !job().is_null() || is_closed());
            let job = job();
            if job.is_null() || !self.moved(job, TAKEN) {
                continue;
            }
            // SAFETY: the giver neither touches nor leaves a job that it gave until the place is null again:
            // see `Helper::give`.
            let Job {
                work,
                giver,
                panicked,
            } = unsafe { &mut *job };
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
    use std::collections::HashSet;
    use std::sync::Mutex;
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
            let threads = Mutex::new(HashSet::new());
            team.each(|| {
                threads.lock().expect("no panic").insert(thread::current().id());
            });
            assert_eq!(threads.into_inner().expect("no panic").len(), team.threads());
        }
    }

    #[test]
    fn work_that_nobody_has_begun_is_taken_back() {
        let mut team = Team(Some(Helper {
            desk: Arc::default(),
            thread: None,
        }));
        let (mut here, mut there) = (None, None);
        team.both(
            || here = Some(thread::current().id()),
            || there = Some(thread::current().id()),
        );
        assert!(here.is_some() && here == there);
    }

    /// Begins on the helper before `here` is through, and then takes long.
    fn slowly(team: &mut Team, here: impl FnOnce()) -> bool {
        let (begun, mut done) = (AtomicBool::new(false), false);
        let both = || {
            team.both(
                || {
                    while !begun.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    here();
                },
                || {
                    begun.store(true, Ordering::Release);
                    thread::sleep(Duration::from_millis(20));
                    done = true;
                },
            );
        };
        let _ = catch_unwind(AssertUnwindSafe(both));
        done
    }

    #[test]
    fn work_that_was_begun_is_waited_for() {
        let mut team = Team::pair().expect("a thread");
        assert!(slowly(&mut team, || ()));
        assert!(
            slowly(&mut team, || panic!("here")),
            "the giver left before the helper was through"
        );
    }

    #[test]
    fn panics_reach_the_giver_and_the_helper_lives() {
        let mut team = Team::pair().expect("a thread");
        let giver = thread::current().id();
        let there = catch_unwind(AssertUnwindSafe(|| {
            team.each(|| assert_eq!(thread::current().id(), giver));
        }));
        assert!(there.is_err());
        let mut again = false;
        team.both(|| (), || again = true);
        assert!(again);
    }

    #[test]
    fn cuts() {
        let pair = Team::pair().expect("a thread");
        assert_eq!(
            [0, 1, 2, 7].map(|pieces| pair.cut(pieces)),
            [None, None, Some(1), Some(4)]
        );
        assert_eq!(Team::alone().cut(8), None);
    }
}
