//! The table at the end of a run, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use beltwatch_core::{Alarm, Cause, Counters, Fault, State};
use beltwatch_vision::judge::score::Score;
use serde::Serialize;

use crate::line::{Latency, PartRecord, TruthTable};

/// How a run went.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The board's name.
    pub board: String,
    /// The recipe's product and hash.
    pub recipe: String,
    /// The threshold in force.
    pub threshold: Score,
    /// Eye edges.
    pub parts: u64,
    /// Parts that went on.
    pub passed: u64,
    /// Parts that left, all causes.
    pub rejected: u64,
    /// Parts that left, by cause.
    pub rejected_by_cause: BTreeMap<Cause, u64>,
    /// Everything that was counted.
    pub counters: Counters,
    /// Against the ground truth, where it is known.
    pub truth: TruthTable,
    /// The state before the end.
    pub state: State,
    /// Faults that were there at any time.
    pub faults: Vec<Fault>,
    /// Alarms that were there at any time.
    pub alarms: Vec<Alarm>,
    /// Entries of the record that were lost because it could not be written fast enough.
    pub trace_dropped: u64,
    /// Times a stage.
    pub latency: BTreeMap<&'static str, Latency>,
    /// Planned against done, of every switch of the gate.
    pub gate_error: Latency,
    /// Pictures that got no verdict, and why: the latest ones.
    pub unjudged: Vec<(String, String)>,
    /// Every part, where that was asked for.
    pub part_list: Vec<PartRecord>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |n: u64| {
            if self.parts == 0 {
                0.0
            } else {
                n as f64 * 100.0 / self.parts as f64
            }
        };
        writeln!(f, "{} with {}", self.board, self.recipe)?;
        writeln!(f, "  parts                      {:>8}", self.parts)?;
        writeln!(
            f,
            "  passed                     {:>8}   {:5.1} %",
            self.passed,
            share(self.passed)
        )?;
        writeln!(
            f,
            "  rejected                   {:>8}   {:5.1} %",
            self.rejected,
            share(self.rejected)
        )?;
        for (cause, &count) in self.rejected_by_cause.iter().filter(|&(_, &count)| count > 0) {
            writeln!(f, "    {cause:<24} {count:>8}")?;
        }
        // by their own names, so that a new counter is in the table
        let counters = serde_json::to_value(self.counters).expect("counters are numbers");
        for (name, count) in counters.as_object().into_iter().flatten() {
            let is_above = ["triggers", "passed", "gate_pulses"].contains(&name.as_str());
            if let Some(count) = count.as_u64().filter(|&count| count > 0 && !is_above) {
                writeln!(f, "  {:<26} {count:>8}", name.replace('_', " "))?;
            }
        }
        for fault in &self.faults {
            writeln!(f, "  fault                      {fault}")?;
        }
        for alarm in &self.alarms {
            writeln!(f, "  alarm                      {alarm}")?;
        }
        let t = &self.truth;
        if t.good + t.defective > 0 {
            writeln!(
                f,
                "against the ground truth ({} good, {} defective)",
                t.good, t.defective
            )?;
            writeln!(f, "  right at the gate          {:>8}", t.right)?;
            writeln!(f, "  good parts rejected        {:>8}", t.false_rejects)?;
            writeln!(f, "  defective parts passed     {:>8}", t.missed)?;
        }
        if t.gate_disagrees > 0 {
            let what = "(a neighbour's pulse covers the part: shorten gate.pulse)";
            writeln!(f, "  gate not as the verdict    {:>8}   {what}", t.gate_disagrees)?;
        }
        if t.device_disagrees > 0 {
            writeln!(
                f,
                "  device not as the belt     {:>8}   (see the causes above)",
                t.device_disagrees
            )?;
        }
        writeln!(f, "{}", Latency::heading("times, ms"))?;
        for (stage, l) in &self.latency {
            let name = stage.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            writeln!(f, "{}", l.row(name, 2))?;
        }
        write!(f, "{}", self.gate_error.row("gate error", 3))
    }
}
