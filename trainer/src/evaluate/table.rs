//! The results as a table for the terminal.

use std::fmt::Write;

use super::json::Evaluation;
use super::{DefectRate, Metrics};

/// Heads of the table's columns.
pub const COLUMNS: [&str; 7] = [
    "image AUROC",
    "image AP",
    "pixel AUROC",
    "pixel AP",
    "AU-PRO 0.3",
    "false rejects",
    "missed",
];

/// The values of a row under [`COLUMNS`]; a dash where there is none.
pub fn cells(metrics: &Metrics) -> [String; 7] {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.4}"));
    let percent = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{:.1} %", 100.0 * v));
    [
        number(metrics.image_auroc),
        number(metrics.image_ap),
        number(metrics.pixel_auroc),
        number(metrics.pixel_ap),
        number(metrics.aupro),
        percent(metrics.false_reject_rate),
        percent(metrics.miss_rate),
    ]
}

/// The whole table, with the found defects of the deployed row below.
pub fn table(evaluation: &Evaluation) -> String {
    let mut lines = vec![
        std::iter::once("network".to_owned())
            .chain(COLUMNS.map(str::to_owned))
            .collect::<Vec<_>>(),
    ];
    for (name, metrics) in evaluation.results.rows() {
        lines.push(std::iter::once(name.to_owned()).chain(cells(metrics)).collect());
    }
    let mut text = aligned(&lines);
    let deployed = &evaluation.results.int8_hee.per_defect;
    if !deployed.is_empty() {
        let mut lines = vec![
            ["defect", "pictures", "found", "", "image AUROC"]
                .map(str::to_owned)
                .to_vec(),
        ];
        lines.extend(deployed.iter().map(defect_line));
        text.push('\n');
        text.push_str(&aligned(&lines));
    }
    text
}

fn defect_line(rate: &DefectRate) -> Vec<String> {
    let share = 100.0 * rate.found as f64 / rate.pictures.max(1) as f64;
    let auroc = rate.image_auroc.map_or("-".to_owned(), |v| format!("{v:.4}"));
    vec![
        rate.label.clone(),
        rate.pictures.to_string(),
        rate.found.to_string(),
        format!("{share:.1} %"),
        auroc,
    ]
}

/// Columns of equal width: the first flush left, the others flush right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(c))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let start = text.len();
        for (c, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let _ = if c == 0 {
                write!(text, "{cell:<width$}")
            } else {
                write!(text, "  {cell:>width$}")
            };
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}
