//! Quantiles of the normal distribution, of Student's t, and of samples.

/// The middle one of the values, the upper one of two; sorts them. `None` of none.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// `z` with `P(Z <= z) = p` for a standard normal `Z`; `p` strictly between 0 and 1. By bisection of the
/// error function.
pub fn normal(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2) < p {
            low = middle
        } else {
            high = middle
        }
    }
    0.5 * (low + high)
}

/// `t` with `P(T <= t) = p` for Student's t with `freedom` degrees. The expansion of Fisher and Cornish
/// (1960) in powers of 1 / `freedom`: within 1 % from 3 degrees on for the probabilities that thresholds need
/// (0.9 to 0.999).
pub fn student_t(p: f64, freedom: usize) -> f64 {
    let (z, n) = (normal(p), freedom.max(1) as f64);
    let powers = [1, 3, 5, 7, 9].map(|e| z.powi(e));
    let poly =
        |weights: [f64; 5], over: f64| weights.iter().zip(powers).map(|(w, p)| w * p).sum::<f64>() / over;
    z + poly([1.0, 1.0, 0.0, 0.0, 0.0], 4.0) / n
        + poly([3.0, 16.0, 5.0, 0.0, 0.0], 96.0) / n.powi(2)
        + poly([-15.0, 17.0, 19.0, 3.0, 0.0], 384.0) / n.powi(3)
        + poly([-945.0, -1920.0, 1482.0, 776.0, 79.0], 92160.0) / n.powi(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_printed_tables() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_964),
            (0.99, 2.326_348),
            (0.001, -3.090_232),
        ] {
            assert!((normal(p) - z).abs() < 1e-6, "{p}");
        }
        for (p, freedom, t) in [
            (0.95, 5, 2.015),
            (0.99, 4, 3.747),
            (0.99, 10, 2.764),
            (0.995, 30, 2.750),
            (0.999, 6, 5.208),
        ] {
            assert!(
                (student_t(p, freedom) / t - 1.0).abs() < 0.01,
                "{p} {freedom}: {}",
                student_t(p, freedom)
            );
        }
    }
}
