//! The page, from top to bottom: what to expect on the line, how it was measured, pictures to look at.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use beltwatch_vision::picture::{Picture, heatmap};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::super::table::{COLUMNS, cells};
use super::super::{DefectRate, Metrics};
use super::chart::{Line, course, histogram, roc};
use super::html::{escape, interval, percent};
use super::{Panel, Report, Section};
use crate::thresholds::quantile::median;

/// Of the pictures, 1 to 100.
const JPEG_QUALITY: u8 = 92;
const STYLE: &str = include_str!("style.css");
/// Thirds of the teaching pictures whose middle scores are farther apart than this are called a drift.
const DRIFT: f64 = 1.25;
/// Style classes of the four rows, in their order.
const ROWS: [&str; 4] = ["float-raw", "float-hee", "int8-raw", "int8-hee"];

pub(super) fn page(report: &Report<'_>) -> String {
    let title = escape(&report.evaluation.recipe.product);
    let body = [
        head(report),
        tiles(report),
        notes(report.notes),
        results(report),
        defects(&report.evaluation.results.int8_hee.per_defect),
        charts(report),
        sections(report.sections),
        facts(report),
        words(),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – evaluation</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}\
         <footer>beltwatch-train {}. Reconstruction with a partition memory bank and histogram error \
         estimation, after Xing and Li (2023).</footer>\n</main>\n</body>\n</html>\n",
        body.concat(),
        env!("CARGO_PKG_VERSION"),
    )
}

fn head(report: &Report<'_>) -> String {
    let (evaluation, counts) = (report.evaluation, report.evaluation.counts);
    format!(
        "<header>\n<p class=\"over\">Evaluation of a recipe</p>\n<h1>{}</h1>\n<p class=\"soft\">Tested on \
         {}, on {} pictures from {}: {} of good parts, {} of bad ones.</p>\n</header>\n",
        escape(&evaluation.recipe.product),
        escape(report.tested),
        counts.pictures,
        escape(&evaluation.dataset.display().to_string()),
        counts.good,
        counts.bad,
    )
}

fn tiles(report: &Report<'_>) -> String {
    let (evaluation, counts) = (report.evaluation, report.evaluation.counts);
    let device = &evaluation.results.int8_hee;
    let target = evaluation.recipe.false_reject_target;
    let promised = evaluation.recipe.promise.map_or(
        "no good pictures were held out to promise anything".to_owned(),
        |p| {
            format!(
                "{} held-out good pictures promise at most {} (95 %)",
                p.of,
                percent(Some(p.at_most))
            )
        },
    );
    let promise = format!(
        "A part with a higher score leaves the belt. Set to reject {} of good parts: {promised}.",
        percent(Some(target))
    );
    let auroc = device.image_auroc.map_or("–".to_owned(), |v| format!("{v:.3}"));
    let chance = "The chance that a bad part scores higher than a good one: 1 is perfect, 0.5 is a guess. It \
                  does not depend on the threshold.";
    [
        "<div class=\"tiles\">\n".to_owned(),
        rate("Bad parts missed", device.miss_rate, (counts.bad, "bad"), 0.0),
        rate(
            "Good parts rejected",
            device.false_reject_rate,
            (counts.good, "good"),
            target,
        ),
        tile("Image AUROC", &auroc, "", chance),
        tile("Threshold", &format!("{:.2}", evaluation.threshold), "", &promise),
        "</div>\n".to_owned(),
    ]
    .concat()
}

/// A rate with what so few pictures can say of it; an alarm where it is surely above `target`.
fn rate(name: &str, rate: Option<f64>, (all, kind): (usize, &str), target: f64) -> String {
    let Some(share) = rate else {
        return tile(name, &percent(None), "", &format!("No {kind} parts were tested."));
    };
    let of = (share * all as f64).round() as usize;
    let (low, high) = interval(of, all);
    let class = if low > target { "alarm" } else { "fine" };
    let (low, high) = (percent(Some(low)), percent(Some(high)));
    let note = format!(
        "{of} of {all} {kind} parts. After so many, the true rate is between {low} and {high} (95 %)."
    );
    tile(name, &percent(rate), class, &note)
}

fn tile(name: &str, value: &str, class: &str, note: &str) -> String {
    let (name, value, note) = (escape(name), escape(value), escape(note));
    format!(
        "<div class=\"tile\"><span>{name}</span><b class=\"{class}\">{value}</b><small>{note}</small></div>\n"
    )
}

fn notes(notes: &[String]) -> String {
    notes
        .iter()
        .map(|note| format!("<p class=\"card\">{}</p>\n", escape(note)))
        .collect()
}

fn results(report: &Report<'_>) -> String {
    let evaluation = report.evaluation;
    let heads: String = COLUMNS
        .iter()
        .map(|head| format!("<th scope=\"col\">{head}</th>"))
        .collect();
    let row = |((name, metrics), class): ((&str, &Metrics), &&str)| {
        let cells: String = cells(metrics)
            .iter()
            .map(|cell| format!("<td>{}</td>", escape(cell)))
            .collect();
        let class = if *class == "int8-hee" {
            " class=\"device\""
        } else {
            ""
        };
        format!("<tr{class}><th scope=\"row\">{}</th>{cells}</tr>\n", escape(name))
    };
    let rows: String = evaluation
        .results
        .rows()
        .into_iter()
        .zip(&ROWS)
        .map(row)
        .collect();
    let masks = match evaluation.counts.masks {
        0 => "The data set has no masks, so there are no pixel metrics.".to_owned(),
        n => format!("Pixel metrics are over the good pictures and the {n} pictures with a mask."),
    };
    format!(
        "<h2>Results</h2>\n<p class=\"soft\">The network before and after quantisation to 8 bits, each with \
         and without histogram error estimation (HEE). The last row is what the device does. \
         {masks}</p>\n<div class=\"card scroll\"><table>\n<thead><tr><th \
         scope=\"col\">network</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn defects(rates: &[DefectRate]) -> String {
    let row = |rate: &DefectRate| {
        let share = rate.found as f64 / rate.pictures.max(1) as f64;
        let auroc = rate.image_auroc.map_or("–".to_owned(), |v| format!("{v:.4}"));
        format!(
            "<tr><th scope=\"row\">{}</th><td>{} of {}</td><td>{}</td><td class=\"bar\"><i><i \
             style=\"width:{:.1}%\"></i></i></td><td>{auroc}</td></tr>\n",
            escape(&rate.label),
            rate.found,
            rate.pictures,
            percent(Some(share)),
            100.0 * share,
        )
    };
    if rates.is_empty() {
        return String::new();
    }
    format!(
        "<h2>Found by kind of defect</h2>\n<div class=\"card scroll\"><table>\n<thead><tr><th \
         scope=\"col\">defect</th><th scope=\"col\">found</th><th scope=\"col\">share</th><th \
         class=\"bar\"></th><th scope=\"col\">image AUROC</th></tr></thead>\n\
         <tbody>\n{}</tbody></table></div>\n",
        rates.iter().map(row).collect::<String>()
    )
}

fn charts(report: &Report<'_>) -> String {
    let rows = report.evaluation.results.rows();
    let lines = rows
        .into_iter()
        .zip(ROWS)
        .filter(|((_, metrics), _)| !metrics.roc.is_empty());
    let lines: Vec<Line<'_>> = lines
        .map(|((name, metrics), class)| Line {
            class,
            name,
            points: &metrics.roc,
        })
        .collect();
    let device = &report.evaluation.results.int8_hee;
    let mark = device
        .false_reject_rate
        .zip(device.miss_rate)
        .map(|(rejected, missed)| (rejected, 1.0 - missed));
    format!(
        "<h2>Scores</h2>\n<div class=\"charts\">\n<figure class=\"card\"><figcaption><i class=\"key \
         good\"></i>Good parts upwards, <i class=\"key bad\"></i>bad parts downwards, by score. What lies \
         right of the threshold is rejected.</figcaption>{}</figure>\n<figure class=\"card\"><figcaption>Bad \
         parts found against good parts rejected, for every threshold. The ring is the \
         device.</figcaption>{}</figure>\n{}</div>\n",
        histogram(report.scores, report.evaluation.threshold),
        roc(&lines, mark),
        taught(&report.evaluation.recipe.taught_scores),
    )
}

/// The teaching pictures in the order of their names, which is that of time where a camera numbered them.
fn taught(scores: &[f64]) -> String {
    if scores.len() < 6 {
        return String::new();
    }
    let third = scores.len() / 3;
    let middle = |part: &[f64]| median(&mut part.to_vec()).unwrap_or(0.0);
    let (first, last) = (middle(&scores[..third]), middle(&scores[scores.len() - third..]));
    let apart = if first.max(last) > DRIFT * first.min(last) {
        format!(
            " The first third scores {first:.1} in the middle, the last one {last:.1}: where names tell the \
             time, light, camera or parts drifted."
        )
    } else {
        " No drift: the first and the last third score alike.".to_owned()
    };
    format!(
        "<figure class=\"card\"><figcaption>Scores of the good parts that were taught on, in the order of \
         their names.{apart}</figcaption>{}</figure>\n",
        course(scores)
    )
}

fn sections(sections: &[Section]) -> String {
    let first = sections.iter().position(|section| !section.panels.is_empty());
    let one = |(i, section): (usize, &Section)| {
        let panels: String = section.panels.iter().map(panel).collect();
        let scale = if first == Some(i) { scale() } else { String::new() };
        let (title, about) = (escape(&section.title), escape(&section.about));
        format!("<h2>{title}</h2>\n<p class=\"soft\">{about}</p>\n{scale}{panels}")
    };
    sections.iter().enumerate().map(one).collect()
}

fn panel(panel: &Panel) -> String {
    let mut html = format!(
        "<article class=\"card panel\"><h3>{}</h3>\n<p>{}</p>\n<div class=\"views\">\n",
        escape(&panel.title),
        escape(&panel.caption)
    );
    for (name, picture) in &panel.columns {
        let (bytes, name) = (inline(picture), escape(name));
        let _ = writeln!(
            html,
            "<figure><img src=\"{bytes}\" alt=\"{name}\" width=\"{}\" height=\"{}\" loading=\"lazy\" \
             style=\"height:auto\"><figcaption>{name}</figcaption></figure>",
            picture.width, picture.height,
        );
    }
    html + "</div></article>\n"
}

/// A picture as a part of the page.
fn inline(picture: &Picture) -> String {
    let Picture {
        width,
        height,
        channels,
        data,
    } = picture;
    let colour = if *channels == 1 {
        ExtendedColorType::L8
    } else {
        ExtendedColorType::Rgb8
    };
    let mut bytes = Vec::new();
    // memory takes everything, and a picture has its size
    let _ = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode(
        data,
        *width as u32,
        *height as u32,
        colour,
    );
    format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes))
}

/// The colours of the heat maps.
fn scale() -> String {
    let stops: Vec<String> = (0..=16u8)
        .map(|i| heatmap::colour((u16::from(i) * 255 / 16) as u8))
        .map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"))
        .collect();
    format!(
        "<div class=\"scale\"><span>as expected</span><i \
         style=\"background:linear-gradient(90deg,{})\"></i><span>not as expected; after HEE, the middle of \
         the scale is the threshold</span></div>\n",
        stops.join(",")
    )
}

fn facts(report: &Report<'_>) -> String {
    let (evaluation, recipe) = (report.evaluation, &report.evaluation.recipe);
    let lines = [
        ("Recipe", escape(&recipe.path.display().to_string())),
        ("SHA-256", format!("<code>{}</code>", escape(&recipe.sha256))),
        ("Network", escape(&recipe.network)),
        ("Training", escape(&recipe.training)),
        (
            "Threshold",
            format!("{:.3}: {}", evaluation.threshold, escape(&recipe.threshold_basis)),
        ),
        (
            "Promise",
            recipe
                .promise
                .map_or("unknown: taught by an earlier version".to_owned(), |p| {
                    p.to_string()
                }),
        ),
        ("Test pictures", escape(&evaluation.dataset.display().to_string())),
        (
            "Their SHA-256",
            format!("<code>{}</code>", escape(report.test_set)),
        ),
        ("Tested on", escape(report.tested)),
    ];
    let lines: String = lines
        .iter()
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n"))
        .collect();
    format!("<h2>What was tested</h2>\n<div class=\"card\"><dl>\n{lines}</dl></div>\n")
}

fn words() -> String {
    const WORDS: [(&str, &str); 6] = [
        (
            "Good parts rejected",
            "Share of the good test parts with a score above the threshold.",
        ),
        (
            "Bad parts missed",
            "Share of the bad test parts that would have passed.",
        ),
        (
            "Image AUROC, image AP",
            "How well the scores put bad parts above good ones, over all thresholds (1 is perfect).",
        ),
        (
            "Pixel AUROC, pixel AP",
            "The same for single pixels against the masks. Large defects dominate these two.",
        ),
        (
            "AU-PRO 0.3",
            "Share of each defect region that is found, every region counting the same, over thresholds at \
             which up to 30 % of good pixels are marked.",
        ),
        (
            "HEE",
            "Histogram error estimation takes from each difference image what the network always gets a \
             little wrong.",
        ),
    ];
    let lines: String = WORDS
        .iter()
        .map(|(word, text)| format!("<dt>{word}</dt><dd>{text}</dd>\n"))
        .collect();
    format!("<h2>Words</h2>\n<div class=\"card\"><dl>\n{lines}</dl></div>\n")
}
