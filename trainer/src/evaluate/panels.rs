//! Test pictures as the device sees them, for the report.

use std::path::Path;

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::{Picture, heatmap};

use super::Scored;
use super::error::EvaluateError;
use super::report::{Choice, Panel, Section, choose};
use super::rows::Network;

/// Panels of each kind at the most.
const PANELS: usize = 8;

/// The sections of the report: the worst mistakes and the best finds.
pub(super) fn sections(
    root: &Path,
    scored: &[Scored],
    inspector: &mut Inspector,
) -> Result<Vec<Section>, EvaluateError> {
    let Choice {
        false_rejects,
        misses,
        finds,
    } = choose(scored, PANELS);
    let count = |good, rejected| {
        scored
            .iter()
            .filter(|s| s.good() == good && s.rejected == rejected)
            .count()
    };
    let rejects = "Good parts that were rejected";
    let missed = "Bad parts that were missed";
    let kinds = [
        (
            rejects,
            "None: every good part passed.",
            "highest",
            false_rejects,
            count(true, true),
        ),
        (
            missed,
            "None: every bad part was rejected.",
            "lowest",
            misses,
            count(false, false),
        ),
        (
            "Clearest finds",
            "None: no bad part was rejected.",
            "highest",
            finds,
            count(false, true),
        ),
    ];
    let mut sections = Vec::new();
    for (title, none, order, chosen, all) in kinds {
        let about = match all {
            0 => none.to_owned(),
            1 => "The only one.".to_owned(),
            _ if chosen.len() < all => format!("{} of {all}, the {order} scores first.", chosen.len()),
            _ => format!("All {all}, the {order} scores first."),
        };
        let panels = chosen
            .into_iter()
            .map(|i| panel(root, &scored[i], inspector))
            .collect::<Result<_, _>>()?;
        sections.push(Section {
            title: title.to_owned(),
            about,
            panels,
        });
    }
    Ok(sections)
}

fn panel(root: &Path, scored: &Scored, inspector: &mut Inspector) -> Result<Panel, EvaluateError> {
    inspector.see(&scored.path)?;
    let input = inspector.input();
    let column = |name: &str, picture: Picture| (name.to_owned(), picture);
    let mut columns = vec![
        column("picture", input.clone()),
        column("reconstruction", inspector.reconstruction().clone()),
        column(
            "before HEE",
            heatmap::plain(inspector.judge().deviation(), input.width),
        ),
        column("after HEE", heatmap::overlay(input, &inspector.heat())),
    ];
    columns.extend(
        scored
            .mask
            .as_ref()
            .map(|mask| column("mask", mask.corrected(inspector.pose()).picture())),
    );
    let name = scored.path.strip_prefix(root).unwrap_or(&scored.path);
    let verdict = if scored.rejected { "rejected" } else { "passed" };
    let caption = format!(
        "{}: {verdict}, score {:.2} (threshold {:.2})",
        scored.label,
        scored.score,
        inspector.threshold().to_f64()
    );
    Ok(Panel {
        title: name.display().to_string(),
        caption,
        columns,
    })
}
