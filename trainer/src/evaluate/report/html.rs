//! Text for HTML.

/// Text as HTML shows it, also inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A share as a percentage with a useful number of digits; a dash where there is none.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "–".to_owned(),
        Some(share) if share > 0.0 && share < 0.01 => format!("{:.2}\u{a0}%", 100.0 * share),
        Some(share) => format!("{:.1}\u{a0}%", 100.0 * share),
    }
}

/// Where the true rate lies with 95 % confidence when `of` in `all` were seen (Wilson, 1927).
pub(super) fn interval(of: usize, all: usize) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_964;
    let (n, p) = (all as f64, of as f64 / all as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_interval() {
        // R: prop.test(1, 48, correct = FALSE), prop.test(0, 10, correct = FALSE)
        let (low, high) = interval(1, 48);
        assert!(
            (low - 0.003_685).abs() < 1e-4 && (high - 0.109_0).abs() < 1e-3,
            "{low} {high}"
        );
        let (low, high) = interval(0, 10);
        assert!(low < 1e-12 && (high - 0.277_5).abs() < 1e-4, "{high}");
        assert_eq!(interval(0, 0), (0.0, 1.0));
        assert!(interval(10, 10).1 <= 1.0);
    }

    #[test]
    fn shares() {
        let shown = [None, Some(0.0), Some(0.002), Some(0.0208), Some(1.0)].map(percent);
        assert_eq!(
            shown,
            ["–", "0.0\u{a0}%", "0.20\u{a0}%", "2.1\u{a0}%", "100.0\u{a0}%"]
        );
    }
}
