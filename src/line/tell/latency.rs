//! Times of a stage, as people ask for them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer times count as this.
const LONGEST: Duration = Duration::from_secs(60);

/// Times collected in bounded memory, in nanoseconds to three digits.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(
            Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3).expect("fixed bounds that are valid"),
        )
    }
}

impl Times {
    /// Counts one more.
    pub fn add(&mut self, time: Duration) {
        self.0
            .saturating_record(time.as_nanos().clamp(1, LONGEST.as_nanos()) as u64);
    }

    /// Counts what was saved by [`Times::saved`].
    pub fn add_saved(&mut self, saved: &[(u64, u64)]) {
        for &(ns, count) in saved {
            // out of range only in a file that somebody edited
            let _ = self.0.record_n(ns.clamp(1, LONGEST.as_nanos() as u64), count);
        }
    }

    /// Nanoseconds and how often, to save.
    pub fn saved(&self) -> Vec<(u64, u64)> {
        self.0
            .iter_recorded()
            .map(|v| (v.value_iterated_to(), v.count_at_value()))
            .collect()
    }

    /// What people ask for.
    pub fn latency(&self) -> Latency {
        let us = |ns: u64| ns as f64 / 1e3;
        let at = |quantile| {
            if self.0.is_empty() {
                0.0
            } else {
                us(self.0.value_at_quantile(quantile))
            }
        };
        Latency {
            count: self.0.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: if self.0.is_empty() { 0.0 } else { us(self.0.max()) },
        }
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut all = Self::default();
        times.into_iter().for_each(|t| all.add(t));
        all
    }
}

/// Median, 99th and 99.9th percentile and largest, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half are not above.
    pub p50_us: f64,
    /// 99 of 100 are not above.
    pub p99_us: f64,
    /// 999 of 1,000 are not above.
    pub p999_us: f64,
    /// None is above.
    pub max_us: f64,
}

impl Latency {
    /// The heading of a table of [`Latency::row`]s.
    pub fn heading(title: &str) -> String {
        format!(
            "{title:<28} {:>9} {:>9} {:>9} {:>9}",
            "p50", "p99", "p99.9", "max"
        )
    }

    /// A row in milliseconds with so many decimals.
    pub fn row(&self, name: &str, decimals: usize) -> String {
        let [p50, p99, p999, max] =
            [self.p50_us, self.p99_us, self.p999_us, self.max_us].map(|us| us / 1000.0);
        format!("  {name:<26} {p50:>9.decimals$} {p99:>9.decimals$} {p999:>9.decimals$} {max:>9.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_to_three_digits() {
        let times: Times = (1..=2000).rev().map(Duration::from_micros).collect();
        let latency = times.latency();
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() <= expected / 1000.0, "{latency:?}");
        near(latency.p50_us, 1000.0);
        near(latency.p99_us, 1980.0);
        near(latency.p999_us, 1998.0);
        near(latency.max_us, 2000.0);
        assert_eq!(
            (latency.count, Times::default().latency()),
            (2000, Latency::default())
        );
    }

    #[test]
    fn what_is_saved_counts_again() {
        let times: Times = (1..=500).map(|i| Duration::from_micros(i * i)).collect();
        let mut again = Times::default();
        again.add_saved(&times.saved());
        assert_eq!(again.saved(), times.saved());
        again.add_saved(&[(u64::MAX, 3), (0, 1)]);
        assert_eq!(again.latency().count, 504);
    }

    #[test]
    fn a_time_of_any_length_is_counted() {
        let times: Times = [Duration::ZERO, Duration::MAX].into_iter().collect();
        assert_eq!(times.latency().count, 2);
    }
}
