//! A study's results for people (text, Markdown, HTML) and for programs (JSON).

use std::fmt::Write as _;
use std::path::Path;

use super::{Cell, Plan, StudyError};
use crate::evaluate::report::html::escape;

/// A column: its title, what a cell gives, and how it is shown.
struct Measure {
    title: &'static str,
    value: fn(&Cell) -> Option<f64>,
}

const MEASURES: [Measure; 9] = [
    Measure {
        title: "image AUROC",
        value: |c| c.image_auroc,
    },
    Measure {
        title: "image AUROC without HEE",
        value: |c| c.image_auroc_without_hee,
    },
    Measure {
        title: "image AUROC, float",
        value: |c| c.image_auroc_float,
    },
    Measure {
        title: "pixel AUROC",
        value: |c| c.pixel_auroc,
    },
    Measure {
        title: "pixel AUROC without HEE",
        value: |c| c.pixel_auroc_without_hee,
    },
    Measure {
        title: "AU-PRO",
        value: |c| c.aupro,
    },
    Measure {
        title: "AU-PRO without HEE",
        value: |c| c.aupro_without_hee,
    },
    Measure {
        title: "false-reject rate",
        value: |c| c.false_reject_rate,
    },
    Measure {
        title: "miss rate",
        value: |c| c.miss_rate,
    },
];

/// One table a measure: variants down, categories across; mean and, of several seeds, half the range.
fn tables(plan: &Plan, cells: &[Cell]) -> Vec<(String, Vec<Vec<String>>)> {
    let mut tables = Vec::new();
    for measure in &MEASURES {
        let mut rows = vec![
            [
                &["variant".to_owned()][..],
                &plan.categories,
                &["mean".to_owned()],
            ]
            .concat(),
        ];
        let values = |variant: &str, category: &str| {
            let matching = cells
                .iter()
                .filter(|c| c.variant == variant && c.category == category);
            matching.filter_map(measure.value).collect::<Vec<f64>>()
        };
        let measured = |category: &&String| {
            plan.variants
                .iter()
                .any(|v| !values(&v.name, category).is_empty())
        };
        let all = plan.categories.iter().filter(measured).count();
        for variant in &plan.variants {
            let per_category: Vec<Vec<f64>> =
                plan.categories.iter().map(|c| values(&variant.name, c)).collect();
            let means: Vec<f64> = per_category.iter().filter_map(|v| mean(v)).collect();
            let mut row = vec![variant.name.clone()];
            row.extend(per_category.iter().map(|values| spread(values)));
            // a mean over fewer categories than another variant's would compare unlike things
            let of_all = mean(&means).filter(|_| means.len() == all);
            row.push(of_all.map_or("-".to_owned(), |v| format!("{v:.3}")));
            rows.push(row);
        }
        if rows
            .iter()
            .skip(1)
            .any(|row| row.iter().skip(1).any(|v| v != "-"))
        {
            tables.push((measure.title.to_owned(), rows));
        }
    }
    let mut rows = vec![
        ["variant", "million multiply-adds", "minutes of teaching"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for variant in &plan.variants {
        let own: Vec<&Cell> = cells.iter().filter(|c| c.variant == variant.name).collect();
        let macs: Vec<f64> = own.iter().map(|c| c.multiply_adds as f64 / 1e6).collect();
        let minutes: Vec<f64> = own
            .iter()
            .filter_map(|c| c.teach_seconds)
            .map(|s| s / 60.0)
            .collect();
        let one = |values: &[f64]| mean(values).map_or("-".to_owned(), |v| format!("{v:.0}"));
        rows.push(vec![variant.name.clone(), one(&macs), one(&minutes)]);
    }
    tables.push(("cost".to_owned(), rows));
    tables
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn spread(values: &[f64]) -> String {
    let Some(mean) = mean(values) else {
        return "-".to_owned();
    };
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| {
            (l.min(v), h.max(v))
        });
    if values.len() == 1 {
        format!("{mean:.3}")
    } else {
        format!("{mean:.3} ± {:.3}", (high - low) / 2.0)
    }
}

/// As aligned text, which is Markdown too.
pub(super) fn text(plan: &Plan, cells: &[Cell]) -> String {
    let mut text = format!("# {}\n", plan.title);
    for (title, rows) in tables(plan, cells) {
        let columns = rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|c| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0))
            .collect();
        let _ = writeln!(text, "\n## {title}\n");
        for (number, row) in rows.iter().enumerate() {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(v, w)| format!("{v:<w$}")).collect();
            let _ = writeln!(text, "| {} |", padded.join(" | "));
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|w| "-".repeat(*w)).collect();
                let _ = writeln!(text, "| {} |", rules.join(" | "));
            }
        }
    }
    text + "\nThe int8 network with HEE through the device's own code, unless said. Mean and half the range \
            of the seeds.\n"
}

/// Writes `table.md`, `table.html` and `table.json`.
pub(super) fn write(out: &Path, plan: &Plan, cells: &[Cell]) -> Result<(), StudyError> {
    let json = serde_json::to_string_pretty(cells).unwrap_or_default() + "\n";
    for (name, content) in [
        ("table.md", text(plan, cells)),
        ("table.html", html(plan, cells)),
        ("table.json", json),
    ] {
        let path = out.join(name);
        std::fs::write(&path, content).map_err(|e| StudyError::File {
            path,
            message: e.to_string(),
        })?;
    }
    Ok(())
}

fn html(plan: &Plan, cells: &[Cell]) -> String {
    let title = escape(&plan.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>body{{font:16px/1.4 system-ui,sans-serif;max-width:72rem;margin:auto;padding:1rem}}\
         div{{overflow-x:auto}}table{{border-collapse:collapse}}th,td{{padding:.3rem .8rem;text-align:right;\
         border-bottom:1px solid #8884;white-space:nowrap}}th:first-child,td:first-child{{text-align:left}}\
         @media (prefers-color-scheme:dark){{body{{background:#111;color:#eee}}}}</style>\n<h1>{title}</h1>\n"
    );
    for (title, rows) in tables(plan, cells) {
        let _ = writeln!(page, "<h2>{}</h2>\n<div><table>", escape(&title));
        for (number, row) in rows.iter().enumerate() {
            let tag = if number == 0 { "th" } else { "td" };
            let cells: String = row
                .iter()
                .map(|v| format!("<{tag}>{}</{tag}>", escape(v)))
                .collect();
            let _ = writeln!(page, "<tr>{cells}</tr>");
        }
        page += "</table></div>\n";
    }
    page + "<p>The int8 network with HEE through the device's own code, unless said. Mean and half the range \
            of the seeds.</p>\n</html>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(category: &str, variant: &str, seed: u64, image_auroc: f64) -> Cell {
        Cell {
            category: category.to_owned(),
            variant: variant.to_owned(),
            seed,
            image_auroc: Some(image_auroc),
            image_auroc_without_hee: None,
            image_auroc_float: None,
            pixel_auroc: None,
            pixel_auroc_without_hee: None,
            aupro: None,
            aupro_without_hee: None,
            false_reject_rate: None,
            miss_rate: None,
            multiply_adds: 152_000_000,
            pictures: String::new(),
            teach_seconds: (seed == 1).then_some(600.0),
        }
    }

    #[test]
    fn mean_and_half_the_range_by_hand() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.toml");
        let plan = "title = \"a < b\"\ncategories = [\"x\", \"y\"]\nseeds = [1, 2]\n[[variant]]\nname = \
                    \"one\"\n[[variant]]\nname = \"two\"\n";
        std::fs::write(&path, plan).expect("writable");
        let plan = Plan::read(&path).expect("a good study");
        let cells = [
            cell("x", "one", 1, 0.9),
            cell("x", "one", 2, 0.94),
            cell("y", "one", 1, 1.0),
            cell("x", "two", 1, 0.5),
        ];
        let text = text(&plan, &cells);
        assert!(
            text.contains("| one     | 0.920 ± 0.020 | 1.000 | 0.960 |"),
            "{text}"
        );
        assert!(
            text.contains("| two     | 0.500         | -     | -     |"),
            "{text}"
        );
        assert!(
            text.contains("| one     | 152                   | 10                  |"),
            "{text}"
        );
        assert!(!text.contains("AU-PRO"), "nothing to show: {text}");
        write(folder.path(), &plan, &cells).expect("writable");
        let html = std::fs::read_to_string(folder.path().join("table.html")).expect("a page");
        assert!(html.contains("a &lt; b") && html.contains("<td>0.920 ± 0.020</td>"));
        let json = std::fs::read_to_string(folder.path().join("table.json")).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<Cell>>(&json).expect("cells"), cells);
    }
}
