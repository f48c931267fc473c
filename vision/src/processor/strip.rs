//! Rows of an output that one thread writes.

use std::ops::Range;

use crate::processor::Team;

/// Some rows, and the stretch of a buffer in which they and no others lie.
pub(crate) struct Strip<'a, V> {
    pub(crate) rows: Range<usize>,
    /// Where in the buffer the stretch begins.
    start: usize,
    values: &'a mut [V],
}

impl<'a, V: Send> Strip<'a, V> {
    /// All rows of a buffer.
    pub(crate) fn whole(rows: usize, buffer: &'a mut [V]) -> Self {
        Self {
            rows: 0..rows,
            start: 0,
            values: buffer,
        }
    }

    /// The stretch from a place of the buffer on.
    #[inline(always)]
    pub(crate) fn at(&mut self, place: usize) -> &mut [V] {
        &mut self.values[place - self.start..]
    }

    /// Does `work` on all rows, or on half of them on each of a team's two threads. A row begins at `place`,
    /// and those before it end there.
    pub(crate) fn share(self, team: &mut Team, place: impl Fn(usize) -> usize, work: impl Fn(Self) + Sync) {
        self.share_with(&mut [(), ()], team, place, |rows, ()| work(rows));
    }

    /// The same with memory to work in for each thread.
    pub(crate) fn share_with<M: Send>(
        self,
        memory: &mut [M; 2],
        team: &mut Team,
        place: impl Fn(usize) -> usize,
        work: impl Fn(Self, &mut M) + Sync,
    ) {
        let [here, there] = memory;
        let Some(half) = team.cut(self.rows.len()) else {
            return work(self, here);
        };
        let row = self.rows.start + half;
        let start = place(row);
        let (upper, lower) = self.values.split_at_mut(start - self.start);
        let upper = Self {
            rows: self.rows.start..row,
            start: self.start,
            values: upper,
        };
        let lower = Self {
            rows: row..self.rows.end,
            start,
            values: lower,
        };
        team.both(|| work(upper, here), || work(lower, there));
    }
}
