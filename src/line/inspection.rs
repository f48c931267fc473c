//! The inspection thread: frames in, verdicts out.

use std::sync::mpsc::{Receiver, SyncSender};

use super::{Event, Input, Inspected, Job, Reject};
use crate::inspect::Inspector;
use crate::time::{Clock, MonoNanos};
use crate::verdict::{Cause, Verdict};

/// Judges jobs until there are no more. A picture that cannot be judged rejects its part as `NoImage`.
pub(super) fn work(
    mut inspector: Inspector,
    jobs: &Receiver<Job>,
    verdicts: &SyncSender<Input>,
    events: &SyncSender<Event>,
) {
    for Job { tag, frame } in jobs {
        let result = inspector.inspect(&frame.shown.picture);
        let verdict = result.as_ref().map_or(Verdict::Reject(Cause::NoImage), |i| i.verdict);
        if verdicts.send(Input::Verdict(tag, verdict)).is_err() {
            return;
        }
        // from here on nothing is in a hurry: the verdict is on its way
        let judged = MonoNanos::now();
        let found = matches!(verdict, Verdict::Reject(Cause::Defect));
        let reject = found.then(|| Reject { picture: inspector.input().clone(), heat: inspector.heat() });
        let (name, truth) = (frame.shown.name, frame.shown.truth);
        let result = result.map_err(|e| e.to_string());
        let inspected = Inspected { tag, exposed: frame.exposed, judged, name, truth, result, reject };
        if events.try_send(Event::Inspected(Box::new(inspected))).is_err() {
            log::warn!("the record of part {} is dropped: nobody reads fast enough", tag.0);
        }
    }
}
