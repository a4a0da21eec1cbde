#!/usr/bin/python3
"""A training step against PyTorch's float32 nanoGPT of the same shape, side by side on one core.

    tests/train/bench_torch.py [BUILD_DIR] [--rounds N] [--experiment FILE] [--format NAME ...]

Needs python3-torch. Each round times PyTorch for some steps, then `altgrad bench` for each format,
so that a noisy minute strikes all; a figure is the median over the rounds, a ratio the median of
the rounds' ratios to PyTorch. The model is nanoGPT's, written with torch.nn: pre-norm blocks, fused
q, k, v, masked attention, GELU, tied embeddings, AdamW with decayed matrices and a clipped
gradient. PyTorch's BLAS is what libblas.so.3 stands for here; the script says which, and which of
OpenBLAS's sets of kernels it uses (OPENBLAS_CORETYPE chooses another): sets differ by a half.
"""

import argparse
import ctypes
import json
import os
import subprocess
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

TOP = Path(__file__).resolve().parents[2]


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        channels, bias = shape["n_embd"], shape["bias"]
        self.heads = shape["n_head"]
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(2)])
        self.attention = nn.Linear(channels, 3 * channels, bias=bias)
        self.merge = nn.Linear(channels, channels, bias=bias)
        self.widen = nn.Linear(channels, 4 * channels, bias=bias)
        self.narrow = nn.Linear(4 * channels, channels, bias=bias)
        length = shape["block_size"]
        self.register_buffer("hidden", torch.ones(length, length, dtype=torch.bool).triu(1))

    def attend(self, x):
        batch, length, channels = x.shape
        parts = self.attention(x).split(channels, dim=2)
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        scores = q @ k.transpose(2, 3) * q.shape[3] ** -0.5
        mixed = scores.masked_fill(self.hidden, float("-inf")).softmax(dim=3) @ v
        return self.merge(mixed.transpose(1, 2).reshape(batch, length, channels))

    def forward(self, x):
        x = x + self.attend(self.norms[0](x))
        return x + self.narrow(F.gelu(self.widen(self.norms[1](x))))


class Model(nn.Module):
    def __init__(self, shape, vocabulary):
        super().__init__()
        channels = shape["n_embd"]
        self.token = nn.Embedding(vocabulary, channels)
        self.place = nn.Parameter(0.02 * torch.randn(shape["block_size"], channels))
        self.blocks = nn.ModuleList([Block(shape) for _ in range(shape["n_layer"])])
        self.norm = nn.LayerNorm(channels)
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, tokens):
        x = self.token(tokens) + self.place
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.weight)


class Torch:
    """Training of PyTorch's model on random tokens."""

    def __init__(self, run):
        shape, self.vocabulary = run["model"], run["data"]["vocab_size"]
        self.size = (run["train"]["batch_size"], shape["block_size"] + 1)
        torch.manual_seed(1)
        self.model = Model(shape, self.vocabulary)
        decayed = [p for p in self.model.parameters() if p.dim() == 2]
        others = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)

    def step(self):
        tokens = torch.randint(self.vocabulary, self.size)
        logits = self.model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def tokens_per_s(self, steps):
        self.step()
        begin = time.perf_counter()
        for _ in range(steps):
            self.step()
        return steps * self.size[0] * (self.size[1] - 1) / (time.perf_counter() - begin)


def blas_of_this_process():
    """The libraries, and which kernels OpenBLAS has chosen."""
    mapped = Path("/proc/self/maps").read_text(encoding="ascii").split()
    paths = sorted({path for path in mapped if "blas" in Path(path).name})
    name = ", ".join(paths)
    for path in paths:
        core = getattr(ctypes.CDLL(path), "openblas_get_corename", None)
        if core is not None:
            core.restype = ctypes.c_char_p
            return f"{name}, its {core().decode()} set"
    return name


def altgrad_tokens_per_s(build, experiment, name, steps):
    command = [build / "altgrad", "bench", experiment, "--threads", "1", "--format", name]
    command += ["--steps", str(steps), "--json"]
    done = subprocess.run(command, check=True, capture_output=True)
    return json.loads(done.stdout)["formats"][0]["tokens_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=TOP / "build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--experiment", type=Path, default=TOP / "jobs/speed.yaml")
    parser.add_argument("--format", action="append", dest="formats")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    build = options.build.resolve()
    plan = [build / "altgrad", "plan", options.experiment, "--json"]
    run = json.loads(subprocess.run(plan, check=True, capture_output=True).stdout)["runs"][0]["run"]
    theirs = Torch(run)
    speeds = {"PyTorch": []}
    for _ in range(options.rounds):
        speeds["PyTorch"].append(theirs.tokens_per_s(options.steps))
        for name in options.formats or ["FP32", "BF16"]:
            ours = altgrad_tokens_per_s(build, options.experiment, name, options.steps)
            speeds.setdefault(name, []).append(ours)
    print(f"PyTorch {torch.__version__} with {blas_of_this_process()}")
    print(f"{'format':<16} {'tokens/s':>9}   ratio to PyTorch")
    for name, found in speeds.items():
        ratio = median(a / b for a, b in zip(found, speeds["PyTorch"]))
        print(f"{name:<16} {median(found):9.0f}   {ratio:.2f}")


if __name__ == "__main__":
    main()
