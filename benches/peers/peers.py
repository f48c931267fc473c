"""Times the device's network beside other runtimes: the same function, one thread each, interleaved round by round.

    peers.py --recipe FOLDER --beltwatch PROGRAM --tract PROGRAM --forms FOLDER [--rounds N] [--json FILE]

benches/peers/run.sh sets up what it needs and calls it. Milliseconds are medians of the rounds; a ratio is our time divided by
theirs. ONNX Runtime's outputs are compared with those of the form `i8`, in levels.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

FRAMES = 12


class OnnxRuntime:
    """A form in ONNX Runtime."""

    def __init__(self, file, stored, known):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        scale, zero = known["x"]
        values = {
            "tensor(int8)": stored,
            "tensor(uint8)": (stored.astype(np.int16) + 128).astype(np.uint8),
            "tensor(float)": ((stored.astype(np.float32) - np.float32(zero)) * np.float32(scale)),
        }
        self.feed = {"x": values[self.session.get_inputs()[0].type]}
        self.outputs = []
        for output, found in zip(self.session.get_outputs(), self.session.run(None, self.feed)):
            scale, zero = known[output.name]
            if found.dtype == np.uint8:
                found = found.astype(np.int16) - 128
            elif found.dtype == np.float32:
                found = found / scale + zero
            self.outputs.append(found.astype(np.float64))

    def time(self):
        times = []
        for _ in range(FRAMES):
            start = time.perf_counter()
            self.session.run(None, self.feed)
            times.append(time.perf_counter() - start)
        return float(np.median(times)) * 1e3


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
    sessions = {name: OnnxRuntime(file, stored, known) for name, file in files.items()}

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
        for name, session in sessions.items():
            times.setdefault(f"ONNX Runtime, {name}", []).append(session.time())
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

    peers = {
        "ort_int8": best("ONNX Runtime", False),
        "ort_f32": best("ONNX Runtime", True),
        "tract_f32": best("tract", True),
        "tract_int8": "tract, i8",
    }
    around = np.median([(s["preprocess"] + s["difference, HEE, score"]) / s["reconstruct"] for s in stages])
    print(f"\nwhole network, one thread, kernel {kernel}, {arguments.rounds} rounds, ONNX Runtime {onnxruntime.__version__}\n")
    for name, milliseconds in sorted(medians.items(), key=lambda item: item[1]):
        off = ""
        if name.startswith("ONNX Runtime"):
            pairs = zip(sessions[name.split(", ")[1]].outputs, sessions["i8"].outputs)
            off = ", ".join(f"{np.abs(a - b).max():.0f}" for a, b in pairs)
            off = f"off by {off} levels" if off.strip("0, ") else "same bytes as i8"
        print(f"{name:<32} {milliseconds:9.2f} ms   {own / milliseconds:6.3f}   {off}")
    ratios = {name: own / medians[peer] for name, peer in peers.items()}
    print("\nour time divided by theirs: " + ", ".join(f"{n} {r:.3f} ({peers[n]})" for n, r in ratios.items()))
    print(f"everything around the network: {100 * around:.1f} % of the network's time")
    if arguments.json:
        report = {
            "kernel": kernel,
            "onnxruntime": onnxruntime.__version__,
            "milliseconds": medians,
            "ratios": ratios,
            "share_around_network": float(around),
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
