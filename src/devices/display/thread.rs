//! The display's thread: draws what is newest, and sees to a back end that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use beltwatch_vision::picture::Picture;
use beltwatch_vision::processor::NoThread;
use embedded_graphics::prelude::*;

use super::{Canvas, DisplayError, Screen, View, draw, open};
use crate::board::{DisplayConfig, Rotation};
use crate::clock::{Clock, MonoNanos};

/// The thread's name. It may panic without harm to the line.
pub const THREAD: &str = "display";

const TICK: Duration = Duration::from_millis(100);
/// A back end that failed is opened again after the first of these, then ever later up to the second.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// A back end that does not come back is not waited for longer at the end.
const PATIENCE: Duration = Duration::from_secs(2);
/// Everybody else comes first.
const NICE: i32 = 10;

/// What is newest, for the display to take when it has time. Whoever writes never waits: what finds the
/// display just looking is left out, for the next one comes soon.
#[derive(Debug, Default)]
pub struct Feed {
    view: Mutex<Option<View>>,
    live: Mutex<Option<Arc<Picture>>>,
}

impl Feed {
    /// What the camera saw.
    pub fn saw(&self, picture: Picture) {
        put(&self.live, Arc::new(picture));
    }

    /// How the line is; its live picture is the one that was [seen](Self::saw) last.
    pub fn show(&self, view: View) {
        put(&self.view, view);
    }

    fn take(&self) -> (Option<View>, Option<Arc<Picture>>) {
        (take(&self.view), take(&self.live))
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().ok()?.take()
}

fn put<T>(slot: &Mutex<Option<T>>, new: T) {
    let Ok(mut slot) = slot.try_lock() else { return };
    let old = slot.replace(new);
    drop(slot);
    // what is large is let go when nobody can be waiting any more
    drop(old);
}

/// A display at work.
#[derive(Debug)]
pub struct Display {
    feed: Arc<Feed>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Display {
    /// Starts the thread. Whether its back end is there only shows later: the line does not need it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(config: DisplayConfig) -> Result<Self, NoThread> {
        let (feed, ended) = (Arc::new(Feed::default()), Arc::new(AtomicBool::new(false)));
        let (fed, stop) = (Arc::clone(&feed), Arc::clone(&ended));
        let work = move || {
            // a thread of its own on Linux; refused, it is as important as any other
            let _ = rustix::process::setpriority_process(None, NICE);
            let mut worker = Worker::new(|| open(&config), config.rotation);
            loop {
                let is_last = stop.load(Ordering::Acquire);
                worker.step(MonoNanos::now(), &fed, is_last);
                if is_last {
                    break;
                }
                thread::sleep(TICK);
            }
        };
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(work)?;
        Ok(Self { feed, ended, thread })
    }

    /// Where it gets its news from.
    pub fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// Shows that the program has ended, and ends; a back end that hangs is left alone.
    pub fn end(self) {
        self.ended.store(true, Ordering::Release);
        let until = MonoNanos::now() + PATIENCE;
        while !self.thread.is_finished() && MonoNanos::now() < until {
            thread::sleep(TICK / 10);
        }
        if !self.thread.is_finished() {
            log::warn!("the display hangs and is left alone");
        }
    }
}

struct Worker<O> {
    open: O,
    rotation: Rotation,
    screen: Option<Box<dyn Screen>>,
    view: View,
    /// The view is not on the screen yet.
    is_new: bool,
    drawn: Canvas,
    turned: Canvas,
    /// Nothing is tried before.
    next: MonoNanos,
    retry: Duration,
    said: String,
}

impl<O: FnMut() -> Result<Box<dyn Screen>, DisplayError>> Worker<O> {
    fn new(open: O, rotation: Rotation) -> Self {
        let nothing = || Canvas::new(Size::zero());
        Self {
            open,
            rotation,
            screen: None,
            view: View::default(),
            is_new: true,
            drawn: nothing(),
            turned: nothing(),
            next: MonoNanos(0),
            retry: RETRY[0],
            said: String::new(),
        }
    }

    /// `is_last`: the program ends.
    fn step(&mut self, now: MonoNanos, feed: &Feed, is_last: bool) {
        let (view, live) = feed.take();
        let mut view = view.unwrap_or_else(|| self.view.clone());
        (view.live, view.ended) = (live.or_else(|| self.view.live.clone()), is_last);
        self.is_new |= is_last || view != self.view;
        self.view = view;
        if now < self.next && !(is_last && self.screen.is_some()) {
            return;
        }
        // neither a driver's surprise nor a mistake of ours in a drawing may end more than a picture
        let shown = catch_unwind(AssertUnwindSafe(|| self.show()));
        let failed =
            |_| DisplayError::Device("a part of the program that draws or shows it failed".to_owned());
        match shown.map_err(failed).and_then(|shown| shown) {
            Ok(period) => {
                (self.next, self.retry) = (now + period, RETRY[0]);
                if !std::mem::take(&mut self.said).is_empty() {
                    log::info!("the display is back");
                }
            }
            Err(e) => {
                let why = e.to_string();
                if why != self.said {
                    log::warn!("{why}; the line goes on, it is tried again");
                    self.said = why;
                }
                (self.screen, self.is_new) = (None, true);
                self.next = now + self.retry;
                self.retry = (2 * self.retry).min(RETRY[1]);
            }
        }
    }

    /// Draws where there is news. Returns when there may be more.
    fn show(&mut self) -> Result<Duration, DisplayError> {
        let screen = match &mut self.screen {
            Some(screen) => screen,
            none => none.insert((self.open)()?),
        };
        if !self.is_new {
            return Ok(TICK);
        }
        let size = self.rotation.turned(screen.size());
        if self.drawn.size() != size {
            self.drawn = Canvas::new(size);
        }
        draw(&self.view, &mut self.drawn);
        if self.rotation == Rotation::None {
            screen.show(&self.drawn)?;
        } else {
            self.drawn.turn(self.rotation, &mut self.turned);
            screen.show(&self.turned)?;
        }
        self.is_new = false;
        Ok(screen.period())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[derive(Default)]
    struct Bench {
        opened: AtomicU32,
        shown: Mutex<Vec<Canvas>>,
        broken: AtomicBool,
        panics: AtomicBool,
    }

    struct Fake(Arc<Bench>);

    impl Screen for Fake {
        fn size(&self) -> Size {
            Size::new(80, 40)
        }

        fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
            assert!(!self.0.panics.load(Ordering::Relaxed), "a driver's surprise");
            if self.0.broken.load(Ordering::Relaxed) {
                return Err(DisplayError::Device("unplugged".to_owned()));
            }
            self.0.shown.lock().unwrap().push(canvas.clone());
            Ok(())
        }
    }

    fn seconds(s: f64) -> MonoNanos {
        MonoNanos((s * 1e9) as u64)
    }

    fn worker(
        bench: &Arc<Bench>,
        rotation: Rotation,
    ) -> Worker<impl FnMut() -> Result<Box<dyn Screen>, DisplayError>> {
        let bench = Arc::clone(bench);
        let open = move || {
            bench.opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Fake(Arc::clone(&bench))) as Box<dyn Screen>)
        };
        Worker::new(open, rotation)
    }

    #[test]
    fn draws_what_is_newest_and_nothing_twice() {
        let (bench, feed) = (Arc::new(Bench::default()), Feed::default());
        let mut worker = worker(&bench, Rotation::Quarter);
        for i in 0..10 {
            worker.step(seconds(f64::from(i) / 10.0), &feed, false);
        }
        assert_eq!(bench.shown.lock().unwrap().len(), 1, "no news");
        feed.saw(Picture::filled(8, 8, 1, 200));
        feed.show(View {
            recipe: "old".to_owned(),
            ..View::default()
        });
        feed.show(View {
            recipe: "new".to_owned(),
            bypassed: true,
            ..View::default()
        });
        worker.step(seconds(1.0), &feed, false);
        worker.step(seconds(1.1), &feed, false);
        assert_eq!(
            (worker.view.recipe.as_str(), worker.view.live.is_some()),
            ("new", true)
        );
        feed.show(View {
            recipe: "next".to_owned(),
            ..View::default()
        });
        worker.step(seconds(1.2), &feed, false);
        assert!(
            worker.view.live.is_some(),
            "the picture stays until there is another"
        );
        worker.step(seconds(1.21), &feed, true);
        let shown = bench.shown.lock().unwrap();
        assert_eq!(shown.len(), 4);
        assert!(shown.windows(2).all(|two| two[0] != two[1]), "each is another");
        assert!(worker.view.ended && shown.iter().all(|f| f.size() == Size::new(80, 40)));
        assert_eq!(worker.drawn.size(), Size::new(40, 80), "drawn upright");
    }

    #[test]
    fn what_fails_is_opened_again_and_ever_less_often() {
        let (bench, feed) = (Arc::new(Bench::default()), Feed::default());
        let mut worker = worker(&bench, Rotation::None);
        bench.broken.store(true, Ordering::Relaxed);
        for i in 0..1200 {
            worker.step(seconds(f64::from(i) / 10.0), &feed, false);
        }
        // at 0, 1, 3, 7, 15, 31, 61, 91 s
        assert_eq!(bench.opened.load(Ordering::Relaxed), 8);
        bench.panics.store(true, Ordering::Relaxed);
        worker.step(seconds(121.0), &feed, false);
        assert_eq!(
            bench.opened.load(Ordering::Relaxed),
            9,
            "a panic is a failure as any other"
        );
        bench.panics.store(false, Ordering::Relaxed);
        bench.broken.store(false, Ordering::Relaxed);
        worker.step(seconds(152.0), &feed, false);
        assert_eq!(
            bench.shown.lock().unwrap().len(),
            1,
            "what was to be seen is seen then"
        );
        assert_eq!(worker.retry, RETRY[0]);
    }

    #[test]
    fn whoever_writes_never_waits() {
        let feed = Feed::default();
        let looking = (feed.live.lock().unwrap(), feed.view.lock().unwrap());
        feed.saw(Picture::filled(8, 8, 1, 200));
        feed.show(View::default());
        drop(looking);
        assert_eq!(feed.take(), (None, None));
    }
}
