"""Writes a recipe's int8 model in the forms that other runtimes may run fastest: the same function each time.

    forms.py MODEL.onnx FOLDER

i8            as exported: QLinearConv on int8, x2 up as a 3 x 3 convolution to four phases
u8            the same on uint8
u8_phases     x2 up as four 2 x 2 convolutions: no zero taps
qdq_*         QuantizeLinear / DequantizeLinear around float convolutions, which runtimes fuse
f32           float convolutions with the dequantised weights, and nothing quantised
f32_transposed  the same with transposed convolutions (4 x 4, stride 2) for x2 up
ncnn/f32_transposed  the same without the memory banks, whose operators ncnn lacks, with what pnnx makes of it
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper


class Form:
    def __init__(self, model, activations, quantised, up):
        """`activations` int8 or uint8; `quantised` "operators", "qdq" or None; `up` "window", "phases" or "transposed"."""
        self.activations, self.quantised, self.up = activations, quantised, up
        self.model = inliner.inline_local_functions(model, convert_version=False)
        self.graph = self.model.graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        self.nodes, self.new, self.count, self.quantisations = [], {}, 0, {}

    def constant(self, name, value):
        self.new[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def fresh(self, name):
        self.count += 1
        return f"{name}.{self.count}"

    def shifted(self, array):
        """Stored numbers, as the activations' type."""
        return array if self.activations is np.int8 else (array.astype(np.int16) + 128).astype(np.uint8)

    def quantisation(self, scale, zero):
        names = [self.constant(f"{scale}.c", self.constants[scale]), f"{zero}.a"]
        self.constant(names[1], self.shifted(self.constants[zero]))
        return names

    def convert(self):
        consumers = {}
        for node in self.graph.node:
            for name in node.input:
                consumers.setdefault(name, []).append(node)
        skipped = set()
        for node in self.graph.node:
            if node.name and node.name in skipped:
                continue
            if node.op_type == "QLinearConv":
                readers = consumers.get(node.output[0], [])
                laid_out = readers[0] if len(readers) == 1 and readers[0].op_type == "DepthToSpace" else None
                if laid_out is not None:
                    skipped.add(laid_out.name)
                self.convolution(node, laid_out)
            elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                self.edge(node)
            elif node.op_type == "Clip":
                self.clip(node)
            else:
                self.nodes.append(node)
                for name in node.input:
                    if name in self.constants and name not in self.new:
                        self.constant(name, self.constants[name])
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.initializer[:]
        self.graph.initializer.extend(self.new.values())
        kind = onnx.TensorProto.UINT8 if self.activations is np.uint8 else onnx.TensorProto.INT8
        if self.quantised is None:
            kind = onnx.TensorProto.FLOAT
        for value in [*self.graph.input, *self.graph.output]:
            value.type.tensor_type.elem_type = kind
        del self.graph.value_info[:]
        onnx.checker.check_model(self.model)
        return self.model

    def convolution(self, node, laid_out):
        x, x_scale, x_zero, weight, w_scale, _, y_scale, y_zero, bias = node.input
        w, s, b = (self.constants[name] for name in (weight, w_scale, bias))
        sx, zx = float(self.constants[x_scale]), int(self.constants[x_zero])
        sy, zy = float(self.constants[y_scale]), int(self.constants[y_zero])
        self.quantisations.setdefault(x, (sx, zx))
        output = laid_out.output[0] if laid_out is not None else node.output[0]
        self.quantisations[output] = (sy, zy)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        parts = [(slice(None), w, attributes["pads"])]
        if laid_out is not None and self.up == "phases":
            depth = len(b) // 4
            parts = []
            for phase in range(4):
                (py, px), part = divmod(phase, 2), slice(phase * depth, (phase + 1) * depth)
                parts.append((part, w[part, :, py : py + 2, px : px + 2], [1 - py, 1 - px, py, px]))
        if laid_out is not None and self.up == "transposed" and self.quantised is None:
            return self.transposed(node, x, w, s, b, sx, output, (sy, zy))
        outputs = []
        for part, values, pads in parts:
            name = self.fresh(node.name)
            how = dict(kernel_shape=values.shape[2:], pads=pads, strides=attributes["strides"])
            target = name if laid_out is not None else output
            outputs.append(self.one(name, x, node.input, part, values, s, b, sx, how, target, (sy, zy)))
        if laid_out is not None:
            joined = outputs[0]
            if len(outputs) > 1:
                joined = self.add("Concat", outputs, self.fresh(node.name), axis=1)
            self.add("DepthToSpace", [joined], output, blocksize=2, mode="DCR")

    def one(self, name, x, inputs, part, values, s, b, sx, how, target, quantisation):
        if self.quantised == "operators":
            xq, yq = self.quantisation(inputs[1], inputs[2]), self.quantisation(inputs[6], inputs[7])
            w = self.constant(f"{name}.w", values)
            ws, wz = self.constant(f"{name}.ws", s[part]), self.constant(f"{name}.wz", np.zeros((), np.int8))
            bias = self.constant(f"{name}.b", b[part])
            return self.add("QLinearConv", [x, *xq, w, ws, wz, *yq, bias], target, **how)
        if self.quantised == "qdq":
            xq, yq = self.quantisation(inputs[1], inputs[2]), self.quantisation(inputs[6], inputs[7])
            dx = self.add("DequantizeLinear", [x, *xq], f"{name}.dx")
            zeros = self.constant(f"{name}.wz", np.zeros(len(s[part]), np.int8))
            scale = self.constant(f"{name}.ws", s[part])
            w = self.add("DequantizeLinear", [self.constant(f"{name}.w", values), scale, zeros], f"{name}.dw", axis=0)
            none = self.constant(f"{name}.bz", np.zeros(len(s[part]), np.int32))
            scale = self.constant(f"{name}.bs", (s[part] * np.float32(sx)).astype(np.float32))
            bias = self.add("DequantizeLinear", [self.constant(f"{name}.b", b[part]), scale, none], f"{name}.db", axis=0)
            y = self.add("Conv", [dx, w, bias], f"{name}.y", **how)
            return self.add("QuantizeLinear", [y, *yq], target)
        w = self.constant(f"{name}.w", (values * s[part, None, None, None]).astype(np.float32))
        bias = self.constant(f"{name}.b", (b[part] * s[part] * sx).astype(np.float32))
        y = self.add("Conv", [x, w, bias], f"{name}.y", **how)
        return self.bounded(y, name, target, quantisation)

    def transposed(self, node, x, w, s, b, sx, output, quantisation):
        depth, inputs = len(b) // 4, w.shape[1]
        weight = np.zeros((inputs, depth, 4, 4), np.float32)
        for phase in range(4):
            py, px = divmod(phase, 2)
            part = slice(phase * depth, (phase + 1) * depth)
            for r in (py, py + 1):
                for c in (px, px + 1):
                    tap = (w[part, :, r, c] * s[part, None]).astype(np.float32)
                    weight[:, :, py + 3 - 2 * r, px + 3 - 2 * c] = tap.T
        name = self.fresh(node.name)
        bias = (b[:depth] * s[:depth] * sx).astype(np.float32)
        inputs = [x, self.constant(f"{name}.w", weight), self.constant(f"{name}.b", bias)]
        y = self.add("ConvTranspose", inputs, f"{name}.y", kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
        self.bounded(y, name, output, quantisation)

    def bounded(self, y, name, target, quantisation):
        """What the bounds of int8 do, ReLU among it."""
        scale, zero = quantisation
        low, high = (self.constant(f"{name}.{n}", np.float32(scale * (n - zero))) for n in (-128, 127))
        return self.add("Clip", [y, low, high], target)

    def clip(self, node):
        bound = self.constants[node.input[1]]
        self.quantisations[node.output[0]] = scale, zero = self.quantisations[node.input[0]]
        if self.quantised is None:
            bound = np.float32(scale * (int(bound) - zero))
        else:
            bound = self.shifted(bound)
        name = self.constant(f"{node.input[1]}.c", bound)
        self.add("Clip", [node.input[0], name], node.output[0])

    def edge(self, node):
        """A memory bank's ends."""
        scale, zero = node.input[1:3]
        if node.op_type == "QuantizeLinear":
            self.quantisations[node.output[0]] = (float(self.constants[scale]), int(self.constants[zero]))
        if self.quantised is None:
            self.add("Identity", [node.input[0]], node.output[0])
        else:
            self.add(node.op_type, [node.input[0], *self.quantisation(scale, zero)], node.output[0])


FORMS = {
    "i8": (np.int8, "operators", "window"),
    "u8": (np.uint8, "operators", "window"),
    "u8_phases": (np.uint8, "operators", "phases"),
    "qdq_i8": (np.int8, "qdq", "window"),
    "qdq_u8": (np.uint8, "qdq", "window"),
    "qdq_u8_phases": (np.uint8, "qdq", "phases"),
    "f32": (np.int8, None, "window"),
    "f32_transposed": (np.int8, None, "transposed"),
}


def copied(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def without_memory(model):
    model = copied(model)
    for node in model.graph.node:
        if node.op_type == "PartitionMemoryBank":
            node.CopyFrom(helper.make_node("Identity", [node.input[0]], [node.output[0]], name=node.name))
    return model


def main():
    model, folder = onnx.load(sys.argv[1]), Path(sys.argv[2])
    (folder / "ncnn").mkdir(parents=True, exist_ok=True)
    for name, form in FORMS.items():
        onnx.save(Form(copied(model), *form).convert(), str(folder / f"{name}.onnx"))
    file = folder / "ncnn/f32_transposed.onnx"
    onnx.save(Form(without_memory(model), *FORMS["f32_transposed"]).convert(), str(file))
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    # its Python module wants PyTorch, the program in it does not
    pnnx = Path(find_spec("pnnx").origin).parent / "pnnx"
    done = subprocess.run([pnnx, file.name, f"inputshape={shape}"], cwd=file.parent, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"pnnx cannot convert {file}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
