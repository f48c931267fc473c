//! Times of a stage, as people ask for them.

use std::time::Duration;

use serde::Serialize;

/// Median, 99th percentile and largest, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: usize,
    /// Half are not above.
    pub p50_us: u64,
    /// 99 of 100 are not above.
    pub p99_us: u64,
    /// None is above.
    pub max_us: u64,
}

impl Latency {
    /// Of some times; nearest rank, zeros where there are none.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut us: Vec<u64> = times.into_iter().map(|t| t.as_micros() as u64).collect();
        us.sort_unstable();
        let rank = |percent: usize| us.get((us.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or(0);
        Self { count: us.len(), p50_us: rank(50), p99_us: rank(99), max_us: rank(100) }
    }

    /// The heading of a table of [`Latency::row`]s.
    pub fn heading(title: &str) -> String {
        format!("{title:<28} {:>9} {:>9} {:>9}", "p50", "p99", "max")
    }

    /// A row in milliseconds with so many decimals.
    pub fn row(&self, name: &str, decimals: usize) -> String {
        let [p50, p99, max] = [self.p50_us, self.p99_us, self.max_us].map(|us| us as f64 / 1000.0);
        format!("  {name:<26} {p50:>9.decimals$} {p99:>9.decimals$} {max:>9.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let of = |n: u64| Latency::of((1..=n).rev().map(Duration::from_micros));
        assert_eq!(of(200), Latency { count: 200, p50_us: 100, p99_us: 198, max_us: 200 });
        assert_eq!(of(1), Latency { count: 1, p50_us: 1, p99_us: 1, max_us: 1 });
        assert_eq!(of(0), Latency::default());
    }
}
