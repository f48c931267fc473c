//! The recipe, and whether the network is fast enough for the belt.

use std::path::Path;
use std::time::Duration;

use beltwatch_core::Scale;
use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::processor::{Cores, Team, has_two_cores};
use beltwatch_vision::recipe::{Recipe, RecipeError};
use beltwatch_vision::reconstruct::Kernel;

use super::Finding;
use crate::board::Board;
use crate::line::Times;

const FRAMES: usize = 30;

pub(super) fn recipe(board: &Board, path: &Path) -> Vec<Finding> {
    let team = match Team::of(board.inspection.cores) {
        Ok(team) => team,
        Err(e) => return vec![Finding::bad("speed", e.to_string(), "end other programs")],
    };
    let loaded = Recipe::load(path).and_then(|r| Inspector::with(&r, Kernel::best(), team).map(|i| (r, i)));
    let (recipe, mut inspector) = match loaded {
        Ok(both) => both,
        Err(e) => {
            return vec![Finding::bad(
                "recipe",
                RecipeError::to_string(&e),
                "teach it anew, or copy it once more",
            )];
        }
    };
    let kernel = inspector.kernel_name();
    let passed = Finding::good(
        "recipe",
        format!("{recipe} passed its self-test; kernel {kernel}"),
    );
    let input = &recipe.manifest.input;
    let [width, height] = input.pictures.first().copied().unwrap_or([input.size; 2]);
    if let (Some(width), Some(height)) = (board.camera.width, board.camera.height) {
        let (width, height) = (width as usize, height as usize);
        if let Err(e) = inspector.inspect(&Picture::filled(width, height, input.channels, 128)) {
            let advice = "every part would be rejected as no-image: teach with this camera's pictures, or \
                          set its size";
            return vec![
                passed,
                Finding::bad(
                    "recipe",
                    format!("it does not take the camera's pictures: {e}"),
                    advice,
                ),
            ];
        }
    }
    let picture = Picture::filled(width, height, input.channels, 128);
    let times: Times = (0..FRAMES)
        .filter_map(|_| Some(inspector.inspect(&picture).ok()?.times.total()))
        .collect();
    vec![
        passed,
        speed(board, Duration::from_nanos((times.latency().p99_us * 1e3) as u64)),
    ]
}

/// The time that a verdict has, against the time that it takes.
fn speed(board: &Board, takes: Duration) -> Finding {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let cores = match board.inspection.cores {
        Cores::One => "one core",
        Cores::Two => "two cores",
    };
    let found = format!(
        "{:.1} ms a frame on {cores} (p99 of {FRAMES}), {:.0} parts a second",
        ms(takes),
        1.0 / takes.as_secs_f64()
    );
    let Ok(settings) = board.settings() else {
        return Finding::good("speed", found);
    };
    let way =
        (settings.gate.0 - settings.camera.0 - settings.camera_window.0 - settings.guard.0).max(0) as u64;
    let has = match settings.scale {
        Scale::Time => Duration::from_nanos(way),
        Scale::Encoder => settings
            .encoder
            .min_interval
            .saturating_mul(u32::try_from(way).unwrap_or(u32::MAX)),
    };
    let found = format!("{found}; a verdict has {:.0} ms between camera and gate", ms(has));
    let help = match board.inspection.cores {
        Cores::One if has_two_cores() => {
            "more distance between camera and gate, a smaller recipe, or inspection.cores = 2"
        }
        _ => "more distance between camera and gate, or a smaller recipe",
    };
    if takes < has / 2 {
        Finding::good("speed", found)
    } else if takes < has {
        Finding::hint("speed", found, &format!("for more room: {help}"))
    } else {
        Finding::bad(
            "speed",
            found,
            &format!("every part would be rejected as no-verdict; what helps: {help}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Grade;

    #[test]
    fn a_network_that_is_too_slow_is_found() {
        // 400 ms to the gate, 60 to the camera, 20 of window, 2 of guard: 318 ms
        let board = Board::simulated();
        let grade = |ms| speed(&board, Duration::from_millis(ms)).grade;
        assert_eq!(
            [grade(100), grade(200), grade(330)],
            [Grade::Good, Grade::Hint, Grade::Bad]
        );
    }
}
