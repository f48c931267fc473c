//! What can be tested on this machine before the belt runs: a finding a line, each with what to do.

mod devices;
mod machine;
mod speed;

use std::fmt;
use std::path::Path;

use crate::board::Board;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// The line runs; something could be better.
    Hint,
    /// The line does not run, or not safely.
    Bad,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    fn good(what: &'static str, found: impl fmt::Display) -> Self {
        Self {
            grade: Grade::Good,
            what,
            found: found.to_string(),
            advice: String::new(),
        }
    }

    fn hint(what: &'static str, found: impl fmt::Display, advice: &str) -> Self {
        Self {
            grade: Grade::Hint,
            what,
            found: found.to_string(),
            advice: advice.to_owned(),
        }
    }

    fn bad(what: &'static str, found: impl fmt::Display, advice: &str) -> Self {
        Self {
            grade: Grade::Bad,
            what,
            found: found.to_string(),
            advice: advice.to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.grade {
            Grade::Good => "ok  ",
            Grade::Hint => "hint",
            Grade::Bad => "BAD ",
        };
        write!(f, "{sign}  {:<14} {}", self.what, self.found)?;
        if !self.advice.is_empty() {
            write!(f, "\n      {:<14} -> {}", "", self.advice)?;
        }
        Ok(())
    }
}

/// Looks at everything, in the order of a start, and tells each finding as soon as it is there. Outputs are
/// driven to their safe levels. The worst grade.
///
/// # Errors
/// What `tell` says.
pub fn check<E>(
    board: &Board,
    recipe: Option<&Path>,
    state: Option<&Path>,
    tell: &mut dyn FnMut(&Finding) -> Result<(), E>,
) -> Result<Grade, E> {
    let mut worst = Grade::Good;
    let mut note = |finding: Finding| {
        worst = worst.max(finding.grade);
        tell(&finding)
    };
    note(board_in_words(board))?;
    machine::rights().into_iter().try_for_each(&mut note)?;
    note(machine::clock())?;
    note(machine::governor())?;
    if let Some(state) = state {
        note(machine::disk(state))?;
    }
    devices::outputs(board).into_iter().try_for_each(&mut note)?;
    note(devices::inputs(board))?;
    devices::camera(board).into_iter().try_for_each(&mut note)?;
    devices::screen(board).into_iter().try_for_each(&mut note)?;
    match recipe {
        Some(recipe) => speed::recipe(board, recipe).into_iter().try_for_each(&mut note)?,
        None => note(Finding::hint(
            "recipe",
            "none was given, so neither it nor its speed was tested",
            "give --recipe FOLDER",
        ))?,
    }
    Ok(worst)
}

/// The line as it was understood.
fn board_in_words(board: &Board) -> Finding {
    let (camera, gate) = (board.camera.distance, board.gate.distance);
    let found = format!(
        "{}: camera {camera} and gate {gate} behind the eye, pulse {}",
        board.name, board.gate.pulse
    );
    match board.gate.on_no_verdict {
        beltwatch_core::Unjudged::Reject => Finding::good("board", found),
        beltwatch_core::Unjudged::Pass => Finding::hint(
            "board",
            format!("{found}; parts without a verdict PASS"),
            "gate.on_no_verdict = \"reject\" lets none slip through",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_board_is_ready_and_everything_is_looked_at() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut seen, state) = (Vec::new(), tempfile::tempdir().expect("a temporary folder"));
        let mut tell = |f: &Finding| {
            seen.push(f.clone());
            Ok::<_, ()>(())
        };
        let recipe = root.join("models/demo");
        let grade = check(&Board::simulated(), Some(&recipe), Some(state.path()), &mut tell).expect("told");
        assert!(grade < Grade::Bad, "{seen:?}");
        for what in [
            "board", "priority", "memory", "clock", "disk", "outputs", "inputs", "camera", "recipe", "speed",
        ] {
            assert!(seen.iter().any(|f| f.what == what), "{what}: {seen:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let mut seen = Vec::new();
        let mut board = Board::simulated();
        board.camera.source = crate::board::CameraSource::Folder;
        board.camera.pictures = Some("no/such/folder".into());
        board.outputs.back_end = crate::board::OutputBackEnd::File("no/such/folder/levels".into());
        let mut tell = |f: &Finding| {
            seen.push(f.to_string());
            Ok::<_, ()>(())
        };
        let grade = check(
            &board,
            Some(Path::new("no/recipe")),
            Some(Path::new("/proc/none")),
            &mut tell,
        )
        .expect("told");
        assert_eq!(grade, Grade::Bad);
        for what in ["outputs", "camera", "recipe", "disk"] {
            let bad = seen
                .iter()
                .any(|f| f.starts_with(&format!("BAD   {what}")) && f.contains("-> "));
            assert!(bad, "{what}: {}", seen.join("\n"));
        }
    }
}
