//! Runs a plan in buffers of its own.

use std::sync::Arc;

use super::graph::Graph;
use super::plan::{Place, Plan, Step, Work};
use crate::processor::{Strip, Team};
use crate::reconstruct::kernels::{Kernel, Simd, Value, with_kernel};
use crate::reconstruct::memory::packed::Scratch;
use crate::reconstruct::{pixel_value, stored_value};

/// A plan for some kernel.
pub(crate) trait Execute: Send + Sync {
    /// Runs all steps; `outputs` are as many as the model's.
    fn run(&mut self, team: &mut Team, input: &[u8], outputs: &mut [&mut [u8]]);

    /// See [`Simd::multiply`].
    fn multiply(&self, rounds: usize) -> usize;

    /// Bytes of activations and weights that all steps read and write, each once.
    fn bytes(&self) -> usize;

    /// The same plan with buffers of its own.
    fn boxed_clone(&self) -> Box<dyn Execute>;
}

/// A plan for `kernel`, which the processor must support.
pub(crate) fn executor(graph: &Graph, kernel: Kernel) -> Option<Box<dyn Execute>> {
    with_kernel!(kernel, |simd| Executor::boxed(graph, simd))
}

struct Executor<K: Simd> {
    plan: Arc<Plan<K>>,
    buffers: Vec<Vec<K::Value>>,
    /// One for each thread.
    memory: [Scratch; 2],
}

impl<K: Simd> Executor<K> {
    fn boxed(graph: &Graph, kernel: K) -> Box<dyn Execute> {
        Box::new(Self::of(Arc::new(Plan::new(graph, kernel))))
    }

    fn of(plan: Arc<Plan<K>>) -> Self {
        Self {
            buffers: plan.buffers(),
            plan,
            memory: Default::default(),
        }
    }

    fn step(&mut self, team: &mut Team, step: usize) {
        let Step {
            from,
            to,
            shape,
            work,
        } = &self.plan.steps[step];
        let Ok([input, output]) = self.buffers.get_disjoint_mut([from.buffer, to.buffer]) else {
            unreachable!("a plan's steps lead from one buffer to another");
        };
        match work {
            Work::Convolution(conv) => {
                let all = Strip::whole(conv.rows(), output);
                all.share(team, |row| conv.row(row), |rows| conv.run(input, rows));
            }
            Work::DepthToSpace(op) => op.run((input, from.view), *shape, (output, to.view)),
            Work::Clip(op) => op.run((input, from.view), *shape, (output, to.view)),
            Work::Memory(memory) => {
                let all = Strip::whole(memory.rows(), output);
                let row = |row| memory.row(to.view, row);
                all.share_with(&mut self.memory, team, row, |rows, scratch| {
                    memory.run((input, from.view), (rows, to.view), scratch);
                });
            }
        }
    }
}

/// Values of a pixel that are moved together where it has no more: what is written behind one is written
/// again later, with the next pixel or by a step of the plan.
const BESIDE: usize = 4;

/// Puts a picture's row into a buffer whose pixels lie `apart`.
#[inline(always)]
fn put<V: Value>(channels: usize, row: &[u8], buffer: &mut [V], apart: usize) {
    let value = |from: u8| V::of(stored_value(from));
    if apart == channels {
        return buffer
            .iter_mut()
            .zip(row)
            .for_each(|(to, &from)| *to = value(from));
    }
    for (to, at) in buffer.chunks_mut(apart).zip((0..row.len()).step_by(channels)) {
        match (to.first_chunk_mut::<BESIDE>(), row[at..].first_chunk::<BESIDE>()) {
            (Some(to), Some(from)) if channels <= BESIDE => *to = from.map(value),
            _ => to
                .iter_mut()
                .zip(&row[at..at + channels])
                .for_each(|(to, &from)| *to = value(from)),
        }
    }
}

/// Takes a picture's row out of a buffer whose pixels lie `apart`.
#[inline(always)]
fn take<V: Value>(channels: usize, buffer: &[V], apart: usize, row: &mut [u8]) {
    let value = |from: V| pixel_value(from.stored());
    if apart == channels {
        return row
            .iter_mut()
            .zip(buffer)
            .for_each(|(to, &from)| *to = value(from));
    }
    for (from, at) in buffer.chunks(apart).zip((0..row.len()).step_by(channels)) {
        match (
            row[at..].first_chunk_mut::<BESIDE>(),
            from.first_chunk::<BESIDE>(),
        ) {
            (Some(to), Some(from)) if channels <= BESIDE => *to = from.map(value),
            _ => row[at..at + channels]
                .iter_mut()
                .zip(from)
                .for_each(|(to, &from)| *to = value(from)),
        }
    }
}

impl<K: Simd> Execute for Executor<K> {
    fn run(&mut self, team: &mut Team, input: &[u8], outputs: &mut [&mut [u8]]) {
        let (Place { buffer, view }, [height, width, channels]) = (self.plan.input, self.plan.input_shape);
        let all = Strip::whole(height, &mut self.buffers[buffer]);
        all.share(
            team,
            |row| view.at(row, 0),
            |mut strip| {
                for y in strip.rows.clone() {
                    let (row, buffer) = (
                        &input[y * width * channels..][..width * channels],
                        strip.at(view.at(y, 0)),
                    );
                    // numbers that the compiler knows
                    match channels {
                        1 => put(1, row, buffer, view.pixel),
                        3 => put(3, row, buffer, view.pixel),
                        other => put(other, row, buffer, view.pixel),
                    }
                }
            },
        );
        (0..self.plan.steps.len()).for_each(|step| self.step(team, step));
        for ((Place { buffer, view }, [height, width, channels]), output) in
            self.plan.outputs.iter().zip(outputs)
        {
            let (buffer, length) = (&self.buffers[*buffer], width * channels);
            Strip::whole(*height, output).share(
                team,
                |row| row * length,
                |mut strip| {
                    for y in strip.rows.clone() {
                        let (row, buffer) = (&mut strip.at(y * length)[..length], &buffer[view.at(y, 0)..]);
                        match *channels {
                            1 => take(1, buffer, view.pixel, row),
                            3 => take(3, buffer, view.pixel, row),
                            other => take(other, buffer, view.pixel, row),
                        }
                    }
                },
            );
        }
    }

    fn multiply(&self, rounds: usize) -> usize {
        self.plan.kernel.multiply(rounds)
    }

    fn bytes(&self) -> usize {
        self.plan.bytes()
    }

    fn boxed_clone(&self) -> Box<dyn Execute> {
        Box::new(Self::of(Arc::clone(&self.plan)))
    }
}
