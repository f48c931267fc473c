//! Queues with one writer and one reader each. Writing neither allocates nor locks; it wakes the reader where
//! it sleeps.

use std::sync::OnceLock;
use std::thread::Thread;
use std::time::Duration;

use heapless::spsc::{Consumer, Producer};

/// Wakes the thread that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Bell(OnceLock<Thread>);

impl Bell {
    /// The calling thread is the one to wake.
    pub(super) fn is_mine(&self) {
        // only its own thread answers a bell, and only once
        let _ = self.0.set(std::thread::current());
    }

    pub(super) fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

/// The writing end.
pub(super) struct Sender<'q, T> {
    queue: Producer<'q, T>,
    bell: &'q Bell,
}

impl<'q, T> Sender<'q, T> {
    pub(super) fn new(queue: Producer<'q, T>, bell: &'q Bell) -> Self {
        Self { queue, bell }
    }

    /// # Errors
    /// The item, where there is no room.
    pub(super) fn send(&mut self, item: T) -> Result<(), T> {
        self.queue.enqueue(item)?;
        self.bell.ring();
        Ok(())
    }

    /// For writers that may wait: tries until there is room or `given_up` says so. Whether the item was
    /// written.
    pub(super) fn send_when_room(&mut self, mut item: T, given_up: impl Fn() -> bool) -> bool {
        while let Err(back) = self.send(item) {
            if given_up() {
                return false;
            }
            item = back;
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// Takes what is there; where nothing is, sleeps up to `patience` or until the bell rings.
pub(super) fn next<T>(queue: &mut Consumer<'_, T>, patience: Duration) -> Option<T> {
    if let Some(item) = queue.dequeue() {
        return Some(item);
    }
    std::thread::park_timeout(patience);
    queue.dequeue()
}
