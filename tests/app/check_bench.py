#!/usr/bin/python3
"""altgrad bench: its exit code, its JSON, and that the parts add up. No figure is judged.

    check_bench.py ALTGRAD
"""

import json
import os
import subprocess
import sys

from support import FEW, check, failures, scratch_folder, write

ALTGRAD = os.path.abspath(sys.argv[1])
PARTS = [
    "embedding", "norms", "quantising", "packing", "fprop", "dgrad", "wgrad", "scales, bias",
    "attention", "GELU", "residual", "cross-entropy", "optimizer", "rest",
]
SMALL = ["FP32", "BF16", "E4M3", "mxfp8", "mxfp4", "mxint8", "nvfp4"]


def call(*arguments):
    return subprocess.run(
        [ALTGRAD, "bench", "--steps", "2", *arguments], capture_output=True, text=True, check=False
    )


def bench(*arguments):
    done = call(*arguments, "--json")
    check(done.returncode == 0, f"{arguments}: exit code {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def check_format(found, engine, blas):
    name = found["format"]
    parts = {part["part"]: part for part in found["parts"]}
    check(list(parts) == PARTS, f"{name}: parts {list(parts)}")
    total = sum(part["ms"] for part in found["parts"])
    check(abs(total - found["step_ms"]) < 1e-5, f"{name}: parts add up to {total}")
    tokens = found["grad_accum"] * found["batch_size"] * found["block_size"]
    check(found["tokens_per_step"] == tokens, f"{name}: tokens of a step")
    speed = tokens / found["step_ms"] * 1e3
    check(abs(found["tokens_per_s"] / speed - 1) < 1e-4, f"{name}: tokens/s")
    check((found["pairs_gflops"] is not None) == ("BF16" in engine), f"{name}: pairs")
    width, layers = found["n_embd"], found["n_layer"]
    weights = 12 * layers * width**2 + width * found["vocab_size"]
    for product in ("fprop", "dgrad", "wgrad"):
        part = parts[product]
        check(abs(part["gflop"] / (2e-9 * tokens * weights) - 1) < 1e-6, f"{name}: {product}")
        check(part["calls"] == (4 * layers + 1) * found["grad_accum"], f"{name}: calls of {product}")
        check((part["sgemm_ms"] is not None) == (blas is not None), f"{name}: sgemm of {product}")
    for part in found["parts"]:
        works = part["ms"] > 0 and part["part"] != "rest"
        check(not works or part["bound_ms"] > 0, f"{name}: the bound of {part['part']}")


def check_report(report, names, threads):
    check([found["format"] for found in report["formats"]] == names, f"formats of {names}")
    check(report["threads"] == threads, f"{threads} threads")
    for found in report["formats"]:
        check_format(found, report["engine"], report["blas"])


def check_text():
    done = call("--format", "BF16")
    lines = [line.split("  ")[1] for line in done.stdout.splitlines() if line.startswith("  ")]
    # BF16 has no scales, and the model no biases; its values are packed as they are rounded
    expected = set(PARTS) - {"scales, bias", "packing"}
    check(done.returncode == 0 and expected <= set(lines), f"the table: {done.stdout}")


def check_faults():
    cases = {
        "one experiment file": ["few.yaml", "few.yaml"],
        "from 1 to 1024": ["--threads", "0"],
        "from 1 to 100000": ["--steps", "many"],
        "there is no option '--speed'": ["--speed"],
        "there is no format 'E99'": ["--format", "E99"],
        "there is no parameter 'no.such'": ["--set", "no.such=1"],
        "has no point 'E4M3'": ["few.yaml", "--format", "E4M3"],
        "No such file": ["missing.yaml"],
    }
    for message, arguments in cases.items():
        done = call(*arguments)
        check(
            done.returncode == 2 and message in done.stderr and not done.stdout,
            f"{arguments}: exit code {done.returncode}, {done.stderr}",
        )


def main():
    with scratch_folder() as folder:
        os.environ["TMPDIR"] = folder
        check_report(bench(), SMALL, 1)
        write("few.yaml", FEW + 'formats: [BF16, {name: "a b", all: E5M2}, mxfp4]\nseeds: 2\n')
        # wte 8 x 16, wpe 8 x 16, three norms of 16, 12 x 16 x 16 weights of one block, no biases
        few = bench("few.yaml", "--format", "BF16")["formats"][0]
        check(few["parameters"] == 256 + 48 + 3072, f"parameters: {few['parameters']}")
        check_report(bench("few.yaml", "--threads", "2"), ["BF16", "a b", "mxfp4"], 2)
        check_report(bench("few.yaml", "--format", "mxfp4"), ["mxfp4"], 1)
        sets = ["--set", "train.grad_accum=3", "--set", "run.threads=2"]
        check_report(bench("few.yaml", "--format", "a b", *sets), ["a b"], 2)
        check_text()
        check_faults()
        check(os.listdir(folder) == ["few.yaml"], f"left behind: {os.listdir(folder)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
