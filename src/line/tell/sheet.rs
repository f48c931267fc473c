//! The contact sheet: rejected parts at a glance, each with its heat map.

use beltwatch_vision::picture::{Picture, heatmap};

use crate::line::Parts;

const COLUMNS: usize = 4;
const GAP: usize = 6;
const BACKGROUND: u8 = 24;

/// The latest rejects, picture beside heat map, worst first. `None` where nothing was rejected for a defect.
pub fn contact_sheet(parts: &Parts) -> Option<Picture> {
    let mut rejects: Vec<_> = parts.rejects.iter().collect();
    rejects.sort_by_key(|r| (std::cmp::Reverse(r.2), r.0));
    let side = rejects.first()?.3.picture.width;
    let columns = COLUMNS.min(rejects.len());
    let (cell_width, cell_height) = (2 * side + 2 + GAP, side + GAP);
    let (width, height) = (
        columns * cell_width + GAP,
        rejects.len().div_ceil(columns) * cell_height + GAP,
    );
    let mut sheet = Picture::filled(width, height, 3, BACKGROUND);
    for (i, (.., reject)) in rejects.iter().enumerate() {
        let (x, y) = (GAP + i % columns * cell_width, GAP + i / columns * cell_height);
        sheet.paste(&reject.picture.with_channels(3), x, y);
        sheet.paste(&heatmap::overlay(&reject.picture, &reject.heat), x + side + 2, y);
    }
    Some(sheet)
}
