#!/usr/bin/python3
"""Tokens per second of a training step by option of model, optimizer, scheme and ranks, on one core.

    tests/train/bench_options.py [BUILD_DIR] [--rounds N] [--steps N] [--width C]

Each figure is an `altgrad bench` beside one of the plain model (GPT-2's block, AdamW) in the same
format, one right after the other, so that a noisy minute strikes both; printed are the medians over
the rounds, and the median of the ratios.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parents[2]

EXPERIMENT = """
altgrad: 1
name: options
model: {{n_layer: 4, n_head: 4, n_embd: {width}, block_size: 64, bias: false}}
data: {{synthetic: markov, vocab: 65, order: 2, tokens: 100000, seed: 1}}
train: {{steps: 100, batch_size: 16}}
optimizer: {{lr: 1e-3, warmup: 10}}
eval: {{every: 0}}
formats:
  - FP32
  - BF16
  - mxfp4
  - nvfp4
  - {{name: four-over-six, all: e2m1/nv, scaling: {{select: 4/6}}}}
  - {{name: mse, all: e2m1/nv, scaling: {{select: mse, candidates: [1, 1.5, 0.875]}}}}
  - {{name: rht-128, all: mxfp4, hadamard: {{size: 128, products: [fprop, dgrad, wgrad], signs: step}}}}
  - name: quest
    all: mxfp4
    scaling: {{select: quest}}
    hadamard: {{size: 32, products: [fprop, dgrad, wgrad]}}
  - name: eden
    all: e2m1/nv
    scaling: {{select: eden}}
    hadamard: {{size: 128, products: [fprop, dgrad, wgrad], signs: step}}
  - {{name: sr-16, all: E4M3, rounding: stochastic, sr_bits: 16}}
  - {{name: h100, all: E4M3, accumulate: h100-fp8}}
layer_configs:
  uniform: {{format: $format}}
output: {{weights: none}}
"""

LLAMA = ["model.norm=rmsnorm", "model.position=rope", "model.mlp=swiglu"]

# what it is called, its format, that of the plain model beside it, settings
OPTIONS = [
    ("rmsnorm", "FP32", "FP32", ["model.norm=rmsnorm"]),
    ("rope", "FP32", "FP32", ["model.position=rope"]),
    ("swiglu", "FP32", "FP32", ["model.mlp=swiglu"]),
    ("relu2", "FP32", "FP32", ["model.mlp=relu2"]),
    ("llama block", "FP32", "FP32", LLAMA),
    ("llama block", "BF16", "BF16", LLAMA),
    ("llama block, gate_up fused", "BF16", "BF16", [*LLAMA, "model.gate_up=fused"]),
    ("qkv split", "BF16", "BF16", ["model.qkv=split"]),
    ("n_kv_head 1", "BF16", "BF16", ["model.n_kv_head=1"]),
    ("qk_norm head", "BF16", "BF16", ["model.qk_norm=head"]),
    ("norms sandwich", "BF16", "BF16", ["model.norm_place=sandwich"]),
    ("attn_softcap 50", "BF16", "BF16", ["model.attn_softcap=50"]),
    ("logit_softcap 30, z_loss", "BF16", "BF16", ["model.logit_softcap=30", "model.z_loss=1e-4"]),
    ("sgd", "BF16", "BF16", ["optimizer.type=sgd"]),
    ("lion", "BF16", "BF16", ["optimizer.type=lion"]),
    ("muon", "BF16", "BF16", ["optimizer.type=muon"]),
    ("muon, muon_ns bf16", "BF16", "BF16", ["optimizer.type=muon", "optimizer.muon_ns=bf16"]),
    ("8 ranks, ring, bf16", "BF16", "BF16", ["ranks.count=8", "ranks.wire=bf16"]),
    ("4/6", "four-over-six", "nvfp4", []),
    ("mse", "mse", "nvfp4", []),
    ("eden, rotated by 128", "eden", "nvfp4", []),
    ("rotated by 128", "rht-128", "mxfp4", []),
    ("quest, rotated by 32", "quest", "mxfp4", []),
    ("E4M3, 16 random bits", "sr-16", "BF16", []),
    ("E4M3, h100-fp8 accumulator", "h100", "BF16", []),
]


def tokens_per_s(build, experiment, steps, name, sets):
    """Of one format of the experiment with the settings."""
    command = [build / "altgrad", "bench", experiment, "--threads", "1", "--steps", str(steps)]
    command += ["--format", name, "--json"]
    for setting in sets:
        command += ["--set", setting]
    done = subprocess.run(command, check=True, capture_output=True)
    return json.loads(done.stdout)["formats"][0]["tokens_per_s"]


def measure(build, experiment, options, option):
    """[(tokens/s of the option, of the plain model)] of the rounds."""
    _, name, plain, sets = option
    return [
        (
            tokens_per_s(build, experiment, options.steps, name, sets),
            tokens_per_s(build, experiment, options.steps, plain, []),
        )
        for _ in range(options.rounds)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=TOP / "build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--width", type=int, default=256)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder) / "options.yaml"
        experiment.write_text(EXPERIMENT.format(width=options.width))
        print(f"{'option':<28} {'format':<14} {'tokens/s':>9} {'plain':>9} {'in':<6} ratio")
        for option in OPTIONS:
            rounds = measure(options.build.resolve(), experiment, options, option)
            speed, plain = (median(values) for values in zip(*rounds))
            ratio = median(mine / other for mine, other in rounds)
            print(
                f"{option[0]:<28} {option[1]:<14} {speed:9.0f} {plain:9.0f} {option[2]:<6} {ratio:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
