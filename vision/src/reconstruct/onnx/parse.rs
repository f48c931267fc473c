//! From ONNX nodes to operators; whatever the device does not run as it stands is refused with its reason.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

use super::qlinear_conv::QLinearConv;
use crate::reconstruct::Quantisation;
use crate::reconstruct::kernels::Padding;
use crate::reconstruct::memory::PartitionMemory;
use crate::reconstruct::run::operator::{Clip, DepthToSpace, Operator};

/// The domain of [`MEMORY_BANK`].
pub const DOMAIN: &str = "beltwatch";
/// The operator of a partition memory bank. In the file it is a function in plain ONNX, so that other
/// runtimes run it.
pub const MEMORY_BANK: &str = "PartitionMemoryBank";

/// Largest window and DepthToSpace block, in pixels.
pub(crate) const MAX_WINDOW: usize = 16;
/// Most channels.
const MAX_CHANNELS: usize = 4096;
/// Most weights of one output: their sum of products fits an i32.
const MAX_TAPS: usize = 1 << 16;

/// An operator's kind, by its node alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Convolution,
    DepthToSpace,
    Clip,
    Concat,
    Memory,
}

impl Kind {
    pub(crate) fn of(node: &NodeProto) -> Option<Self> {
        match (node.domain.as_str(), node.op_type.as_str()) {
            ("" | "ai.onnx", "QLinearConv") => Some(Self::Convolution),
            ("" | "ai.onnx", "DepthToSpace") => Some(Self::DepthToSpace),
            ("" | "ai.onnx", "Clip") => Some(Self::Clip),
            ("" | "ai.onnx", "Concat") => Some(Self::Concat),
            (DOMAIN, MEMORY_BANK) => Some(Self::Memory),
            _ => None,
        }
    }
}

/// Reads the operator of a node; `None` for Concat, which is left to tract.
pub(crate) fn operator(node: &NodeProto, graph: &GraphProto) -> Result<Option<Operator>, String> {
    let reader = Reader { node, graph };
    Ok(match Kind::of(node) {
        Some(Kind::Convolution) => Some(Operator::Convolution(
            reader.convolution()?.to_convolution().into(),
        )),
        Some(Kind::DepthToSpace) => Some(Operator::DepthToSpace(reader.depth_to_space()?)),
        Some(Kind::Clip) => Some(Operator::Clip(reader.clip()?)),
        Some(Kind::Memory) => Some(Operator::Memory(reader.memory()?.into())),
        Some(Kind::Concat) => {
            reader.attributes(&["axis"])?;
            if reader.integer("axis") != Some(1) {
                return Err("only axis 1 (channels) can be concatenated".into());
            }
            None
        }
        None => return Err("this operator is not supported".into()),
    })
}

struct Reader<'a> {
    node: &'a NodeProto,
    graph: &'a GraphProto,
}

impl<'a> Reader<'a> {
    fn convolution(&self) -> Result<QLinearConv, String> {
        self.attributes(&[
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "pads",
            "strides",
        ])?;
        let (shape, weight) = self.bytes(3, "weights")?;
        let &[outputs, inputs, rows, columns] = shape.as_slice() else {
            return Err(format!("the weights have {} axes instead of 4", shape.len()));
        };
        within("output channels", outputs, 1, MAX_CHANNELS)?;
        within("input channels", inputs, 1, MAX_CHANNELS)?;
        within("window rows", rows, 1, MAX_WINDOW)?;
        within("window columns", columns, 1, MAX_WINDOW)?;
        within("weights of an output", inputs * rows * columns, 1, MAX_TAPS)?;
        if weight.contains(&-128) {
            return Err("a weight is -128; symmetric weights lie in -127..=127".into());
        }
        if self
            .bytes(5, "weight zero point")?
            .1
            .iter()
            .any(|&zero| zero != 0)
        {
            return Err("weights with a zero point are not supported".into());
        }
        if self
            .attribute("auto_pad")
            .is_some_and(|a| a.s != b"NOTSET" && !a.s.is_empty())
        {
            return Err("auto_pad is not supported; write pads".into());
        }
        if self.integer("group").is_some_and(|group| group != 1) {
            return Err("grouped convolutions are not supported".into());
        }
        if self.integers::<2>("dilations")?.is_some_and(|d| d != [1, 1]) {
            return Err("dilated convolutions are not supported".into());
        }
        if self
            .integers("kernel_shape")?
            .is_some_and(|window| window != [rows, columns])
        {
            return Err("kernel_shape differs from the weights' shape".into());
        }
        let [top, left, bottom, right] = self.integers("pads")?.unwrap_or([0; 4]);
        for (padding, window) in [(top, rows), (bottom, rows), (left, columns), (right, columns)] {
            within("padding", padding, 0, window)?;
        }
        let [stride, other] = self.integers("strides")?.unwrap_or([1, 1]);
        within("stride", stride, 1, MAX_WINDOW)?;
        if stride != other {
            return Err("strides must be the same in both directions".into());
        }
        Ok(QLinearConv {
            inputs,
            outputs,
            window: [rows, columns],
            stride,
            padding: Padding {
                top,
                left,
                bottom,
                right,
            },
            weight,
            weight_scale: self.weight_scale(outputs)?,
            bias: self.bias(outputs)?,
            input: self.quantisation(1, 2)?,
            output: self.quantisation(6, 7)?,
        })
    }

    fn weight_scale(&self, outputs: usize) -> Result<Vec<f32>, String> {
        let mut scale = self.floats(4, "weight scale")?.1;
        if scale.len() == 1 {
            scale = vec![scale[0]; outputs];
        }
        if scale.len() != outputs {
            return Err(format!(
                "{} weight scales for {outputs} output channels",
                scale.len()
            ));
        }
        scale
            .iter()
            .try_for_each(|&scale| sane("a weight scale", scale))?;
        Ok(scale)
    }

    fn bias(&self, outputs: usize) -> Result<Vec<i32>, String> {
        if self.node.input.get(8).is_none_or(String::is_empty) {
            return Ok(vec![0; outputs]);
        }
        let tensor = self.tensor(8, "bias")?;
        let bias: Vec<i32> = match tensor.raw_data.as_slice() {
            [] => tensor.int32_data.clone(),
            raw => raw
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&bytes| i32::from_le_bytes(bytes))
                .collect(),
        };
        match tensor.data_type == DataType::Int32 as i32 && bias.len() == outputs {
            true => Ok(bias),
            false => Err(format!("the bias must be {outputs} numbers of type int32")),
        }
    }

    fn depth_to_space(&self) -> Result<DepthToSpace, String> {
        self.attributes(&["blocksize", "mode"])?;
        let block = usize::try_from(self.integer("blocksize").unwrap_or(0)).unwrap_or(0);
        within("blocksize", block, 1, MAX_WINDOW)?;
        let depth_first = match self.attribute("mode").map(|a| a.s.as_slice()) {
            None | Some(b"DCR") => true,
            Some(b"CRD") => false,
            Some(_) => return Err("mode must be DCR or CRD".into()),
        };
        Ok(DepthToSpace { block, depth_first })
    }

    fn clip(&self) -> Result<Clip, String> {
        self.attributes(&[])?;
        let bound = |input: usize, what, default| match self.node.input.get(input).map(String::as_str) {
            None | Some("") => Ok(default),
            Some(_) => single(self.bytes(input, what)?.1, what),
        };
        Ok(Clip {
            lowest: bound(1, "lower bound", i8::MIN)?,
            highest: bound(2, "upper bound", i8::MAX)?,
        })
    }

    fn memory(&self) -> Result<PartitionMemory, String> {
        self.attributes(&[])?;
        let &[channels, grid, rows, other_grid, columns] = self.dimensions(6, "cut")?.as_slice() else {
            return Err("cut must be channels, grid, rows, grid, columns".into());
        };
        within("channels", channels, 1, MAX_CHANNELS)?;
        within("grid", grid, 1, MAX_CHANNELS)?;
        within("block rows", rows, 1, MAX_CHANNELS)?;
        within("block columns", columns, 1, MAX_CHANNELS)?;
        let (blocks, dimension) = (grid * grid, rows * columns);
        let (shape, keys) = self.floats(3, "keys")?;
        let items = shape.get(1).copied().unwrap_or(0);
        within("items", items, 1, MAX_TAPS)?;
        let (value_shape, values) = self.floats(4, "values")?;
        if [shape.as_slice(), value_shape.as_slice()] != [[blocks, items, dimension]; 2] || grid != other_grid
        {
            return Err(format!(
                "keys and values must be {blocks} x items x {dimension} to fit the cut"
            ));
        }
        // The other shapes only steer the function's body in other runtimes; they must tell the same story.
        let stories = [
            (7, "queries", vec![blocks, channels, dimension]),
            (8, "blocks", vec![grid, grid, channels, rows, columns]),
            (9, "map", vec![1, channels, grid * rows, grid * columns]),
        ];
        for (input, what, expected) in stories {
            if self.dimensions(input, what)? != expected {
                return Err(format!("shape `{what}` does not fit the cut"));
            }
        }
        let share = single(self.floats(5, "share")?.1, "share")?;
        if share != 1.0 / items as f32 {
            return Err("share must be 1 / items".into());
        }
        for (what, numbers) in [("keys", &keys), ("values", &values)] {
            if numbers.iter().any(|v| v.abs() > 1e6 || v.is_nan()) {
                return Err(format!("{what} are beyond all measure"));
            }
        }
        let block = [rows, columns];
        let (input, output) = (self.quantisation(1, 2)?, self.quantisation(10, 11)?);
        Ok(PartitionMemory {
            channels,
            grid,
            items,
            block,
            keys,
            values,
            input,
            output,
        })
    }

    fn quantisation(&self, scale: usize, zero_point: usize) -> Result<Quantisation, String> {
        let scale = single(self.floats(scale, "scale")?.1, "scale")?;
        sane("a scale", scale)?;
        Ok(Quantisation {
            scale,
            zero_point: single(self.bytes(zero_point, "zero point")?.1, "zero point")?,
        })
    }

    /// Refuses attributes other than `known`.
    fn attributes(&self, known: &[&str]) -> Result<(), String> {
        match self
            .node
            .attribute
            .iter()
            .find(|a| !known.contains(&a.name.as_str()))
        {
            Some(attribute) => Err(format!("attribute `{}` is not supported", attribute.name)),
            None => Ok(()),
        }
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|a| a.name == name)
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|a| a.i)
    }

    fn integers<const N: usize>(&self, name: &str) -> Result<Option<[usize; N]>, String> {
        let Some(attribute) = self.attribute(name) else {
            return Ok(None);
        };
        let numbers: Option<Vec<usize>> = attribute.ints.iter().map(|&i| usize::try_from(i).ok()).collect();
        match numbers.and_then(|numbers| numbers.try_into().ok()) {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(format!("attribute `{name}` must be {N} numbers, none negative")),
        }
    }

    /// The initializer at an input; its data is known to fit its shape, see [`super::check`].
    fn tensor(&self, input: usize, what: &str) -> Result<&'a TensorProto, String> {
        let name = self
            .node
            .input
            .get(input)
            .ok_or_else(|| format!("input {input} ({what}) is missing"))?;
        let tensor = self.graph.initializer.iter().find(|tensor| tensor.name == *name);
        tensor.ok_or_else(|| format!("input {input} ({what}) must be a constant of the file"))
    }

    fn bytes(&self, input: usize, what: &str) -> Result<(Vec<usize>, Vec<i8>), String> {
        let tensor = self.typed(input, what, DataType::Int8)?;
        let values = match tensor.raw_data.as_slice() {
            [] => tensor.int32_data.iter().map(|&v| v as i8).collect(),
            raw => raw.iter().map(|&v| v as i8).collect(),
        };
        Ok((shape(tensor), values))
    }

    fn floats(&self, input: usize, what: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let tensor = self.typed(input, what, DataType::Float)?;
        let values = match tensor.raw_data.as_slice() {
            [] => tensor.float_data.clone(),
            raw => raw
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&bytes| f32::from_le_bytes(bytes))
                .collect(),
        };
        Ok((shape(tensor), values))
    }

    /// A shape, as a tensor of int64.
    fn dimensions(&self, input: usize, what: &str) -> Result<Vec<usize>, String> {
        let tensor = self.typed(input, what, DataType::Int64)?;
        let values: Vec<i64> = match tensor.raw_data.as_slice() {
            [] => tensor.int64_data.clone(),
            raw => raw
                .as_chunks::<8>()
                .0
                .iter()
                .map(|&bytes| i64::from_le_bytes(bytes))
                .collect(),
        };
        Ok(values
            .into_iter()
            .map(|v| usize::try_from(v).unwrap_or(0))
            .collect())
    }

    fn typed(&self, input: usize, what: &str, data_type: DataType) -> Result<&'a TensorProto, String> {
        let tensor = self.tensor(input, what)?;
        match tensor.data_type == data_type as i32 {
            true => Ok(tensor),
            false => Err(format!(
                "input {input} ({what}) must be of type {}",
                data_type.as_str_name().to_lowercase()
            )),
        }
    }
}

fn shape(tensor: &TensorProto) -> Vec<usize> {
    tensor
        .dims
        .iter()
        .map(|&d| usize::try_from(d).unwrap_or(0))
        .collect()
}

fn single<T: Copy>(values: Vec<T>, what: &str) -> Result<T, String> {
    match values.as_slice() {
        [value] => Ok(*value),
        _ => Err(format!("the {what} must be a single number")),
    }
}

/// Scales far from this range are damage; within it no product of them leaves the floats.
fn sane(what: &str, scale: f32) -> Result<(), String> {
    match (1e-12..=1e12).contains(&scale) {
        true => Ok(()),
        false => Err(format!(
            "{what} is {scale}; it must be positive and of a sane size"
        )),
    }
}

fn within(what: &str, found: usize, lowest: usize, highest: usize) -> Result<(), String> {
    match (lowest..=highest).contains(&found) {
        true => Ok(()),
        false => Err(format!("{what}: {found} is not in {lowest}..={highest}")),
    }
}
