//! What the display shows, put together from what the scribe hears.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use beltwatch_core::{Action, Cause, Input, MonoNanos, Tag, Verdict};

use super::status::Status;
use crate::devices::display::{Feed, LastPart, LastReject, TREND, TrendPoint, View};
use crate::line::PartRecord;
use crate::line::wiring::Event;

/// The display takes ten views a second.
const PERIOD: Duration = Duration::from_millis(100);
/// Parts that make the belt's speed.
const SPEED: usize = 20;
/// Verdicts that wait for their deadline.
const WAITING: usize = 1024;

/// Feeds a display.
pub(crate) struct Presenter {
    feed: Arc<Feed>,
    station: String,
    shown: MonoNanos,
    eyes: VecDeque<MonoNanos>,
    verdicts: BTreeMap<Tag, MonoNanos>,
    /// The last parts, each with the time that its verdict had to spare.
    parts: VecDeque<(TrendPoint, Option<Duration>)>,
    last: Option<LastPart>,
    reject: Option<LastReject>,
}

impl Presenter {
    pub(crate) fn new(feed: Arc<Feed>, station: &str) -> Self {
        Self {
            feed,
            station: station.to_owned(),
            shown: MonoNanos(0),
            eyes: VecDeque::new(),
            verdicts: BTreeMap::new(),
            parts: VecDeque::new(),
            last: None,
            reject: None,
        }
    }

    /// Something came in.
    pub(crate) fn input(&mut self, t: MonoNanos, input: &Input) {
        if let Input::Verdict { tag, .. } = input {
            self.verdicts.insert(*tag, t);
            if self.verdicts.len() > WAITING {
                self.verdicts.pop_first();
            }
        }
    }

    /// Something was decided; `part` is the part whose fate that sealed.
    pub(crate) fn action(&mut self, t: MonoNanos, action: &Action, part: Option<&PartRecord>) {
        match *action {
            Action::Part { eye, .. } => {
                self.eyes.push_back(eye);
                if self.eyes.len() > SPEED {
                    self.eyes.pop_front();
                }
            }
            Action::Decided {
                tag,
                verdict,
                bypassed,
            } => {
                // a fate is sealed at the deadline, not before
                let spare = self.verdicts.remove(&tag).map(|at| t.since(at));
                let spare = spare.or((verdict.cause() == Some(Cause::NoVerdict)).then_some(Duration::ZERO));
                let score = part.and_then(|p| p.score);
                let rejected = matches!(verdict, Verdict::Reject(_));
                self.last = Some(LastPart {
                    tag: tag.0,
                    verdict,
                    bypassed,
                    score,
                });
                self.parts.push_back((TrendPoint { score, rejected }, spare));
                if self.parts.len() > TREND {
                    self.parts.pop_front();
                }
            }
            _ => {}
        }
    }

    /// The inspection is through with a part.
    pub(crate) fn event(&mut self, event: &Event) {
        if let Event::Inspected(inspected) = event
            && let (Ok(found), Some(seen)) = (&inspected.result, &inspected.reject)
        {
            self.reject = Some(LastReject {
                tag: inspected.tag.0,
                score: found.score,
                seen: Arc::clone(seen),
            });
        }
    }

    /// Ten times a second.
    pub(crate) fn show(&mut self, now: MonoNanos, status: &Status) {
        if now.since(self.shown) >= PERIOD {
            self.shown = now;
            self.feed.show(self.view(now, status));
        }
    }

    fn view(&self, now: MonoNanos, status: &Status) -> View {
        View {
            station: self.station.clone(),
            recipe: status.recipe.clone(),
            threshold: status.threshold,
            taught_threshold: status.taught_threshold,
            state: status.state,
            ended: false,
            bypassed: status.bypassed,
            faults: status.faults.clone(),
            alarms: status.alarms.clone(),
            last: self.last,
            live: None,
            reject: self.reject.clone(),
            counters: status.counters,
            parts_per_minute: self.parts_per_minute(now),
            trend: self.parts.iter().map(|p| p.0).collect(),
            margin: self.parts.iter().filter_map(|p| p.1).min(),
        }
    }

    /// Of the last parts; a belt that stands gets ever slower.
    fn parts_per_minute(&self, now: MonoNanos) -> Option<f64> {
        let (first, last) = (*self.eyes.front()?, *self.eyes.back()?);
        let parts = (self.eyes.len() - 1) as f64;
        if parts == 0.0 {
            return None;
        }
        let mean = last.since(first).as_secs_f64() / parts;
        let silence = now.since(last).as_secs_f64();
        let time = last.since(first).as_secs_f64() + if silence > 3.0 * mean { silence } else { 0.0 };
        (time > 0.0).then(|| parts * 60.0 / time)
    }
}

#[cfg(test)]
mod tests {
    use beltwatch_vision::judge::score::Score;

    use super::*;

    fn ms(ms: u64) -> MonoNanos {
        MonoNanos(ms * 1_000_000)
    }

    fn presenter() -> Presenter {
        Presenter::new(Arc::new(Feed::default()), "line 3")
    }

    #[test]
    fn the_margin_is_the_shortest_one_and_a_verdict_that_never_came_had_none() {
        let mut p = presenter();
        let mut part = |tag: u32, verdict_at: Option<u64>, verdict| {
            let tag = Tag(tag);
            if let Some(at) = verdict_at {
                p.input(
                    ms(at),
                    &Input::Verdict {
                        tag,
                        verdict: Verdict::Pass,
                    },
                );
            }
            p.action(
                ms(1000),
                &Action::Decided {
                    tag,
                    verdict,
                    bypassed: false,
                },
                None,
            );
            p.view(ms(1000), &Status::default()).margin
        };
        assert_eq!(
            part(1, None, Verdict::Reject(Cause::Spacing)),
            None,
            "nobody waited for a verdict"
        );
        assert_eq!(
            part(2, Some(700), Verdict::Pass),
            Some(Duration::from_millis(300))
        );
        assert_eq!(
            part(3, Some(900), Verdict::Pass),
            Some(Duration::from_millis(100))
        );
        assert_eq!(
            part(4, Some(800), Verdict::Pass),
            Some(Duration::from_millis(100))
        );
        assert_eq!(
            part(5, None, Verdict::Reject(Cause::NoVerdict)),
            Some(Duration::ZERO)
        );
        for tag in 6..6 + TREND as u32 {
            part(tag, Some(990), Verdict::Pass);
        }
        assert_eq!(
            part(99, Some(990), Verdict::Pass),
            Some(Duration::from_millis(10)),
            "old parts are forgotten"
        );
        assert!(p.verdicts.is_empty());
    }

    #[test]
    fn speed_is_that_of_the_last_parts_and_falls_when_none_comes() {
        let mut p = presenter();
        let mut speed = |eye: Option<u64>, now: u64| {
            if let Some(eye) = eye {
                p.action(
                    ms(eye),
                    &Action::Part {
                        tag: Tag(1),
                        eye: ms(eye),
                    },
                    None,
                );
            }
            p.parts_per_minute(ms(now)).map(f64::round)
        };
        assert_eq!(speed(None, 0), None);
        assert_eq!(speed(Some(0), 1), None);
        assert_eq!(speed(Some(200), 210), Some(300.0));
        for i in 2..50 {
            speed(Some(200 * i), 200 * i);
        }
        assert_eq!(speed(Some(10_000), 10_500), Some(300.0));
        assert!(speed(None, 20_000).is_some_and(|s| s < 100.0));
    }

    #[test]
    fn the_trend_keeps_the_last_parts_in_their_order() {
        let mut p = presenter();
        for tag in 0..100 {
            let record = PartRecord {
                tag,
                file: None,
                truth: None,
                verdict: "reject",
                cause: Some(Cause::Defect),
                score: Some(Score(tag as u16)),
                ejected: None,
                frame_to_verdict_us: None,
            };
            let action = Action::Decided {
                tag: Tag(tag),
                verdict: Verdict::Reject(Cause::Defect),
                bypassed: tag == 99,
            };
            p.action(ms(tag.into()), &action, Some(&record));
        }
        let view = p.view(ms(100), &Status::default());
        assert_eq!(view.trend.len(), TREND);
        assert_eq!(
            view.trend.last(),
            Some(&TrendPoint {
                score: Some(Score(99)),
                rejected: true
            })
        );
        assert_eq!(view.trend[0].score, Some(Score(100 - TREND as u16)));
        let last = view.last.expect("a part");
        assert_eq!((last.tag, last.bypassed, last.score), (99, true, Some(Score(99))));
    }
}
