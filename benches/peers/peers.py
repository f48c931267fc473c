"""Times the device's network beside other runtimes: the same function, one thread each, interleaved round by round.

    peers.py --recipe FOLDER --beltwatch PROGRAM --tract PROGRAM --forms FOLDER [--rounds N] [--json FILE]

benches/peers/run.sh sets up what it needs and calls it. Milliseconds are medians of the rounds; a ratio is our time divided by
theirs. Outputs are compared with those of ONNX Runtime's form `i8`, in levels. ncnn runs the network without its memory banks, which it
has no operators for: its outputs are compared with ONNX Runtime's of that form, and its time is less than the whole network's would be.
On processors without dot product instructions the u8 forms of ONNX Runtime and OpenVINO saturate (`vpmaddubsw`), which puts their
outputs farther off than rounding does. They count all the same.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

import ncnn
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import numpy_helper

FRAMES = 12


class Runtime:
    """A form in one runtime, on one thread."""

    def time(self):
        times = []
        for _ in range(FRAMES):
            start = time.perf_counter()
            self.run()
            times.append(time.perf_counter() - start)
        return float(np.median(times)) * 1e3

    def levels(self, known):
        """Its outputs in steps of the int8 model's."""
        return [in_levels(found, known[name]) for name, found in zip(self.names, self.run())]


class OnnxRuntime(Runtime):
    def __init__(self, file, stored, known):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        kind = self.session.get_inputs()[0].type.removeprefix("tensor(").removesuffix(")")
        self.feed = {"x": as_kind(stored, {"float": "float32"}.get(kind, kind), known)}
        self.names = [output.name for output in self.session.get_outputs()]

    def run(self):
        return self.session.run(None, self.feed)


class OpenVino(Runtime):
    def __init__(self, file, stored, known):
        options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        options |= {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(str(file), "CPU", options)
        kind = compiled.inputs[0].get_element_type().to_dtype().name
        self.request, self.feed = compiled.create_infer_request(), [as_kind(stored, kind, known)]
        self.names = [output.get_any_name() for output in compiled.outputs]

    def run(self):
        return list(self.request.infer(self.feed).values())


class Ncnn(Runtime):
    def __init__(self, file, stored, known, names):
        self.net = ncnn.Net()
        self.net.opt.num_threads = 1
        for load, kind in ((self.net.load_param, "param"), (self.net.load_model, "bin")):
            if load(str(file.with_suffix(f".ncnn.{kind}"))) != 0:
                raise SystemExit(f"ncnn cannot read {file.with_suffix(f'.ncnn.{kind}')}")
        self.feed = as_kind(stored, "float32", known)[0]
        self.names = names

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", ncnn.Mat(self.feed))
        return [np.array(extractor.extract(f"out{i}")[1])[None] for i in range(len(self.names))]


def as_kind(stored, kind, known):
    """The int8 input as a form takes it."""
    if kind == "int8":
        return stored
    if kind == "uint8":
        return (stored.astype(np.int16) + 128).astype(np.uint8)
    scale, zero = known["x"]
    return (stored.astype(np.float32) - np.float32(zero)) * np.float32(scale)


def in_levels(found, quantisation):
    """An output in steps of the int8 model's."""
    if found.dtype == np.uint8:
        return found.astype(np.float64) - 128
    if found.dtype == np.float32:
        scale, zero = quantisation
        return found.astype(np.float64) / scale + zero
    return found.astype(np.float64)


def quantisations(model):
    """Scale and zero point of the int8 model's input and outputs."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    known = {}
    for node in model.graph.node:
        if node.op_type == "QLinearConv":
            known.setdefault(node.input[0], [constants[name].item() for name in node.input[1:3]])
            known[node.output[0]] = [constants[name].item() for name in node.input[6:8]]
        elif node.op_type in ("DepthToSpace", "Clip") and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    return known


def main():
    parser = argparse.ArgumentParser()
    for option in ("recipe", "beltwatch", "tract", "forms"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = onnx.load(arguments.forms / "i8.onnx")
    known = quantisations(model)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    stored = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    files = {file.stem: file for file in sorted(arguments.forms.glob("*.onnx"))}
    peers = {f"ONNX Runtime, {name}": OnnxRuntime(file, stored, known) for name, file in files.items()}
    for name in ("qdq_i8", "qdq_u8", "qdq_u8_phases", "f32", "f32_transposed"):
        peers[f"OpenVINO, {name}"] = OpenVino(files[name], stored, known)
    reference = dict.fromkeys(peers, peers["ONNX Runtime, i8"].levels(known))
    plain = arguments.forms / "ncnn/f32_transposed.onnx"
    name = "ncnn, f32_transposed without memory banks"
    reference[name] = OnnxRuntime(plain, stored, known).levels(known)
    peers[name] = Ncnn(plain, stored, known, [output.name for output in model.graph.output])

    def ours():
        figures = arguments.forms / "ours.json"
        command = [arguments.beltwatch, "bench", "--recipe", arguments.recipe, "--frames", str(FRAMES), "--json", figures]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        report = json.loads(figures.read_text())
        return report["kernel"], {name: stage["p50_us"] / 1e3 for name, stage in report["stages"].items()}

    def tract(form, frames):
        output = subprocess.run([arguments.tract, files[form], str(frames)], check=True, capture_output=True, text=True)
        return float(output.stdout)

    times, stages = {}, []
    for round in range(arguments.rounds):
        kernel, stage = ours()
        stages.append(stage)
        times.setdefault("beltwatch", []).append(stage["reconstruct"])
        for name, peer in peers.items():
            times.setdefault(name, []).append(peer.time())
        for name in ("f32", "f32_transposed"):
            times.setdefault(f"tract, {name}", []).append(tract(name, FRAMES))
        # two orders of magnitude slower where its AVX2 kernel mixes in SSE
        if round < 3:
            times.setdefault("tract, i8", []).append(tract("i8", 2))
        print(f"round {round + 1} of {arguments.rounds}", flush=True)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    own = medians["beltwatch"]

    def best(prefix, is_float):
        fitting = {n: t for n, t in medians.items() if n.startswith(prefix) and ("f32" in n) == is_float}
        return min(fitting, key=fitting.get)

    fastest = {
        "ort_int8": best("ONNX Runtime", False),
        "ort_f32": best("ONNX Runtime", True),
        "openvino_int8": best("OpenVINO", False),
        "openvino_f32": best("OpenVINO", True),
        "ncnn_f32_without_memory": best("ncnn", True),
        "tract_f32": best("tract", True),
        "tract_int8": "tract, i8",
    }
    around = np.median([(s["preprocess"] + s["difference, HEE, score"]) / s["reconstruct"] for s in stages])
    versions = {module.__name__: module.__version__ for module in (onnxruntime, openvino, ncnn)}
    versions = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"\nwhole network, one thread, kernel {kernel}, {arguments.rounds} rounds, {versions}\n")
    for name, milliseconds in sorted(medians.items(), key=lambda item: item[1]):
        off = ""
        if name in peers:
            pairs = zip(peers[name].levels(known), reference[name])
            off = ", ".join(f"{np.abs(a - b).max():.2g}" for a, b in pairs)
            off = f"off by {off} levels"
        print(f"{name:<41} {milliseconds:9.2f} ms   {own / milliseconds:6.3f}   {off}")
    ratios = {name: own / medians[peer] for name, peer in fastest.items()}
    print("\nour time divided by theirs:")
    for name, ratio in ratios.items():
        print(f"{name:<24} {ratio:6.3f}   {fastest[name]}")
    print(f"everything around the network: {100 * around:.1f} % of the network's time")
    if arguments.json:
        report = {
            "kernel": kernel,
            "versions": versions,
            "milliseconds": medians,
            "ratios": ratios,
            "share_around_network": float(around),
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
