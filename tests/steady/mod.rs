//! For checks against the clock: a virtual machine's host may take its processors away for longer than a gate
//! may be late. Such a stall is measured while a check runs, by threads that wake every half millisecond on
//! every processor, above all others; a check that fails beside one says nothing about this program and is
//! made again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use beltwatch::clock::realtime;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

pub(crate) const ATTEMPTS: usize = 6;
const STEP: Duration = Duration::from_micros(500);

/// Runs `check`, which panics where something is wrong, alone among the checks of this test program.
///
/// # Panics
/// With the panic of the first attempt on a machine that did not stall, or of the last one.
pub(crate) fn steadily<T>(check: impl Fn() -> T) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut attempt = 1;
    loop {
        let (outcome, stall, limit) = watched(|| catch_unwind(AssertUnwindSafe(&check)));
        match outcome {
            Ok(value) => return value,
            Err(_) if stall > limit && attempt < ATTEMPTS => {
                eprintln!("attempt {attempt} failed while a processor was withheld for {stall:?}: once more");
            }
            Err(panic) => {
                eprintln!(
                    "attempt {attempt}; a processor was withheld for {stall:?}, which is told from {limit:?} \
                     on"
                );
                resume_unwind(panic);
            }
        }
        attempt += 1;
    }
}

/// The longest time that a thread on any processor was late beside `work`, and the one from which it counts
/// as a stall.
fn watched<T>(work: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (through, worst, all_fifo) = (AtomicBool::new(false), AtomicU64::new(0), AtomicBool::new(true));
    let processors = sched_getaffinity(None).expect("a kernel that says where a thread may run");
    let done = std::thread::scope(|scope| {
        for processor in (0..CpuSet::MAX_CPU).filter(|c| processors.is_set(*c)) {
            let (through, worst, all_fifo) = (&through, &worst, &all_fifo);
            scope.spawn(move || {
                let mut here = CpuSet::new();
                here.set(processor);
                sched_setaffinity(None, &here).expect("one of the processors of this thread");
                all_fifo.fetch_and(realtime::enter(99).fifo, Ordering::Relaxed);
                while !through.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    std::thread::sleep(STEP);
                    let late = start.elapsed().saturating_sub(STEP);
                    worst.fetch_max(late.as_nanos() as u64, Ordering::Relaxed);
                }
            });
        }
        let done = work();
        through.store(true, Ordering::Relaxed);
        done
    });
    // an ordinary thread also waits for its turn among others
    let limit = Duration::from_millis(if all_fifo.into_inner() { 2 } else { 20 });
    (done, Duration::from_nanos(worst.into_inner()), limit)
}
