#!/usr/bin/env python3
"""Checks a recipe's model with the ONNX checker, and the device's arithmetic with ONNX Runtime.

    pip install onnx onnxruntime numpy
    cargo build --release --example reconstruct
    trainer/scripts/check_onnx.py model.onnx [--float float.onnx] [--reconstruct target/release/examples/reconstruct]

The int8 model runs on random pictures in ONNX Runtime and in the program `reconstruct`, which is the device's code.
Convolutions, concatenations and moves are exact in both. The memory bank is computed in float: there both may round a
value that lies between two steps differently, or choose another item, and what follows differs by a step or so.
"""

import argparse
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort


def pictures(count, size, channels, seed):
    """Smooth waves with a little noise, uint8 [count, size, size, channels]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size][..., None]
    result = np.full((count, size, size, channels), 128.0)
    for picture in result:
        for _ in range(3):
            a, b, c = random.uniform(0, 0.5, (3, channels))
            picture += 38 * np.sin(a * x + b * y + 9 * c)
        picture += random.normal(0, 4, picture.shape)
    return np.clip(result, 0, 255).astype(np.uint8)


def run(model, inputs, threads=1):
    """Runs NCHW inputs one by one, without graph optimisations: they may fuse operators into inexact ones."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[None]})[0] for x in inputs])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="int8 model")
    parser.add_argument("--float", help="float model to compare with")
    parser.add_argument("--reconstruct", default="target/release/examples/reconstruct")
    parser.add_argument("--kernel", default=None, help="as `beltwatch bench --kernel` names them; the fastest if not given")
    parser.add_argument("--count", type=int, default=8, help="pictures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tolerance", type=float, default=0.01, help="part of the values that may differ")
    arguments = parser.parse_args()

    model = onnx.load(arguments.model)
    onnx.checker.check_model(model, full_check=True)
    _, channels, size, _ = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    has_memory = any(node.domain == "beltwatch" for node in model.graph.node)
    print(f"{arguments.model}: valid, {size} px, {channels} channels, {len(model.graph.node)} nodes")

    x = pictures(arguments.count, size, channels, arguments.seed)
    planar = x.transpose(0, 3, 1, 2)
    command = [arguments.reconstruct, arguments.model, str(size), str(channels)]
    command += [arguments.kernel] if arguments.kernel else []
    ours = subprocess.run(command, input=x.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    ours = np.frombuffer(ours, np.uint8).reshape(x.shape).astype(int)

    theirs = run(arguments.model, (planar ^ 0x80).view(np.int8))
    theirs = theirs.transpose(0, 2, 3, 1).astype(int) + 128
    difference = np.abs(ours - theirs)
    part = np.count_nonzero(difference) / difference.size
    print(f"int8, ours and ONNX Runtime: {np.count_nonzero(difference)} of {difference.size} values differ "
          f"({100 * part:.4f} %), by up to {difference.max()}")
    fine = part <= (arguments.tolerance if has_memory else 0)

    if arguments.float:
        onnx.checker.check_model(onnx.load(arguments.float), full_check=True)
        exact = run(arguments.float, ((planar.astype(np.float32)) - 128) / 128).transpose(0, 2, 3, 1)
        error = ours - np.clip(np.rint(exact * 128 + 128), 0, 255)
        print(f"int8 and float: root mean square difference {np.sqrt((error**2).mean()):.3f} of 255 steps")
    sys.exit(0 if fine else "the difference is larger than allowed")


if __name__ == "__main__":
    main()
