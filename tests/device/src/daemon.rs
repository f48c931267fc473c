//! The program in the guest, as a service manager would run it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::board::Board;
use crate::guest::{BOARD, PROGRAM, RECIPE};
use crate::machine::Machine;
use crate::machine::gpio::Pin;

const LOG: &str = "/tmp/beltwatch.log";
const REPORT: &str = "/tmp/report.json";
const STATE: &str = "/var/lib/beltwatch";
const SOCKET: &str = "/run/beltwatch.sock";
/// From the start to READY: an emulated core loads and proves a network slowly.
const START: Duration = Duration::from_secs(90);
const STOP: Duration = Duration::from_secs(20);

/// The running program.
pub(crate) struct Daemon {
    pub(crate) process: u32,
    /// From its start to READY.
    pub(crate) until_ready: Duration,
}

/// What one part became, as the program says at its end.
pub(crate) struct PartReport {
    pub(crate) reject: bool,
    pub(crate) cause: Option<String>,
    pub(crate) score: Option<f64>,
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: u64,
}

impl Daemon {
    /// Starts it, and waits until it says READY on its line.
    pub(crate) fn start(machine: &mut Machine, board: &Board) -> Result<Self> {
        let start = Instant::now();
        let mut daemon = Self::start_only(machine, board)?;
        // an edge, not a level: a program that died may have left READY high
        while machine
            .gpio
            .wait(Pin::Ready, true, start, Duration::from_millis(500))
            .is_none()
        {
            ensure!(
                daemon.is_alive(machine)?,
                "the program ended before READY: {}",
                log(machine)
            );
            // one that was killed left parts on the belt, for all that its follower knows
            if daemon
                .ask(machine, "status")
                .is_ok_and(|status| status.contains("parts-unknown"))
            {
                daemon.ask(machine, "acknowledge")?;
            }
            ensure!(start.elapsed() < START, "no READY in {START:?}: {}", log(machine));
        }
        daemon.until_ready = start.elapsed();
        Ok(daemon)
    }

    /// Starts it.
    fn start_only(machine: &mut Machine, board: &Board) -> Result<Self> {
        let shell = &mut machine.shell;
        shell.run(&format!("cat > {BOARD} <<'END'\n{}\nEND", board.text()?))?;
        shell.run(&format!("rm -f {REPORT} {SOCKET} /tmp/pid; mkdir -p {STATE}"))?;
        let files =
            format!("--board {BOARD} --recipe {RECIPE} --state {STATE} --control {SOCKET} --json {REPORT}");
        let run = format!("echo $$ > /tmp/pid; cd /tmp; exec {PROGRAM} run {files} --quiet");
        shell.run(&format!("setsid sh -c '{run}' > {LOG} 2>&1 < /dev/null &"))?;
        let process = shell.run("until [ -s /tmp/pid ]; do sleep 0.05; done; cat /tmp/pid")?;
        Ok(Self {
            process: process.parse()?,
            until_ready: Duration::ZERO,
        })
    }

    pub(crate) fn is_alive(&self, machine: &mut Machine) -> Result<bool> {
        // a zombie has no command line
        let command = machine
            .shell
            .run(&format!("cat /proc/{}/cmdline 2>/dev/null | wc -c", self.process))?;
        Ok(command.trim() != "0")
    }

    /// Sends a signal, as in `TERM`.
    pub(crate) fn signal(&self, machine: &mut Machine, name: &str) -> Result<()> {
        machine
            .shell
            .run(&format!("kill -{name} {}", self.process))
            .map(drop)
    }

    /// Ends it in an orderly way; what it says of each part, in the order of the belt.
    pub(crate) fn stop(self, machine: &mut Machine) -> Result<Vec<PartReport>> {
        self.signal(machine, "TERM")?;
        let start = Instant::now();
        while self.is_alive(machine)? {
            ensure!(
                start.elapsed() < STOP,
                "the program does not end on SIGTERM: {}",
                log(machine)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        let report: Value = serde_json::from_str(&machine.shell.run(&format!("cat {REPORT}"))?)?;
        let list = report["part_list"]
            .as_array()
            .context("the program's report has no part_list")?;
        // tags in the order in which parts came
        let by_tag: BTreeMap<u64, &Value> =
            list.iter().map(|p| (p["tag"].as_u64().unwrap_or(0), p)).collect();
        Ok(by_tag.values().map(|part| PartReport::of(part)).collect())
    }

    /// Kills what is left of it, its guard too, after a check that may have left it in any state.
    pub(crate) fn clear_away(machine: &mut Machine) -> Result<()> {
        let all = format!(
            "for p in /proc/[0-9]*; do [ \"$(readlink $p/exe)\" = {PROGRAM} ] && kill -9 ${{p#/proc/}}; done"
        );
        machine.shell.try_run(&all, STOP).map(drop)
    }

    /// Asks it over its control socket.
    pub(crate) fn ask(&self, machine: &mut Machine, request: &str) -> Result<String> {
        machine
            .shell
            .run(&format!("{PROGRAM} control --socket {SOCKET} {request}"))
    }

    pub(crate) fn holds(&self, machine: &mut Machine) -> Result<Holds> {
        let process = self.process;
        let resident = machine.shell.run(&format!(
            "sed -n 's/VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/{process}/status"
        ))?;
        let descriptors = machine.shell.run(&format!("ls /proc/{process}/fd | wc -l"))?;
        Ok(Holds {
            resident_kib: resident.trim().parse()?,
            descriptors: descriptors.trim().parse()?,
        })
    }

    /// Its guard process: its child.
    pub(crate) fn guard(&self, machine: &mut Machine) -> Result<Option<u32>> {
        let children = machine.shell.run(&format!(
            "for p in /proc/[0-9]*; do [ \"$(cut -d' ' -f4 $p/stat 2>/dev/null)\" = {} ] && echo \
             ${{p#/proc/}}; done; true",
            self.process
        ))?;
        children
            .lines()
            .next()
            .map(|p| p.trim().parse().context("a process number"))
            .transpose()
    }
}

impl PartReport {
    fn of(part: &Value) -> Self {
        Self {
            reject: part["verdict"] == "reject",
            cause: part["cause"].as_str().map(str::to_owned),
            score: part["score"].as_f64(),
        }
    }
}

/// The last lines of the program's log.
pub(crate) fn log(machine: &mut Machine) -> String {
    machine
        .shell
        .run(&format!("tail -n 8 {LOG}"))
        .unwrap_or_else(|e| format!("{e:#}"))
}
