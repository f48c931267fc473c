//! The table at the end of a run, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::core::Counts;
use super::{Latency, PartRecord, Recorder};
use crate::verdict::{Cause, Score};

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
    /// Against the ground truth, where it is known.
    pub truth: TruthTable,
    /// Parts whose fate at the gate was not their verdict's: rejected and not covered by a pulse, or passed under one
    /// (a neighbour's pulse was too close).
    pub gate_disagrees: u64,
    /// Verdicts that came after the deadline.
    pub late_verdicts: u64,
    /// Frames for which there was no part.
    pub frames_without_part: u64,
    /// Records that were lost because nobody read fast enough; counts are complete all the same.
    pub reports_dropped: u64,
    /// Times a stage.
    pub latency: BTreeMap<&'static str, Latency>,
    /// Planned against done, of every switch of the gate.
    pub gate_error: Latency,
    /// Pictures that got no verdict, and why.
    pub unjudged: Vec<(String, String)>,
    /// Every part.
    pub part_list: Vec<PartRecord>,
}

/// What the gate did, against the ground truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TruthTable {
    /// Good parts.
    pub good: u64,
    /// Bad parts.
    pub defective: u64,
    /// Good parts that went on and bad parts that left.
    pub right: u64,
    /// Good parts that left.
    pub false_rejects: u64,
    /// Bad parts that went on.
    pub missed: u64,
}

impl TruthTable {
    fn of(parts: &[PartRecord]) -> Self {
        let mut table = Self::default();
        for part in parts {
            match (part.is_defective(), part.ejected) {
                (None, _) => {}
                (Some(false), false) => (table.good, table.right) = (table.good + 1, table.right + 1),
                (Some(false), true) => (table.good, table.false_rejects) = (table.good + 1, table.false_rejects + 1),
                (Some(true), true) => (table.defective, table.right) = (table.defective + 1, table.right + 1),
                (Some(true), false) => (table.defective, table.missed) = (table.defective + 1, table.missed + 1),
            }
        }
        table
    }
}

impl Report {
    pub(super) fn new(
        (board, recipe, threshold): (String, String, Score),
        counts: &Counts,
        recorder: &Recorder,
        part_list: Vec<PartRecord>,
    ) -> Self {
        let stage = |pick: fn(&crate::inspect::StageTimes) -> Duration| Latency::of(recorder.times.iter().map(pick));
        let to_verdict = part_list.iter().filter_map(|p| p.frame_to_verdict_us).map(Duration::from_micros);
        let latency = BTreeMap::from([
            ("1 preprocess", stage(|t| t.preprocess)),
            ("2 reconstruct", stage(|t| t.reconstruct)),
            ("3 difference, HEE, score", stage(|t| t.judge)),
            ("4 exposure to verdict", Latency::of(to_verdict)),
        ]);
        let by_cause = Cause::ALL.into_iter().map(|c| (c, counts.rejected[c as usize]));
        Self {
            board,
            recipe,
            threshold,
            parts: counts.triggers,
            passed: counts.passed,
            rejected: counts.rejected.iter().sum(),
            rejected_by_cause: by_cause.collect(),
            truth: TruthTable::of(&part_list),
            gate_disagrees: part_list.iter().filter(|p| p.ejected != p.cause.is_some()).count() as u64,
            late_verdicts: counts.late_verdicts,
            frames_without_part: counts.frames_without_part,
            reports_dropped: counts.reports_dropped,
            latency,
            gate_error: Latency::of(recorder.gate_errors.iter().copied()),
            unjudged: recorder.unjudged.clone(),
            part_list,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |n: u64| if self.parts == 0 { 0.0 } else { n as f64 * 100.0 / self.parts as f64 };
        writeln!(f, "{} with {}", self.board, self.recipe)?;
        writeln!(f, "  parts                      {:>8}", self.parts)?;
        writeln!(f, "  passed                     {:>8}   {:5.1} %", self.passed, share(self.passed))?;
        writeln!(f, "  rejected                   {:>8}   {:5.1} %", self.rejected, share(self.rejected))?;
        for (cause, &count) in &self.rejected_by_cause {
            writeln!(f, "    {cause:<24} {count:>8}")?;
        }
        writeln!(f, "  late verdicts              {:>8}", self.late_verdicts)?;
        let t = &self.truth;
        if t.good + t.defective > 0 {
            writeln!(f, "against the ground truth ({} good, {} defective)", t.good, t.defective)?;
            writeln!(f, "  right at the gate          {:>8}", t.right)?;
            writeln!(f, "  good parts rejected        {:>8}", t.false_rejects)?;
            writeln!(f, "  defective parts passed     {:>8}", t.missed)?;
        }
        if self.gate_disagrees > 0 {
            writeln!(
                f,
                "  gate not as the verdict    {:>8}   (a neighbour's pulse covers the part: shorten pulse_ms)",
                self.gate_disagrees
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
