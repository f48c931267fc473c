//! The simulated camera's thread: pictures of the parts on the simulated belt.

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use beltwatch_core::{MonoNanos, Quality};
use heapless::spsc::Consumer;

use crate::board::Stage;
use crate::clock::{Clock, realtime};
use crate::devices::capture::{CaptureError, FrameCheck, PartCamera, Shown};
use crate::line::queue::{Sender, next};
use crate::line::wiring::{Event, Exposure, Frame, Shared};

const PATIENCE: Duration = Duration::from_millis(50);
/// A machine on which pictures come later than this cannot make them as fast as the belt wants them.
const LATE: Duration = Duration::from_millis(100);

/// Sends the picture of every exposure at its time until the core has ended. The next part's picture is
/// prepared beforehand. A picture that cannot be read is not sent: its part gets none.
pub(crate) fn work(
    camera: &mut dyn PartCamera,
    mut exposures: Consumer<'_, Exposure>,
    mut frames: Sender<'_, Box<Frame>>,
    events: &SyncSender<Event>,
    shared: &Shared,
) {
    shared.camera_bell.is_mine();
    realtime::prefer();
    let mut check = FrameCheck::default();
    let mut prepared: Option<(u64, Result<Shown, CaptureError>)> = None;
    let mut last: Option<Shown> = None;
    while !shared.core_ended.load(Ordering::Acquire) {
        shared.stages.advanced(Stage::Camera);
        let Some(exposure) = next(&mut exposures, PATIENCE) else {
            continue;
        };
        // a picture that is late already would make all that follow late
        if exposures.ready() && MonoNanos::now().since(exposure.delivered) > LATE {
            continue;
        }
        let part = exposure.part;
        shared.fault_at(Stage::Camera, part);
        let shown = match prepared.take().filter(|(index, _)| *index == part) {
            Some((_, shown)) => shown,
            None => camera.show(part),
        };
        let shown = match shown {
            Ok(shown) => look(shown, exposure.quality, last.take()),
            Err(e) => {
                let _ = events.try_send(Event::Unjudged {
                    name: format!("part {part}"),
                    why: e.to_string(),
                });
                continue;
            }
        };
        last = Some(shown.clone());
        let quality = check.check(&shown.picture);
        exposure.delivered.sleep();
        let frame = Frame {
            exposed: exposure.exposed,
            sequence: exposure.sequence,
            quality,
            shown,
        };
        if !frames.send_when_room(Box::new(frame), || shared.core_ended.load(Ordering::Acquire)) {
            break;
        }
        let following = part + 1;
        if camera.parts().is_none_or(|all| following < all) {
            prepared = Some((following, camera.show(following)));
        }
    }
    shared.stages.ended(Stage::Camera);
}

/// The picture as a camera that fails would give it.
fn look(mut shown: Shown, quality: Quality, last: Option<Shown>) -> Shown {
    match (quality, last) {
        (Quality::Good, _) | (Quality::Repeated, None) => {}
        (Quality::Black, _) => shown.picture.data.fill(0),
        (Quality::Saturated, _) => shown.picture.data.fill(255),
        (Quality::Repeated, Some(last)) => shown.picture = last.picture,
    }
    shown
}
