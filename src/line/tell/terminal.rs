//! The belt in a terminal: a line a part, and below them the belt as it moves.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use beltwatch_core::{MonoNanos, Tag};
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::is_picture_file;

use crate::line::PartRecord;

const BELT: usize = 56;

/// Draws to standard output. Where that is no terminal, only the line a part.
pub(crate) struct Terminal {
    threshold: Score,
    gate_delay: Duration,
    quiet: bool,
    is_terminal: bool,
    drawn: MonoNanos,
    passed: u64,
    rejected: u64,
}

impl Terminal {
    /// Ten pictures a second.
    pub(crate) const PERIOD: Duration = Duration::from_millis(100);

    /// `gate_delay` is the length of the belt that is shown, from the eye to the gate, as the time that a
    /// part takes.
    pub(crate) fn new(threshold: Score, gate_delay: Duration, quiet: bool, is_terminal: bool) -> Self {
        Self {
            threshold,
            gate_delay,
            quiet,
            is_terminal,
            drawn: MonoNanos(0),
            passed: 0,
            rejected: 0,
        }
    }

    /// Another recipe has another threshold.
    pub(crate) fn threshold(&mut self, threshold: Score) {
        self.threshold = threshold;
    }

    /// A part's fate is sealed.
    pub(crate) fn part(&mut self, part: &PartRecord) {
        if part.cause.is_some() {
            self.rejected += 1;
        } else {
            self.passed += 1;
        }
        if self.quiet {
            return;
        }
        let cause = part.cause.map_or(String::new(), |c| c.to_string());
        let score = part.score.map_or("-".to_owned(), |s| s.to_string());
        let ms = part
            .frame_to_verdict_us
            .map_or(String::new(), |us| format!("{:.1} ms", us as f64 / 1000.0));
        let truth = part
            .truth
            .as_deref()
            .map_or(String::new(), |t| format!("   is {t}"));
        // a rendered part has a name, and no file
        let file = part
            .file
            .as_deref()
            .filter(|file| is_picture_file(Path::new(file)));
        let file = file.map_or(String::new(), |file| format!("   {file}"));
        let colour = |code: &str, text: &str| {
            if self.is_terminal {
                format!("\x1b[{code}m{text}\x1b[0m")
            } else {
                text.to_owned()
            }
        };
        let verdict = colour(
            if part.cause.is_some() { "1;31" } else { "32" },
            &format!("{:<6}", part.verdict.to_uppercase()),
        );
        let clear = if self.is_terminal { "\r\x1b[2K" } else { "" };
        print(&format!(
            "{clear}#{:<5} {verdict} {cause:<10} score {score:>8}   {ms:>8}{truth}{file}\n",
            part.tag
        ));
    }

    /// Draws the belt, if a tenth of a second has gone by.
    pub(crate) fn draw(
        &mut self,
        now: MonoNanos,
        in_flight: impl Iterator<Item = (Tag, MonoNanos, Option<Score>)>,
    ) {
        if self.quiet || !self.is_terminal || now.since(self.drawn) < Self::PERIOD {
            return;
        }
        self.drawn = now;
        let mut belt = vec!['─'; BELT];
        for (_, eye, score) in in_flight {
            let way = now.since(eye).as_secs_f64() / self.gate_delay.as_secs_f64();
            let place = (way * BELT as f64) as usize;
            if place < BELT {
                belt[place] = match score {
                    None => '○',
                    Some(score) if score > self.threshold => '✗',
                    Some(_) => '●',
                };
            }
        }
        let belt: String = belt.into_iter().collect();
        print(&format!(
            "\r\x1b[2K eye ▏{belt}▕ gate   passed {}   rejected {}",
            self.passed, self.rejected
        ));
    }

    /// Leaves the terminal as it was.
    pub(crate) fn finish(&mut self) {
        if !self.quiet && self.is_terminal {
            print("\r\x1b[2K");
        }
    }
}

/// A closed or full standard output is no reason to stop a line.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
