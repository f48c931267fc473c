//! The inspection's thread: frames in, verdicts out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use beltwatch_belt::Pace;
use beltwatch_core::{Cause, Device, Input, MonoNanos, Quality, Verdict};
use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::recipe::sha256_hex;
use heapless::spsc::Consumer;

use super::queue::{Sender, next};
use super::wiring::{Change, Event, Inspected, Job, Shared};
use crate::board::Stage;
use crate::clock::{Clock, realtime};
use crate::devices::capture::Shown;
use crate::devices::display::Reject;

/// Looks this often whether there is a change, or an end.
const PATIENCE: Duration = Duration::from_millis(50);

/// How frames are taken on.
pub(super) struct Manner {
    /// Without an eye the newest frame wins: those that it overtakes are left out.
    pub(super) newest_wins: bool,
    /// The simulated inspection takes so long at least.
    pub(super) pace: Option<Pace>,
}

/// Judges frames until the core has ended. A picture that cannot be judged rejects its part as `NoImage`.
pub(super) fn work(
    mut inspector: Box<Inspector>,
    manner: &Manner,
    changes: &Receiver<Change>,
    mut jobs: Consumer<'_, Job>,
    mut verdicts: Sender<'_, Input>,
    events: &SyncSender<Event>,
    shared: &Shared,
) {
    shared.inspection_bell.is_mine();
    inspector.team().each(realtime::prefer);
    let mut served = 0;
    while !shared.core_ended.load(Ordering::Acquire) || jobs.ready() {
        shared.stages.advanced(Stage::Inspection);
        match changes.try_recv() {
            Ok(Change::Recipe(new)) => {
                inspector = new;
                inspector.team().each(realtime::prefer);
                let up = Input::Device {
                    device: Device::Recipe,
                    up: true,
                };
                verdicts.send_when_room(up, || shared.core_ended.load(Ordering::Acquire));
            }
            Ok(Change::Threshold(new)) => inspector.set_threshold(new),
            Err(_) => {}
        }
        let Some(mut job) = next(&mut jobs, PATIENCE) else {
            continue;
        };
        while manner.newest_wins
            && let Some(newer) = jobs.dequeue()
        {
            // a frame that shows no part never costs a part its verdict
            let older = if newer.tag.is_none() && job.tag.is_some() {
                newer
            } else {
                std::mem::replace(&mut job, newer)
            };
            let Job { frame, .. } = older;
            let why = "a newer frame came while the inspection was busy".to_owned();
            let _ = events.try_send(Event::Unjudged {
                name: frame.shown.name,
                why,
            });
        }
        let Job { tag, frame } = job;
        let Some(tag) = tag else {
            let why = match frame.quality {
                Quality::Good => "no part was there for it".to_owned(),
                quality => format!("it is {quality:?}").to_lowercase(),
            };
            see(frame.shown.picture, shared);
            let _ = events.try_send(Event::Unjudged {
                name: frame.shown.name,
                why,
            });
            continue;
        };
        shared.fault_at(Stage::Inspection, u64::from(tag.0));
        let begun = MonoNanos::now();
        let result = inspector.inspect(&frame.shown.picture);
        if let Some(pace) = &manner.pace {
            // a simulated inspection that takes long is one that advances
            let until = begun + pace.time(begun, served);
            shared.stages.wait(Stage::Inspection, until, || {
                shared.core_ended.load(Ordering::Acquire)
            });
        }
        served += 1;
        let verdict = result
            .as_ref()
            .map_or(Verdict::Reject(Cause::NoImage), |i| i.verdict);
        if !verdicts.send_when_room(Input::Verdict { tag, verdict }, || {
            shared.core_ended.load(Ordering::Acquire)
        }) {
            break;
        }
        // from here on nothing is in a hurry: the verdict is on its way
        let judged = MonoNanos::now();
        let found = matches!(verdict, Verdict::Reject(Cause::Defect));
        let reject = found.then(|| {
            Arc::new(Reject {
                picture: inspector.input().clone(),
                heat: inspector.heat(),
            })
        });
        let sha256 = shared
            .hash_pictures
            .then(|| sha256_hex(&frame.shown.picture.data));
        let Shown { name, truth, picture } = frame.shown;
        see(picture, shared);
        let result = result.map_err(|e| e.to_string());
        let inspected = Inspected {
            tag,
            frame: frame.sequence,
            exposed: frame.exposed,
            judged,
            name,
            truth,
            result,
            reject,
            sha256,
        };
        if events.try_send(Event::Inspected(Box::new(inspected))).is_err() {
            log::warn!(
                "the record of part {} is dropped: nobody reads fast enough",
                tag.0
            );
        }
    }
    shared.stages.ended(Stage::Inspection);
}

/// For the operator's screen.
fn see(picture: Picture, shared: &Shared) {
    if let Some(display) = &shared.display {
        display.saw(picture);
    }
}
