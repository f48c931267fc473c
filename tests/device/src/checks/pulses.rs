//! Are the gate's pulses those that there must be, at their times?

use std::time::{Duration, Instant};

use crate::machine::gpio::Edge;

/// A part at the gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Planned start of its pulse.
    pub(super) at: Instant,
    /// The plan is not known better than this, either way: when the guest saw the eye's edge.
    pub(super) known_to: Duration,
    pub(super) reject: bool,
}

/// How far pulses were off, at the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) pulses: usize,
    pub(super) early: Duration,
    pub(super) late: Duration,
    /// The middle one of all distances from the plan.
    pub(super) median: Duration,
    /// How well the plan is known, at the worst.
    pub(super) known_to: Duration,
    /// Of a pulse's length.
    pub(super) length: Duration,
}

impl std::fmt::Display for Timing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        let [median, early, late, length] = [self.median, self.early, self.late, self.length].map(ms);
        write!(
            f,
            "start off by {median:.1} ms, from -{early:.1} to +{late:.1} ms, length by {length:.1} ms"
        )?;
        if self.known_to.is_zero() {
            Ok(())
        } else {
            write!(f, ", eye edges known to {:.1} ms", ms(self.known_to))
        }
    }
}

/// Compares the edges of the gate's line with the parts that came.
///
/// # Errors
/// In words, with the numbers of the parts: no pulse, one too many, a wrong length, a line that is left high.
pub(super) fn compare(
    parts: &[Expected],
    edges: &[Edge],
    length: Duration,
    tolerance: Duration,
) -> Result<Timing, String> {
    let mut timing = Timing::default();
    let (mut wrong, mut distances) = (Vec::new(), Vec::new());
    let mut open: Vec<usize> = (0..parts.len()).filter(|&n| parts[n].reject).collect();
    for pulse in edges.chunks(2) {
        let [start, end] = pulse else {
            wrong.push("the gate is left high".to_owned());
            break;
        };
        if !start.high || end.high {
            return Err("edges of the gate do not take turns".to_owned());
        }
        let Some(&nearest) = (0..parts.len())
            .collect::<Vec<_>>()
            .iter()
            .min_by_key(|&&n| distance(parts[n].at, start.at))
        else {
            return Err("a pulse, but no part".to_owned());
        };
        let off = distance(parts[nearest].at, start.at);
        if off > tolerance + parts[nearest].known_to {
            wrong.push(format!("a pulse {off:.1?} from part {nearest}, the nearest"));
            continue;
        }
        let Some(at) = open.iter().position(|&n| n == nearest) else {
            wrong.push(format!("part {nearest} is good or had its pulse, and got one"));
            continue;
        };
        open.remove(at);
        distances.push(off);
        if start.at < parts[nearest].at {
            timing.early = timing.early.max(off);
        } else {
            timing.late = timing.late.max(off);
        }
        let lasted = end.at - start.at;
        timing.length = timing.length.max(lasted.abs_diff(length));
        if lasted.abs_diff(length) > tolerance {
            wrong.push(format!(
                "the pulse of part {nearest} lasted {lasted:.1?} in place of {length:.1?}"
            ));
        }
    }
    wrong.extend(open.iter().map(|n| format!("part {n} is bad and got no pulse")));
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(5);
        wrong.truncate(5);
        return Err(format!(
            "{}{}",
            wrong.join("; "),
            if more > 0 {
                format!("; and {more} more")
            } else {
                String::new()
            }
        ));
    }
    distances.sort();
    timing.known_to = parts.iter().map(|part| part.known_to).max().unwrap_or_default();
    timing.pulses = distances.len();
    timing.median = distances.get(distances.len() / 2).copied().unwrap_or_default();
    Ok(timing)
}

fn distance(a: Instant, b: Instant) -> Duration {
    a.saturating_duration_since(b) + b.saturating_duration_since(a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::gpio::Pin;

    const PULSE: Duration = Duration::from_millis(60);
    const TOLERANCE: Duration = Duration::from_millis(20);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Parts 500 ms apart; of pulses their starts and lengths in ms.
    fn check(rejects: &[bool], pulses: &[(u64, u64)]) -> Result<Timing, String> {
        let start = Instant::now();
        let expected = |(n, &reject): (usize, &bool)| Expected {
            at: start + ms(500 * n as u64 + 400),
            known_to: Duration::ZERO,
            reject,
        };
        let parts: Vec<_> = rejects.iter().enumerate().map(expected).collect();
        let edge = |at, high| Edge {
            at: start + ms(at),
            pin: Pin::Gate,
            high,
        };
        let edges: Vec<_> = pulses
            .iter()
            .flat_map(|&(at, length)| [edge(at, true), edge(at + length, false)])
            .collect();
        compare(&parts, &edges, PULSE, TOLERANCE)
    }

    #[test]
    fn as_it_should_be() {
        let timing = check(&[false, true, true], &[(905, 61), (1390, 57)]).unwrap();
        assert_eq!(
            (timing.pulses, timing.early, timing.late, timing.length),
            (2, ms(10), ms(5), ms(3))
        );
        assert_eq!(check(&[false, false], &[]).unwrap().pulses, 0);
    }

    #[test]
    fn a_plan_that_is_not_known_well_is_not_held_against_the_gate() {
        let part = Expected {
            at: Instant::now() + ms(100),
            known_to: ms(30),
            reject: true,
        };
        let edge = |at, high| Edge {
            at: part.at + at - ms(100),
            pin: Pin::Gate,
            high,
        };
        let pulse = |at| [edge(ms(at), true), edge(ms(at) + PULSE, false)];
        assert_eq!(
            compare(&[part], &pulse(51), PULSE, TOLERANCE).unwrap().known_to,
            ms(30)
        );
        assert!(compare(&[part], &pulse(49), PULSE, TOLERANCE).is_err());
    }

    #[test]
    fn every_mistake_is_one() {
        for (pulses, said) in [
            (&[][..], "part 1 is bad and got no pulse"),
            (&[(400, 60), (900, 60)], "part 0 is good"),
            (&[(900, 60), (930, 60)], "the nearest"),
            (&[(925, 60)], "the nearest"),
            (&[(900, 100)], "lasted 100.0ms"),
            (&[(900, 60), (915, 1)], "had its pulse"),
        ] {
            let error = check(&[false, true], pulses).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let part = Expected {
            at: Instant::now(),
            known_to: Duration::ZERO,
            reject: true,
        };
        let edge = |high| Edge {
            at: part.at,
            pin: Pin::Gate,
            high,
        };
        assert!(
            compare(&[part], &[edge(true)], PULSE, TOLERANCE)
                .unwrap_err()
                .contains("left high")
        );
        assert!(compare(&[part], &[edge(false), edge(true)], PULSE, TOLERANCE).is_err());
    }
}
