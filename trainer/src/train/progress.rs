//! How a run is going, for people.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Where a run stands. The terms of the loss are running means over about twenty steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps to do in all.
    pub steps: usize,
    /// What is minimised.
    pub loss: f32,
    /// Mean squared error, on values in [-1, 1].
    pub mse: f32,
    /// Structural similarity, 1 at best.
    pub ssim: f32,
    /// Addressing entropy of the memories, nats.
    pub entropy: f32,
    /// Focal and dice loss of the learned difference.
    pub head: f32,
    /// Seconds a step, a running mean.
    pub seconds_per_step: f32,
}

impl Progress {
    /// Time to the end at the present speed.
    pub fn remaining(&self) -> Duration {
        let seconds = self.seconds_per_step * (self.steps - self.step.min(self.steps)) as f32;
        Duration::try_from_secs_f32(seconds).unwrap_or_default()
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left = self.remaining().as_secs();
        write!(
            f,
            "step {}/{}, loss {:.4} (MSE {:.4}, SSIM {:.3}, head {:.3})",
            self.step, self.steps, self.loss, self.mse, self.ssim, self.head
        )?;
        write!(
            f,
            ", {:.0} ms a step, {}:{:02} left",
            self.seconds_per_step * 1e3,
            left / 60,
            left % 60
        )
    }
}

/// A bar in the terminal, or a plain line every ten seconds where the output is not a terminal.
pub struct ProgressLine {
    bar: ProgressBar,
    last: Instant,
}

impl ProgressLine {
    /// Writes to the standard error.
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:40} {msg}").expect("the template is fixed");
        let bar = ProgressBar::new(0).with_style(style.progress_chars("=> "));
        Self {
            bar,
            last: Instant::now(),
        }
    }

    /// Shows `progress`; call it at every step.
    pub fn show(&mut self, progress: &Progress) {
        if self.bar.is_hidden() {
            if self.last.elapsed() >= Duration::from_secs(10) || progress.step == progress.steps {
                self.last = Instant::now();
                crate::say::error(progress);
            }
            return;
        }
        self.bar.set_length(progress.steps as u64);
        self.bar.set_message(progress.to_string());
        self.bar.set_position(progress.step as u64);
    }
}

impl Default for ProgressLine {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.abandon();
    }
}
