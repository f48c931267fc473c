//! However the daemon goes, every output is safe at once: watched from outside, by the levels in a file.
//!
//! `BELTWATCH_KILLS` is how often each way is tried (2 in the ordinary run); every other time all cores are
//! busy beside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use beltwatch::line;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::Value;

use steady::steadily;

mod steady;

/// Gate, READY, heartbeat off; FAULT on. The gate's line is low when it rejects.
const SAFE: &str = "1010";
/// Whether real-time priority is to be had here; without it other programs delay the gate and the guard as
/// they like.
static REAL_TIME: LazyLock<bool> = LazyLock::new(|| {
    let rights = std::thread::spawn(|| beltwatch::clock::realtime::enter(1));
    rights.join().expect("no panic").fifo
});

/// The gate's thread may be silent for so long.
fn gate_limit() -> Duration {
    Duration::from_millis(if *REAL_TIME { 100 } else { 1000 })
}

/// From the end of the daemon, or of its time limit, to safe outputs.
fn bar() -> Duration {
    Duration::from_millis(if *REAL_TIME { 50 } else { 500 })
}

struct Daemon {
    child: Child,
    levels: PathBuf,
    state: PathBuf,
    socket: PathBuf,
}

/// A test that fails leaves no program behind.
impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl Daemon {
    /// A belt on which every part is bad, so that the gate is mostly open; `fault` is a stage that fails.
    fn start(folder: &Path, fault: &str) -> Self {
        Self::start_belt(folder, "100 ms", fault)
    }

    fn start_belt(folder: &Path, period: &str, fault: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let levels = folder.join("levels");
        let board = fs::read_to_string(root.join("board/simulated.toml")).expect("the board");
        let board = board
            .replacen("defect_rate = 0.2", "defect_rate = 1.0", 1)
            .replacen("period = \"200 ms\"", &format!("period = \"{period}\""), 1)
            .replacen("scatter = \"25 ms\"", "scatter = \"10 ms\"", 1)
            .replacen("max_on = \"2 s\"", "max_on = \"100 s\"", 1)
            .replacen(
                "gate = \"1 s\"",
                &format!("gate = \"{} ms\"", gate_limit().as_millis()),
                1,
            );
        let outputs = format!(
            "\n[outputs]\nback_end = {{ file = {levels:?} }}\ngate = {{ line = 0, active_low = true }}\n\
             ready = {{ line = 1 }}\nfault = {{ line = 2 }}\nheartbeat = {{ line = 3 }}\n{fault}"
        );
        let path = folder.join("board.toml");
        fs::write(&path, board + &outputs).expect("writable");
        let (state, socket) = (folder.join("state"), folder.join("socket"));
        let was_killed =
            fs::read_to_string(state.join("counters.json")).is_ok_and(|s| s.contains("\"running\":true"));
        let child = Command::new(env!("CARGO_BIN_EXE_beltwatch"))
            .args(["run", "--quiet", "--parts", "1000000", "--board"])
            .arg(&path)
            .arg("--recipe")
            .arg(root.join("models/demo"))
            .arg("--state")
            .arg(&state)
            .arg("--control")
            .arg(&socket)
            .arg("--sheet")
            .arg(folder.join("sheet.png"))
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let daemon = Self {
            child,
            levels,
            state,
            socket,
        };
        if was_killed {
            daemon.acknowledge_unknown_parts();
        }
        daemon
    }

    /// A run that was killed may have left parts on the belt: the next one says so, and waits for an
    /// operator.
    fn acknowledge_unknown_parts(&self) {
        let start = Instant::now();
        let status = || line::ask(&self.socket, "status").unwrap_or_default();
        while !status().contains("parts-unknown") {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "no word of the parts of the run that was killed"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(
            self.levels().get(1..3),
            Some("01"),
            "neither READY nor without FAULT"
        );
        line::ask(&self.socket, "acknowledge").expect("it listens");
    }

    fn levels(&self) -> String {
        fs::read_to_string(&self.levels).unwrap_or_default()
    }

    fn wait(&self, what: &str, limit: Duration, mut there: impl FnMut(&str) -> bool) -> Duration {
        let start = Instant::now();
        loop {
            let levels = self.levels();
            if there(&levels) {
                return start.elapsed();
            }
            assert!(
                start.elapsed() < limit,
                "{what}: not after {limit:?}, the levels are {levels:?}"
            );
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// The gate has been opened, by a low level; READY is on, FAULT off.
    fn at_work(&self) {
        self.wait("at work", Duration::from_secs(20), |l| l.starts_with("010"));
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The guard process: the one child of the daemon's threads.
    fn guard(&self) -> Pid {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the daemon lives");
        let children = threads.filter_map(|t| fs::read_to_string(t.ok()?.path().join("children")).ok());
        let children: String = children.collect();
        let guard = children.trim().parse().ok().and_then(Pid::from_raw);
        guard.unwrap_or_else(|| panic!("the children are `{children}`, not one guard"))
    }

    /// The counters are whole and add up. How many parts have been decided.
    fn decided(&self) -> u64 {
        let text = fs::read(self.state.join("counters.json")).unwrap_or_default();
        if text.is_empty() {
            return 0;
        }
        let saved: Value = serde_json::from_slice(&text).expect("a whole file");
        let count = |v: &Value| v.as_u64().expect("a count");
        let c = &saved["counters"];
        let rejected: u64 = c["rejected"]
            .as_object()
            .expect("causes")
            .values()
            .map(count)
            .sum();
        let decided = count(&c["passed"]) + count(&c["bypassed"]) + rejected;
        let triggers = count(&c["triggers"]);
        assert!(triggers >= decided && triggers <= decided + 64, "{c}");
        decided
    }

    /// The guard goes too, and the outputs stay safe.
    fn stays_safe(mut self, guard: Pid) -> u64 {
        let _ = self.child.wait();
        let start = Instant::now();
        while !is_gone(guard) {
            assert!(start.elapsed() < Duration::from_secs(1), "the guard stays behind");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(self.levels(), SAFE);
        self.decided()
    }
}

fn times() -> usize {
    std::env::var("BELTWATCH_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2)
}

/// Starts a daemon, waits until it is at work and a while longer, lets it go by `end`, and measures until all
/// is safe.
fn every_time(name: &str, limit: Duration, fault: &str, end: impl Fn(&mut Daemon)) {
    steadily(|| every_time_once(name, limit, fault, &end));
}

fn every_time_once(name: &str, limit: Duration, fault: &str, end: &impl Fn(&mut Daemon)) {
    let mut took = [Vec::new(), Vec::new()];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut decided = 0;
    for i in 0..times() {
        let mut daemon = Daemon::start(folder.path(), fault);
        daemon.at_work();
        let guard = daemon.guard();
        let busy = i % 2 == 1;
        let safe = beside(busy, || {
            std::thread::sleep(Duration::from_millis(37 * (i as u64 % 19)));
            end(&mut daemon);
            daemon.wait(name, limit, |levels| levels == SAFE)
        });
        took[usize::from(busy)].push(safe);
        let now = daemon.stays_safe(guard);
        assert!(now >= decided, "{name}: counters went from {decided} to {now}");
        decided = now;
    }
    for (took, how) in took
        .iter_mut()
        .zip(["quiet", "busy"])
        .filter(|(took, _)| !took.is_empty())
    {
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!(
            "{name}, {how}: {} times, p50 {:?}, p99 {:?}, max {:?}",
            took.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

/// Does it with every core busy, or not.
fn beside<T>(busy: bool, work: impl FnOnce() -> T) -> T {
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let through = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // a failed assertion must end them too
        let _end = End(&through);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..if busy { cores } else { 0 } {
            scope.spawn(|| {
                while !through.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        work()
    })
}

#[test]
fn killed() {
    every_time("SIGKILL", bar(), "", |d| {
        kill_process(d.pid(), Signal::KILL).expect("it lives")
    });
}

#[test]
fn crashed() {
    // writing a core dump takes long, and no thread ends before
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    setrlimit(
        Resource::Core,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .expect("within the maximum");
    for (name, signal) in [("SIGABRT", Signal::ABORT), ("SIGILL", Signal::ILL)] {
        every_time(name, bar(), "", |d| {
            kill_process(d.pid(), signal).expect("it lives")
        });
    }
}

#[test]
fn a_guard_that_is_gone_is_a_fault_until_there_is_another_one() {
    steadily(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // a belt that is empty now and then
        let mut daemon = Daemon::start_belt(folder.path(), "1500 ms", "");
        daemon.at_work();
        let first = daemon.guard();
        kill_process(first, Signal::KILL).expect("it lives");
        daemon.wait("READY falls, FAULT rises", bar(), |l| l.get(1..3) == Some("01"));
        daemon.wait("READY again", Duration::from_secs(10), |l| {
            l.get(1..3) == Some("10")
        });
        assert_ne!(daemon.guard(), first);
        kill_process(daemon.pid(), Signal::TERM).expect("it lives");
        daemon.wait("an orderly end", Duration::from_secs(3), |l| l == SAFE);
        assert!(daemon.child.wait().expect("it ends").success());
    });
}

#[test]
fn terminated() {
    // the parts on the belt are brought to the gate first
    every_time("SIGTERM", Duration::from_secs(3), "", |d| {
        kill_process(d.pid(), Signal::TERM).expect("it lives");
        // an ordinary thread hears the signal: beside programs that want every core it waits for its turn
        d.wait("READY falls", 10 * bar(), |l| l.as_bytes().get(1) == Some(&b'0'));
    });
}

#[test]
fn held_up() {
    // a process that is stopped is one whose gate thread hangs
    every_time("SIGSTOP", gate_limit() + bar(), "", |d| {
        kill_process(d.pid(), Signal::STOP).expect("it lives")
    });
}

#[test]
fn panicking_stages() {
    for stage in ["belt", "camera", "inspection", "core"] {
        // at the first of them that comes so far: on a busy machine a part may miss its frame
        let fault =
            |part| format!("\n[[simulated.fault]]\nstage = \"{stage}\"\npart = {part}\nkind = \"panic\"\n");
        let faults = fault(12);
        every_time(&format!("panic in {stage}"), bar(), &faults, |d| {
            let messages = BufReader::new(d.child.stderr.take().expect("piped"));
            let (say, said) = mpsc::channel();
            std::thread::spawn(move || {
                say.send(
                    messages
                        .lines()
                        .map_while(Result::ok)
                        .any(|l| l.contains("panicked at")),
                )
            });
            assert_eq!(said.recv_timeout(Duration::from_secs(20)), Ok(true), "no panic");
        });
    }
}

#[test]
fn a_hung_gate_thread() {
    let fault = "\n[[simulated.fault]]\nstage = \"core\"\npart = 12\nkind = { hang = \"60 s\" }\n";
    every_time("hang of the core", bar(), fault, |d| {
        // whoever reads the messages may be gone by then
        drop(d.child.stderr.take());
        while !is_gone(d.pid()) {
            std::thread::sleep(Duration::from_micros(200));
        }
    });
}

/// Not there, or a zombie.
fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |s| {
        s.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    })
}
