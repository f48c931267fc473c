//! Memory in steady state: the gate's own thread, in a whole running line, allocates nothing and frees
//! nothing from eye edge to pulse; nor does the judging of a picture, with any kernel.

// A counting allocator can only be an implementation of the unsafe trait `GlobalAlloc`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use beltwatch::board::Board;
use beltwatch::line::{self, Options};
use beltwatch_belt::{Camera, FrameFault, FrameFaultKind, Scenario};
use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::processor::{Cores, Team};
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::reconstruct::Kernel;
use rustix::thread::gettid;

struct Counting;

/// The threads that are counted, as the kernel numbers them.
static WATCHED: [AtomicI32; 2] = [const { AtomicI32::new(0) }; 2];
static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() {
    let watched = WATCHED.each_ref().map(|thread| thread.load(Ordering::Relaxed));
    if watched != [0, 0] && watched.contains(&gettid().as_raw_nonzero().get()) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: `pointer` came from `System` with this `layout`, as all of ours do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn watch(threads: [i32; 2]) {
    CALLS.store(0, Ordering::Relaxed);
    WATCHED
        .iter()
        .zip(threads)
        .for_each(|(watched, thread)| watched.store(thread, Ordering::Relaxed));
}

fn thread_named(name: &str) -> Option<i32> {
    let threads = fs::read_dir("/proc/self/task").expect("a kernel with /proc");
    let is_it = |t: &fs::DirEntry| fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c.trim() == name);
    let thread = threads.filter_map(Result::ok).find(is_it)?;
    thread.file_name().to_string_lossy().parse().ok()
}

/// One test counts at a time.
static ONE: Mutex<()> = Mutex::new(());

#[test]
fn judging_allocates_nothing() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let recipe =
        Recipe::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")).expect("the demo's recipe");
    let golden = &recipe.manifest.golden[0];
    let picture = Picture::open(&recipe.folder.join(&golden.file)).expect("a golden picture");
    let kernels = Kernel::ALL.iter().copied().filter(|kernel| kernel.is_supported());
    for (kernel, cores) in kernels.flat_map(|kernel| [(kernel, Cores::One), (kernel, Cores::Two)]) {
        let team = Team::of(cores).expect("a thread");
        let mut inspector =
            Inspector::with(&recipe, kernel, team).expect("the same scores with every kernel");
        inspector.inspect(&picture).expect("a golden picture");
        assert_ne!(
            [picture.width, picture.height],
            [recipe.manifest.input.size; 2],
            "a picture that is resized"
        );
        let helper = thread_named("helper");
        assert_eq!(helper.is_some(), cores == Cores::Two);
        watch([gettid().as_raw_nonzero().get(), helper.unwrap_or(0)]);
        let scores = [(); 3].map(|()| inspector.inspect(&picture).map(|found| found.score));
        let calls = CALLS.load(Ordering::Relaxed);
        watch([0, 0]);
        assert!(
            scores
                .iter()
                .all(|score| score.as_ref().is_ok_and(|&score| score == golden.score)),
            "{kernel}"
        );
        assert_eq!(calls, 0, "allocations and frees with {kernel} on {cores:?}");
    }
}

#[test]
fn the_gates_thread_allocates_nothing() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let recipe =
        Recipe::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")).expect("the demo's recipe");
    // every second part leaves; frames without a part, black ones and late ones come too
    let fault = |kind, rate| FrameFault {
        kind,
        rate,
        parts: Vec::new(),
        during: Vec::new(),
        late_ms: 250.0,
    };
    let faults = vec![
        fault(FrameFaultKind::Black, 0.1),
        fault(FrameFaultKind::Late, 0.05),
    ];
    let mut scenario = Scenario {
        parts: 10_000,
        ..Scenario::constant(120.0, 10.0)
    };
    scenario.product.defect_rate = 0.5;
    scenario.camera = Camera {
        faults,
        ..Camera::default()
    };
    scenario.inference.time_ms = 20.0;
    let options = Options {
        scenario: Some(scenario),
        quiet: true,
        ..Options::default()
    };
    let stop = AtomicBool::new(false);
    let calls = std::thread::scope(|scope| {
        let line = scope.spawn(|| line::run(&recipe, &Board::simulated(), &options, &stop));
        let core = loop {
            assert!(!line.is_finished(), "the line ended");
            if let Some(core) = thread_named("core") {
                break core;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // its start may allocate
        std::thread::sleep(Duration::from_millis(1500));
        watch([core, 0]);
        std::thread::sleep(Duration::from_secs(6));
        let calls = CALLS.load(Ordering::Relaxed);
        watch([0, 0]);
        stop.store(true, Ordering::Relaxed);
        let (report, _) = line.join().expect("no panic").expect("a line");
        assert!(
            report.counters.triggers > 40 && report.counters.gate_pulses > 15,
            "{report}"
        );
        assert!(report.counters.frames_unusable > 0, "{report}");
        calls
    });
    assert_eq!(calls, 0, "allocations and frees on the gate's thread");
}
