//! From the graph to steps between buffers that stay, so that a picture allocates nothing.
//!
//! A buffer has the padding of those that read it around it, once and for all. What is joined is written to
//! its place in the join's buffer at once, where that is possible.

use super::graph::{Graph, Kind, Node};
use super::operator::{Clip, DepthToSpace};
use crate::reconstruct::kernels::{PackedConvolution, Padding, Simd, Target, Value};
use crate::reconstruct::layout::{Shape, View};
use crate::reconstruct::memory::packed::PackedMemory;

/// Steps in the order in which they run.
pub(crate) struct Plan<K: Simd> {
    pub(crate) kernel: K,
    pub(crate) steps: Vec<Step<K>>,
    pub(crate) input: Place,
    pub(crate) input_shape: Shape,
    pub(crate) outputs: Vec<(Place, Shape)>,
    buffers: Vec<Buffer>,
}

/// An activation's buffer, and where in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) buffer: usize,
    pub(crate) view: View,
}

/// A step from one buffer to another.
pub(crate) struct Step<K: Simd> {
    pub(crate) from: Place,
    pub(crate) to: Place,
    /// Of the input.
    pub(crate) shape: Shape,
    pub(crate) work: Work<K>,
}

/// What a step does.
pub(crate) enum Work<K: Simd> {
    Convolution(PackedConvolution<K>),
    Memory(PackedMemory),
    DepthToSpace(DepthToSpace),
    Clip(Clip),
}

/// Height, width and channels of a buffer, with what is around it.
#[derive(Clone, Debug)]
struct Buffer {
    shape: Shape,
    padding: Padding,
    /// What the padding holds, where somebody reads it.
    zero: Option<i8>,
}

/// An activation's buffer, and the first of its channels there.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Home {
    buffer: usize,
    channel: usize,
}

impl Buffer {
    fn of(shape: Shape) -> Self {
        Self {
            shape,
            padding: Padding::default(),
            zero: None,
        }
    }

    /// Room for a convolution's padding; false where another one reads other values there.
    fn pad(&mut self, padding: Padding, zero: i8) -> bool {
        if padding == Padding::default() {
            return true;
        }
        if self.zero.is_some_and(|other| other != zero) {
            return false;
        }
        self.zero = Some(zero);
        self.padding = Padding {
            top: self.padding.top.max(padding.top),
            left: self.padding.left.max(padding.left),
            bottom: self.padding.bottom.max(padding.bottom),
            right: self.padding.right.max(padding.right),
        };
        true
    }

    fn view(&self, channel: usize) -> View {
        let [_, width, channels] = self.shape;
        let row = (self.padding.left + width + self.padding.right) * channels;
        View {
            base: self.padding.top * row + self.padding.left * channels + channel,
            row,
            pixel: channels,
        }
    }

    fn length(&self) -> usize {
        (self.padding.top + self.shape[0] + self.padding.bottom) * self.view(0).row
    }
}

/// Nodes' outputs in buffers.
struct Layout<'a> {
    graph: &'a Graph,
    buffers: Vec<Buffer>,
    homes: Vec<Home>,
    copies: Vec<Copy>,
}

/// A node's output, copied for one of its readers.
#[derive(Clone, Copy, Debug)]
struct Copy {
    node: usize,
    reader: usize,
    to: Home,
}

impl<'a> Layout<'a> {
    fn new(graph: &'a Graph) -> Self {
        let buffers = graph.nodes.iter().map(|node| Buffer::of(node.shape)).collect();
        let homes = (0..graph.nodes.len())
            .map(|buffer| Home { buffer, channel: 0 })
            .collect();
        let mut layout = Self {
            graph,
            buffers,
            homes,
            copies: Vec::new(),
        };
        layout.join();
        layout.pad();
        layout
    }

    /// Gives what is joined its home in the join, or a copy there.
    fn join(&mut self) {
        for (join, node) in self.graph.nodes.iter().enumerate() {
            if !matches!(node.kind, Kind::Join) {
                continue;
            }
            let mut channel = 0;
            for &input in &node.inputs {
                let home = Home {
                    buffer: join,
                    channel,
                };
                channel += self.graph.nodes[input].shape[2];
                if self.may_move(input, join) {
                    self.homes[input] = home;
                } else {
                    self.copies.push(Copy {
                        node: input,
                        reader: join,
                        to: home,
                    });
                }
            }
        }
    }

    /// Whether a node's output can live in a join's buffer: it comes there once, has no other home, is no
    /// join itself, and no step would read and write one buffer.
    fn may_move(&self, node: usize, join: usize) -> bool {
        let nodes = &self.graph.nodes;
        let lives_there = |other: usize| self.homes[other].buffer == join;
        let reads = |reader: &Node| reader.inputs.contains(&node);
        let written_by_reader = nodes
            .iter()
            .enumerate()
            .any(|(n, reader)| reads(reader) && n != join && lives_there(n));
        let comes = nodes[join].inputs.iter().filter(|&&input| input == node).count();
        comes == 1
            && self.homes[node].buffer == node
            && !matches!(nodes[node].kind, Kind::Join)
            && !nodes[node].inputs.iter().any(|&input| lives_there(input))
            && !written_by_reader
    }

    /// Gives each convolution's input room for its padding, or a copy with room.
    fn pad(&mut self) {
        for (reader, node) in self.graph.nodes.iter().enumerate() {
            let (Kind::Convolution { conv, .. }, &[input]) = (&node.kind, node.inputs.as_slice()) else {
                continue;
            };
            let home = self.homes[input];
            if !self.buffers[home.buffer].pad(conv.padding, conv.input_zero) {
                let mut buffer = Buffer::of(self.graph.nodes[input].shape);
                buffer.pad(conv.padding, conv.input_zero);
                self.buffers.push(buffer);
                let to = Home {
                    buffer: self.buffers.len() - 1,
                    channel: 0,
                };
                self.copies.push(Copy {
                    node: input,
                    reader,
                    to,
                });
            }
        }
    }

    fn place(&self, home: Home) -> Place {
        Place {
            buffer: home.buffer,
            view: self.buffers[home.buffer].view(home.channel),
        }
    }
}

impl<K: Simd> Plan<K> {
    /// Packs all convolutions of a fused graph for a kernel.
    pub(crate) fn new(graph: &Graph, kernel: K) -> Self {
        let layout = Layout::new(graph);
        let place = |node: usize| layout.place(layout.homes[node]);
        let mut steps = Vec::new();
        for (n, node) in graph.nodes.iter().enumerate() {
            let mut from = node.inputs.first().map(|&input| place(input));
            for copy in layout.copies.iter().filter(|copy| copy.reader == n) {
                let (source, to, shape) = (
                    place(copy.node),
                    layout.place(copy.to),
                    graph.nodes[copy.node].shape,
                );
                steps.push(Step {
                    from: source,
                    to,
                    shape,
                    work: Work::Clip(Clip::NONE),
                });
                from = Some(to);
            }
            let (Some(from), Some(&input)) = (from, node.inputs.first()) else {
                continue;
            };
            let (to, shape) = (place(n), graph.nodes[input].shape);
            let work = match &node.kind {
                Kind::Input | Kind::Join | Kind::Fused => continue,
                Kind::Convolution { conv, up, clip } => {
                    let target = Target {
                        view: to.view,
                        up: *up,
                        clip: [clip.lowest, clip.highest],
                    };
                    Work::Convolution(PackedConvolution::new(
                        kernel,
                        conv,
                        [shape[0], shape[1]],
                        from.view,
                        target,
                    ))
                }
                Kind::DepthToSpace(op) => Work::DepthToSpace(*op),
                Kind::Clip(op) => Work::Clip(*op),
                Kind::Memory(memory) => Work::Memory(PackedMemory::new(memory)),
            };
            steps.push(Step {
                from,
                to,
                shape,
                work,
            });
        }
        let input = graph
            .nodes
            .iter()
            .position(|node| matches!(node.kind, Kind::Input))
            .unwrap_or(0);
        let outputs = graph
            .outputs
            .iter()
            .map(|&output| (place(output), graph.nodes[output].shape))
            .collect();
        Self {
            kernel,
            steps,
            input: place(input),
            input_shape: graph.nodes[input].shape,
            outputs,
            buffers: layout.buffers,
        }
    }

    /// Bytes of activations and weights that all steps read and write, each once.
    pub(crate) fn bytes(&self) -> usize {
        let of = |step: &Step<K>| {
            let read = step.shape.iter().product::<usize>() * size_of::<K::Value>();
            match &step.work {
                Work::Convolution(conv) => read + conv.bytes(),
                Work::Memory(memory) => 2 * read + memory.bytes(),
                Work::DepthToSpace(_) | Work::Clip(_) => 2 * read,
            }
        };
        self.steps.iter().map(of).sum()
    }

    /// Buffers to run in; those that nobody uses are empty.
    pub(crate) fn buffers(&self) -> Vec<Vec<K::Value>> {
        let places = self
            .steps
            .iter()
            .flat_map(|step| [step.from, step.to])
            .chain([self.input]);
        let used: Vec<usize> = places.map(|place| place.buffer).collect();
        let buffer = |(n, buffer): (usize, &Buffer)| {
            let length = if used.contains(&n) {
                buffer.length() + K::READ
            } else {
                0
            };
            vec![K::Value::of(buffer.zero.unwrap_or(0)); length]
        };
        self.buffers.iter().enumerate().map(buffer).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::processor::Team;
    use crate::reconstruct::kernels::{Convolution, Kernel};
    use crate::reconstruct::memory::PartitionMemory;
    use crate::reconstruct::run::executor::executor;
    use crate::reconstruct::{Quantisation, pixel_value};

    /// All activations of an unfused graph, by the operators' definitions.
    fn interpret(graph: &Graph, picture: &[i8]) -> Vec<Vec<i8>> {
        let mut values: Vec<Vec<i8>> = Vec::new();
        for Node { kind, inputs, shape } in &graph.nodes {
            let shape_of = |input: usize| graph.nodes[inputs[input]].shape;
            let dense = |[_, width, channels]: Shape| View {
                base: 0,
                row: width * channels,
                pixel: channels,
            };
            let mut output = vec![0; shape.iter().product()];
            let first = inputs
                .first()
                .map(|&input| values[input].as_slice())
                .unwrap_or_default();
            match kind {
                Kind::Input => output.copy_from_slice(picture),
                Kind::Convolution { conv, .. } => output = conv.run(first, [shape_of(0)[0], shape_of(0)[1]]),
                Kind::DepthToSpace(op) => {
                    op.run(
                        (first, dense(shape_of(0))),
                        shape_of(0),
                        (&mut output, dense(*shape)),
                    );
                }
                Kind::Clip(op) => op.run((first, dense(*shape)), *shape, (&mut output, dense(*shape))),
                Kind::Memory(memory) => output = memory.draw(first),
                Kind::Join => {
                    let mut channel = 0;
                    for (place, &input) in inputs.iter().enumerate() {
                        let channels = shape_of(place)[2];
                        for (to, from) in output.chunks_mut(shape[2]).zip(values[input].chunks(channels)) {
                            to[channel..channel + channels].copy_from_slice(from);
                        }
                        channel += channels;
                    }
                }
                Kind::Fused => {}
            }
            values.push(output);
        }
        values
    }

    /// A graph on a picture of 8 x 8, node by node as `choices` say.
    fn graph(choices: &[[usize; 4]]) -> Graph {
        let mut nodes = vec![Node {
            kind: Kind::Input,
            inputs: vec![],
            shape: [8, 8, 3],
        }];
        for &[kind, which, other, number] in choices {
            let input = which % nodes.len();
            let shape = nodes[input].shape;
            let [height, width, channels] = shape;
            let (kind, inputs, shape) = match kind % 6 {
                0 | 1 if channels <= 48 => {
                    let stride = 1 + number % 2;
                    let outputs = [4, 8, 12][number % 3];
                    let taps = 9 * channels;
                    let weight = |i: usize| {
                        if i / channels % 9 < number % 4 {
                            0
                        } else {
                            (i * 29 % 127) as i8 - 63
                        }
                    };
                    let conv = Convolution {
                        inputs: channels,
                        outputs,
                        window: [3, 3],
                        stride,
                        padding: Padding {
                            top: 1,
                            left: 1,
                            bottom: 1,
                            right: 1,
                        },
                        weight: (0..outputs * taps).map(weight).collect(),
                        bias: vec![50; outputs],
                        multiplier: vec![0.01; outputs],
                        // two zero points, so that readers disagree
                        input_zero: if number % 5 == 0 { -7 } else { 3 },
                        output_zero: 3,
                    };
                    let [rows, columns] = conv.output_size(height, width).unwrap_or_default();
                    let kind = Kind::Convolution {
                        conv: Arc::new(conv),
                        up: 1,
                        clip: Clip::NONE,
                    };
                    (kind, vec![input], [rows, columns, outputs])
                }
                2 if channels % 4 == 0 && height <= 16 => {
                    let op = DepthToSpace {
                        block: 2,
                        depth_first: number % 4 != 0,
                    };
                    (
                        Kind::DepthToSpace(op),
                        vec![input],
                        [2 * height, 2 * width, channels / 4],
                    )
                }
                3 => (
                    Kind::Clip(Clip {
                        lowest: -20,
                        highest: 90,
                    }),
                    vec![input],
                    shape,
                ),
                4 => {
                    let quantisation = Quantisation {
                        scale: 0.01,
                        zero_point: 3,
                    };
                    let grid = if height % 2 == 0 { 1 + number % 2 } else { 1 };
                    let items: Vec<f32> = (0..2 * height * width).map(|i| (i % 7) as f32 - 2.0).collect();
                    let memory = PartitionMemory {
                        channels,
                        grid,
                        items: 2,
                        block: [height / grid, width / grid],
                        keys: items.clone(),
                        values: items,
                        input: quantisation,
                        output: quantisation,
                    };
                    (Kind::Memory(Arc::new(memory)), vec![input], shape)
                }
                _ => {
                    let sizes = |n: &Node| n.shape[..2] == shape[..2];
                    let partners: Vec<usize> = (0..nodes.len()).filter(|&n| sizes(&nodes[n])).collect();
                    let partner = partners[other % partners.len()];
                    let channels = channels + nodes[partner].shape[2];
                    if channels > 60 {
                        continue;
                    }
                    (Kind::Join, vec![input, partner], [height, width, channels])
                }
            };
            nodes.push(Node { kind, inputs, shape });
        }
        let last = nodes.len() - 1;
        Graph {
            nodes,
            outputs: vec![last, last / 2],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 600,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_graph_runs_as_its_definition(
            choices in prop::collection::vec(any::<[usize; 4]>(), 1..14),
            seed in any::<usize>(),
        ) {
            let graph = graph(&choices);
            let pixel = |i: usize| (i.wrapping_mul(37).wrapping_add(seed) % 256) as u8 as i8;
            let picture: Vec<i8> = (0..192).map(pixel).collect();
            let values = interpret(&graph, &picture);
            let pixels: Vec<u8> = picture.iter().map(|&v| pixel_value(v)).collect();
            for kernel in Kernel::ALL.iter().copied().filter(|kernel| kernel.is_supported()) {
                let mut executor = executor(&graph.clone().fuse(), kernel).expect("supported");
                // twice each: nothing of the first picture may be left
                for mut team in [Team::alone(), Team::pair().expect("a thread")] {
                    let outputs = graph.outputs.iter().map(|&o| vec![0; values[o].len()]);
                    let mut outputs = outputs.collect::<Vec<_>>();
                    for _ in 0..2 {
                        let mut slices = outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>();
                        executor.run(&mut team, &pixels, &mut slices);
                    }
                    for (output, &node) in outputs.iter().zip(&graph.outputs) {
                        let wanted: Vec<u8> = values[node].iter().map(|&v| pixel_value(v)).collect();
                        let nodes = graph.nodes.iter().map(|n| (&n.inputs, n.shape)).collect::<Vec<_>>();
                        prop_assert_eq!(output, &wanted, "{} {:?} {:?}", kernel, team, nodes);
                    }
                }
            }
        }
    }
}
