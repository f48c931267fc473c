//! Charts as inline SVG; colours and fonts come from the page's style sheet.

use std::fmt::Write;

use super::PictureScore;
use super::html::escape;
use crate::thresholds::quantile::median;

/// Size of a chart in its own units.
const SIZE: (f64, f64) = (480.0, 400.0);
/// The plot inside it: left, top, right, bottom.
const PLOT: [f64; 4] = [52.0, 14.0, 456.0, 346.0];
/// Bars of the histogram, about.
const BARS: f64 = 40.0;

/// A line of the ROC chart.
pub(super) struct Line<'a> {
    /// Its class in the style sheet.
    pub(super) class: &'static str,
    /// Its name in the legend.
    pub(super) name: &'a str,
    /// False-positive and true-positive rates.
    pub(super) points: &'a [(f64, f64)],
}

/// ROC curves, with a mark where the device works: `(false_reject_rate, found_rate)`.
pub(super) fn roc(lines: &[Line<'_>], device: Option<(f64, f64)>) -> String {
    let mut svg = open("ROC curves: share of bad parts found against share of good parts rejected");
    let place = |(x, y): (f64, f64)| (across(x), up(y));
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let name = format!("{:.0} %", 100.0 * share);
        grid_across(&mut svg, up(share), &name);
        below(&mut svg, across(share), &name);
    }
    axis(&mut svg, "good parts rejected");
    let _ = write!(
        svg,
        "<path class=\"chance\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
        across(0.0),
        up(0.0),
        across(1.0),
        up(1.0)
    );
    for line in lines {
        let points: Vec<String> = line
            .points
            .iter()
            .map(|&p| place(p))
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        let _ = write!(
            svg,
            "<path class=\"line {}\" d=\"M{}\"/>",
            line.class,
            points.join("L")
        );
    }
    if let Some((x, y)) = device.map(place) {
        let _ = write!(
            svg,
            "<circle class=\"device\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"/>"
        );
    }
    for (row, line) in lines.iter().enumerate() {
        let y = PLOT[3] - 16.0 - 20.0 * (lines.len() - 1 - row) as f64;
        let _ = write!(
            svg,
            "<path class=\"line {}\" d=\"M236 {:.1}h28\"/>",
            line.class,
            y - 4.0
        );
        let _ = write!(svg, "<text x=\"272\" y=\"{y:.1}\">{}</text>", escape(line.name));
    }
    svg + "</svg>"
}

/// Scores of good parts above the line and of bad parts below it, with the threshold.
pub(super) fn histogram(scores: &[PictureScore], threshold: f64) -> String {
    let mut svg = open("Histogram of scores: good parts upwards, bad parts downwards, with the threshold");
    let bars = Bars::new(scores, threshold);
    let tallest = |counts: &[usize]| counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (good, bad) = (tallest(&bars.good), tallest(&bars.bad));
    // both sides use one scale, and the line lies where both just fit
    let unit = (PLOT[3] - PLOT[1]) * 0.94 / (good + bad);
    let zero = PLOT[1] + (PLOT[3] - PLOT[1]) * 0.03 + good * unit;
    let step = (PLOT[2] - PLOT[0]) / bars.good.len() as f64;
    let tick = nice((good + bad) / 6.0).max(1.0);
    for (side, most) in [(-1.0, good), (1.0, bad)] {
        for t in (0..=(most / tick) as usize)
            .map(|t| t as f64 * tick)
            .filter(|&t| side < 0.0 || t > 0.0)
        {
            grid_across(&mut svg, zero + side * t * unit, &format!("{t:.0}"));
        }
    }
    for (i, (&good, &bad)) in bars.good.iter().zip(&bars.bad).enumerate() {
        let x = PLOT[0] + i as f64 * step;
        for (class, count, top) in [("good", good, zero - good as f64 * unit), ("bad", bad, zero)] {
            if count > 0 {
                let (width, height) = ((step - 1.0).max(1.0), count as f64 * unit);
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                     height=\"{height:.1}\"/>",
                    x + 0.5
                );
            }
        }
    }
    let _ = write!(
        svg,
        "<path class=\"zero\" d=\"M{} {zero:.1}H{}\"/>",
        PLOT[0], PLOT[2]
    );
    let tick = nice(bars.limit / 5.0);
    for t in 0..=(bars.limit / tick).floor() as usize {
        below(
            &mut svg,
            across(t as f64 * tick / bars.limit),
            &short(t as f64 * tick),
        );
    }
    axis(
        &mut svg,
        if bars.overflow {
            "score (the last bar holds all higher ones)"
        } else {
            "score"
        },
    );
    let x = across(threshold / bars.limit);
    let _ = write!(
        svg,
        "<path class=\"threshold\" d=\"M{x:.1} {}V{}\"/>",
        PLOT[1], PLOT[3]
    );
    let (anchor, offset) = if x > 300.0 { ("end", -6.0) } else { ("start", 6.0) };
    let _ = write!(
        svg,
        "<text class=\"threshold-name\" x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">threshold \
         {threshold:.2}</text>",
        x + offset,
        PLOT[1] + 12.0
    );
    svg + "</svg>"
}

/// Scores one after the other, with their running median.
pub(super) fn course(scores: &[f64]) -> String {
    let mut svg = open("Scores of the pictures that were taught on, in their order");
    let limit = 1.1 * scores.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let tick = nice(limit / 5.0);
    for t in (0..=(limit / tick) as usize).map(|t| t as f64 * tick) {
        grid_across(&mut svg, up(t / limit), &short(t));
    }
    let last = (scores.len().max(2) - 1) as f64;
    for (i, score) in scores.iter().enumerate() {
        let (x, y) = (across(i as f64 / last), up(score / limit));
        let _ = write!(
            svg,
            "<circle class=\"good\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
        );
    }
    let reach = (scores.len() / 10).max(2);
    let middle = |i: usize| {
        let near = &scores[i.saturating_sub(reach)..(i + reach + 1).min(scores.len())];
        let middle = median(&mut near.to_vec()).unwrap_or(0.0);
        format!("{:.1} {:.1}", across(i as f64 / last), up(middle / limit))
    };
    let points: Vec<String> = (0..scores.len()).map(middle).collect();
    let _ = write!(svg, "<path class=\"line int8-hee\" d=\"M{}\"/>", points.join("L"));
    axis(&mut svg, "first to last picture; the line is the running median");
    svg + "</svg>"
}

/// Counts by score. Bars end at the threshold, so that none holds both passed and rejected parts.
struct Bars {
    good: Vec<usize>,
    bad: Vec<usize>,
    limit: f64,
    overflow: bool,
}

impl Bars {
    fn new(scores: &[PictureScore], threshold: f64) -> Self {
        let highest = |of: &dyn Fn(&PictureScore) -> bool| {
            scores
                .iter()
                .filter(|s| of(s))
                .map(|s| s.score)
                .fold(0.0, f64::max)
        };
        let all = highest(&|_| true);
        // a few huge defects must not press all others into the first bars
        let wanted = all.min((4.0 * threshold).max(1.2 * highest(&|s| s.good)));
        let wanted = if wanted > 0.0 {
            wanted.max(1.2 * threshold)
        } else {
            1.0_f64.max(1.2 * threshold)
        };
        let to_threshold = if threshold > 0.0 {
            (threshold / wanted * BARS).round().max(1.0)
        } else {
            BARS
        };
        let per_score = if threshold > 0.0 {
            to_threshold / threshold
        } else {
            BARS / wanted
        };
        let count = (wanted * per_score).ceil().clamp(1.0, 2.0 * BARS) as usize;
        let mut bars = Self {
            good: vec![0; count],
            bad: vec![0; count],
            limit: count as f64 / per_score,
            overflow: false,
        };
        for s in scores {
            let place = if threshold > 0.0 {
                s.score * to_threshold / threshold
            } else {
                s.score * per_score
            };
            let bar = (place.ceil() as usize).saturating_sub(1);
            bars.overflow |= bar >= count;
            let side = if s.good { &mut bars.good } else { &mut bars.bad };
            side[bar.min(count - 1)] += 1;
        }
        bars
    }
}

/// The nearest of 1, 2, 5 times a power of ten at or above a number.
fn nice(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(number.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|s| s * power >= number * 0.999)
        .unwrap_or(10.0);
    step * power
}

fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn across(share: f64) -> f64 {
    PLOT[0] + share * (PLOT[2] - PLOT[0])
}

fn up(share: f64) -> f64 {
    PLOT[3] - share * (PLOT[3] - PLOT[1])
}

fn open(title: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\"><title>{}</title>",
        SIZE.0,
        SIZE.1,
        escape(title)
    )
}

fn grid_across(svg: &mut String, y: f64, name: &str) {
    let _ = write!(
        svg,
        "<path class=\"grid\" d=\"M{} {y:.1}H{}\"/>",
        PLOT[0], PLOT[2]
    );
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
        PLOT[0] - 7.0,
        y + 4.0
    );
}

fn below(svg: &mut String, x: f64, name: &str) {
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
        PLOT[3] + 18.0
    );
}

fn axis(svg: &mut String, name: &str) {
    let x = (PLOT[0] + PLOT[2]) / 2.0;
    let _ = write!(
        svg,
        "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
        SIZE.1 - 12.0
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nice_steps() {
        let found = [0.0, 0.03, 0.2, 0.21, 1.0, 3.0, 7.0, 180.0].map(nice);
        let expected = [1.0, 0.05, 0.2, 0.5, 1.0, 5.0, 10.0, 200.0];
        assert!(
            found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-9),
            "{found:?}"
        );
        assert_eq!([0.0, 2.5, 100.0].map(short), ["0", "2.5", "100"]);
    }

    #[test]
    fn a_course_is_drawn_from_left_to_right() {
        let svg = course(&[1.0, 2.0, 4.0]);
        let places: Vec<&str> = svg
            .split("cx=\"")
            .skip(1)
            .filter_map(|s| s.split('"').next())
            .collect();
        assert_eq!(places, ["52.0", "254.0", "456.0"]);
        assert!(!course(&[0.0; 6]).contains("NaN") && !course(&[]).contains("NaN"));
    }

    proptest! {
        #[test]
        fn no_bar_holds_both_verdicts(
            raw in proptest::collection::vec((0u16.., any::<bool>()), 0..80),
            threshold in prop_oneof![Just(0u16), 1u16..2000, any::<u16>()],
        ) {
            let threshold = f64::from(threshold) / 256.0;
            let mut scores: Vec<PictureScore> =
                raw.iter().map(|&(s, good)| PictureScore { score: f64::from(s) / 256.0, good }).collect();
            scores.push(PictureScore { score: threshold, good: true });
            let bars = Bars::new(&scores, threshold);
            let counted = |side: &[usize]| side.iter().sum::<usize>();
            prop_assert_eq!(counted(&bars.good) + counted(&bars.bad), scores.len());
            prop_assert!(bars.good.len() <= 80 && bars.limit >= threshold);
            if threshold > 0.0 {
                let last_passed = (threshold / bars.limit * bars.good.len() as f64).round() as usize;
                let passed = scores.iter().filter(|s| s.score <= threshold).count();
                let found = counted(&bars.good[..last_passed]) + counted(&bars.bad[..last_passed]);
                    prop_assert_eq!(found, passed);
            }
            let svg = histogram(&scores, threshold);
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("=\"-"));
        }
    }
}
