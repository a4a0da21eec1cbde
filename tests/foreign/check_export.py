#!/usr/bin/python3
"""Exported models, read by an independent reader: the same loss as altgrad's own.

    check_export.py ALTGRAD

Exit code 77 = skipped: numpy or h5py is missing."""

import importlib.util
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))
from support import Altgrad, check, failures, scratch_folder, write  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
try:
    import h5py
    import numpy as np
    from altgrad_analysis import Results
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
import transformer as tf  # noqa: E402

SIZES = "n_layer: 2, n_head: 4, n_embd: 16, block_size: 8"
LLAMA = "norm: rmsnorm, position: rope, mlp: swiglu, tie_weights: false"
MODELS = {
    "gpt2": "bias: true",
    "plain": "bias: false, gelu: tanh, tie_weights: false, mlp_hidden: 24",
    "split": "bias: true, qkv: split, mlp: relu2, norm_affine: false",
    "llama": f"{LLAMA}, bias: false, n_kv_head: 2, qkv: split",
    "fused": f"{LLAMA}, bias: true, n_kv_head: 2, gate_up: fused, rope_theta: 500000",
    "tied": "norm: rmsnorm, position: rope, mlp: swiglu, bias: false",
    "qwen3": f"{LLAMA}, bias: false, n_kv_head: 2, head_dim: 6, qk_norm: head, norm_eps: 1e-6",
    "olmo2": f"{LLAMA}, bias: false, qk_norm: full, norm_place: res_post",
}
CLASSES = {"plain": "gpt2", "split": "gpt2", "fused": "llama", "tied": "llama"}

def tokens_of(n, seed):
    return np.random.default_rng(seed).integers(0, 11, n).astype(np.uint16)


def experiment(name, model, more="train: {steps: 3, batch_size: 2}"):
    write(
        f"{name}.yaml",
        f"altgrad: 1\nname: {name}\nseeds: 1\nmodel: {{{SIZES}, {model}}}\n"
        f"data: {{bin: data, vocab: 11}}\n{more}\neval: {{windows: 2}}\n"
        "formats: [FP32]\noutput: {weights: final}\n",
    )


def only_run(path):
    with h5py.File(path) as file:
        ((run_id, run),) = [*file["runs"].items()]
        tensors = {name: x[()] for name, x in run["weights"].items()}
        return run_id, tensors, file["index"]["final_val_loss"][0]


def check_model(altgrad, name):
    """Trained, exported, computed elsewhere."""
    experiment(name, MODELS[name])
    altgrad.call("run", f"{name}.yaml", "-o", f"{name}.h5", "--progress", "none")
    run_id, _, expected = only_run(f"{name}.h5")
    altgrad.call("export", f"{name}.h5", run_id[:5], "--to", name)
    config = json.load(open(f"{name}/config.json", encoding="utf-8"))
    w = tf.read_safetensors(f"{name}/model.safetensors")
    check(config["model_type"] == CLASSES.get(name, name), f"{name}: {config['model_type']}")
    got = tf.loss(config, w, np.fromfile("data/val.bin", np.uint16).astype(int), 8)
    check(abs(got - expected) < 1e-5, f"{name}: loss {got}, altgrad has {expected}")


def check_nanogpt(altgrad):
    """Names and shapes as they are, and lm_head beside its twin."""
    altgrad.call("export", "gpt2.h5", "format=FP32", "--to", "nano", "--nanogpt")
    altgrad.says("is there already", "export", "gpt2.h5", "--to", "gpt2", code=2)
    _, own, _ = only_run("gpt2.h5")
    w = tf.read_safetensors("nano/nanogpt.safetensors")
    own["lm_head.weight"] = own["transformer.wte.weight"]
    check(sorted(w) == sorted(own), f"nanogpt: {sorted(w)}")
    for name, x in own.items():
        check(np.array_equal(w[name], x), f"nanogpt: {name}")


def check_python():
    """The same weights by the analysis package, with torch where that is there."""
    results = Results("gpt2.h5")
    run_id, own, _ = only_run("gpt2.h5")
    w = results.weights(run_id[:4])
    check(sorted(w) == sorted(own), f"Results.weights: {sorted(w)}")
    check(all(np.array_equal(w[name], own[name]) for name in own), "Results.weights: values")
    try:
        results.weights("zz")
        check(False, "Results.weights took a run that is not there")
    except KeyError:
        pass
    if importlib.util.find_spec("torch"):
        state = results.state_dict(run_id)
        check(len(state) == len({*own, "lm_head.weight"}), f"state_dict: {sorted(state)}")


def check_choices(altgrad):
    """Which run is meant."""
    experiment("two", MODELS["gpt2"], "train: {steps: 1, batch_size: 1}")
    with open("two.yaml", "a", encoding="utf-8") as file:
        file.write("axes: {optimizer.lr: [1e-3, 2e-3]}\n")
    altgrad.call("run", "two.yaml", "-o", "two.h5", "--progress", "none")
    altgrad.says("2 completed runs are meant", "export", "two.h5", "--to", "x", code=2)
    altgrad.says("no completed run is meant by zz", "export", "two.h5", "zz", "--to", "x", code=2)
    altgrad.says("no axis 'shoe'", "export", "two.h5", "shoe=1", "--to", "x", code=2)
    altgrad.call("export", "two.h5", "optimizer.lr=2e-3", "--to", "x")
    experiment("rope", "norm: rmsnorm, position: rope", "train: {steps: 1, batch_size: 1}")
    altgrad.call("run", "rope.yaml", "-o", "rope.h5", "--progress", "none")
    altgrad.says("model.mlp is gelu", "export", "rope.h5", "--to", "none", code=2)
    check(not os.path.exists("none"), "a folder was made")
    altgrad.call("export", "rope.h5", "--to", "any", "--nanogpt")
    experiment("gone", MODELS["gpt2"], "train: {steps: 1, batch_size: 1}")
    text = Path("gone.yaml").read_text(encoding="utf-8").replace("final", "none")
    write("gone.yaml", text)
    altgrad.call("run", "gone.yaml", "-o", "gone.h5", "--progress", "none")
    altgrad.says("output.weights: none", "export", "gone.h5", "--to", "y", code=2)


def main():
    altgrad = Altgrad(sys.argv[1])
    with scratch_folder():
        os.mkdir("data")
        tokens_of(400, 1).tofile("data/train.bin")
        tokens_of(6 * 8 + 1, 2).tofile("data/val.bin")
        for name in MODELS:
            check_model(altgrad, name)
        check_nanogpt(altgrad)
        check_python()
        check_choices(altgrad)
    sys.exit(1 if failures else 0)


main()
