//! The model's graph, with what is one step of the kernels put together.

use std::sync::Arc;

use super::operator::{Clip, DepthToSpace, Operator};
use crate::reconstruct::kernels::Convolution;
use crate::reconstruct::layout::Shape;
use crate::reconstruct::memory::PartitionMemory;

/// A model's graph.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// In an order in which they can run.
    pub(crate) nodes: Vec<Node>,
    /// Nodes whose outputs are the model's.
    pub(crate) outputs: Vec<usize>,
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Places of the nodes that compute its inputs.
    pub(crate) inputs: Vec<usize>,
    /// Of its one output.
    pub(crate) shape: Shape,
}

/// What a node does.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Takes the picture.
    Input,
    /// Joins channels.
    Join,
    /// Convolves, lays out the channels as `up` x `up` pixels, bounds the values.
    Convolution {
        conv: Arc<Convolution>,
        up: usize,
        clip: Clip,
    },
    DepthToSpace(DepthToSpace),
    Clip(Clip),
    Memory(Arc<PartitionMemory>),
    /// Nothing: it is part of a later one.
    Fused,
}

impl From<&Operator> for Kind {
    fn from(operator: &Operator) -> Self {
        match operator {
            Operator::Convolution(conv) => Self::Convolution {
                conv: Arc::clone(conv),
                up: 1,
                clip: Clip::NONE,
            },
            Operator::DepthToSpace(op) => Self::DepthToSpace(*op),
            Operator::Clip(op) => Self::Clip(*op),
            Operator::Memory(memory) => Self::Memory(Arc::clone(memory)),
        }
    }
}

impl Graph {
    /// Puts convolutions into the DepthToSpace and Clip behind them.
    pub(crate) fn fuse(mut self) -> Self {
        for node in 0..self.nodes.len() {
            let Some(reader) = self.only_reader(node) else {
                continue;
            };
            let Kind::Convolution { conv, up, clip } = &self.nodes[node].kind else {
                continue;
            };
            let (conv, up) = (Arc::clone(conv), *up);
            let fused = match self.nodes[reader].kind {
                Kind::DepthToSpace(DepthToSpace {
                    block,
                    depth_first: true,
                }) if up == 1 && *clip == Clip::NONE => Kind::Convolution {
                    conv,
                    up: block,
                    clip: *clip,
                },
                Kind::Clip(bounds) if *clip == Clip::NONE => Kind::Convolution {
                    conv,
                    up,
                    clip: bounds,
                },
                _ => continue,
            };
            self.nodes[node].kind = Kind::Fused;
            self.nodes[reader].inputs = std::mem::take(&mut self.nodes[node].inputs);
            self.nodes[reader].kind = fused;
        }
        self
    }

    /// Multiply-adds of a picture that change something: those with taps that are zero for an output are not
    /// counted.
    pub(crate) fn multiply_adds(&self) -> u64 {
        let of = |node: &Node| match &node.kind {
            Kind::Convolution { conv, up, .. } => {
                let [height, width, _] = node.shape;
                (height / up * (width / up) * conv.used_taps()) as u64
            }
            Kind::Memory(memory) => memory.multiply_adds(),
            Kind::Input | Kind::Join | Kind::DepthToSpace(_) | Kind::Clip(_) | Kind::Fused => 0,
        };
        self.nodes.iter().map(of).sum()
    }

    /// The one node that reads a node's output, where no other does and it is not the model's.
    fn only_reader(&self, node: usize) -> Option<usize> {
        let mut readers = (0..self.nodes.len()).filter(|&n| self.nodes[n].inputs.contains(&node));
        match (readers.next(), readers.next()) {
            (Some(reader), None) if !self.outputs.contains(&node) => Some(reader),
            _ => None,
        }
    }
}
