#!/usr/bin/python3
"""Exported models in plain torch code, written here after the papers and with a reader of its own: the
same loss on the same batch as altgrad's. And a file in GPT-2's shapes that torch has made, taken as the
start of a run: exported again, the same logits to the last bit.

    check_torch.py ALTGRAD

Prints the figures. Exit code 77 = skipped: torch or h5py is missing."""

import json
import os
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))
from support import Altgrad, check, failures, scratch_folder, write  # noqa: E402

try:
    import h5py
    import numpy as np
    import torch
    from torch.nn import functional as F
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

VOCAB, WINDOW, WINDOWS = 17, 16, 6
SIZES = f"n_layer: 2, n_head: 4, n_embd: 32, block_size: {WINDOW}"
LLAMA = "norm: rmsnorm, position: rope, mlp: swiglu, bias: false"
MODELS = {
    "gpt2": "bias: true",
    "gpt2_untied": "bias: true, tie_weights: false, gelu: tanh",
    "llama": f"{LLAMA}, tie_weights: false, n_kv_head: 2, qkv: split",
    "llama_tied": f"{LLAMA}, rope_theta: 500000",
}


def read(path):
    """Tensors of a safetensors file of float32 by name."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    tensors = {}
    for name, its in header.items():
        if name != "__metadata__":
            assert its["dtype"] == "F32", its
            begin, end = (8 + size + offset for offset in its["data_offsets"])
            flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
            tensors[name] = flat.reshape(its["shape"])
    return tensors


def write_tensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, x in tensors.items():
        span = [offset, offset + 4 * x.numel()]
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": span}
        offset = span[1]
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for x in tensors.values():
            file.write(x.contiguous().numpy().tobytes())


def attention(q, k, v):
    """[batch, heads, time, width] each; a group of query heads shares one of keys and values."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, float("-inf")).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def by_head(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def gpt2(config, w, tokens):
    """Radford et al. 2019; matrices are [in, out], as in the published files."""
    width, heads = config["n_embd"], config["n_head"]
    approximate = {"gelu": "none", "gelu_new": "tanh"}[config["activation_function"]]

    def norm(x, name):
        gain, shift = w[f"{name}.weight"], w[f"{name}.bias"]
        return F.layer_norm(x, (width,), gain, shift, config["layer_norm_epsilon"])

    def affine(x, name):
        return torch.addmm(w[f"{name}.bias"], x.flatten(0, 1), w[f"{name}.weight"]).unflatten(
            0, x.shape[:2]
        )

    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][: tokens.shape[1]]
    for layer in range(config["n_layer"]):
        h = f"transformer.h.{layer}"
        qkv = affine(norm(x, f"{h}.ln_1"), f"{h}.attn.c_attn").chunk(3, -1)
        x = x + affine(attention(*(by_head(y, heads) for y in qkv)), f"{h}.attn.c_proj")
        hidden = affine(norm(x, f"{h}.ln_2"), f"{h}.mlp.c_fc")
        x = x + affine(F.gelu(hidden, approximate=approximate), f"{h}.mlp.c_proj")
    head = w.get("lm_head.weight", w["transformer.wte.weight"])
    return F.linear(norm(x, "transformer.ln_f"), head)


def turned(x, theta):
    """Rotary positions (Su et al. 2021) of [batch, heads, time, width]: pairs half a head apart, as
    complex numbers."""
    half = x.shape[-1] // 2
    rates = theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rates
    pairs = torch.complex(x[..., :half].double(), x[..., half:].double())
    pairs = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([pairs.real, pairs.imag], -1).float()


def llama(config, w, tokens):
    """Touvron et al. 2023, with grouped queries."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    theta = config["rope_theta"]

    def norm(x, name):
        scale = (x.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"]).rsqrt()
        return x * scale * w[f"{name}.weight"]

    x = w["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        h = f"model.layers.{layer}"
        y = norm(x, f"{h}.input_layernorm")
        q, k, v = (F.linear(y, w[f"{h}.self_attn.{name}_proj.weight"]) for name in "qkv")
        q, k = turned(by_head(q, heads), theta), turned(by_head(k, groups), theta)
        mixed = attention(q, k, by_head(v, groups))
        x = x + F.linear(mixed, w[f"{h}.self_attn.o_proj.weight"])
        y = norm(x, f"{h}.post_attention_layernorm")
        gate, up = (F.linear(y, w[f"{h}.mlp.{name}_proj.weight"]) for name in ("gate", "up"))
        x = x + F.linear(F.silu(gate) * up, w[f"{h}.mlp.down_proj.weight"])
    head = w["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"]
    return F.linear(norm(x, "model.norm"), head)


def logits_of(folder, tokens):
    config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    model = {"gpt2": gpt2, "llama": llama}[config["model_type"]]
    with torch.no_grad():
        return model(config, read(Path(folder, "model.safetensors")), tokens)


def batch():
    """Inputs and targets of all windows of the validation part."""
    tokens = torch.from_numpy(np.fromfile("data/val.bin", np.uint16).astype(np.int64))
    starts = range(0, WINDOW * WINDOWS, WINDOW)
    cut = [tokens[s : s + WINDOW + 1] for s in starts]
    return torch.stack([c[:-1] for c in cut]), torch.stack([c[1:] for c in cut])


def train(altgrad, name, model, more):
    """The final validation loss of the only run."""
    write(
        f"{name}.yaml",
        f"altgrad: 1\nname: {name}\nseeds: 1\nmodel: {{{SIZES}, {model}}}\n"
        f"data: {{bin: data, vocab: {VOCAB}}}\n{more}\neval: {{windows: 2}}\n"
        "formats: [FP32]\noutput: {weights: final}\n",
    )
    altgrad.call("run", f"{name}.yaml", "-o", f"{name}.h5", "--progress", "none")
    altgrad.call("export", f"{name}.h5", "format=FP32", "--to", name)
    with h5py.File(f"{name}.h5") as file:
        return float(file["index"]["final_val_loss"][0])


def expect_loss(name, folder, expected):
    inputs, targets = batch()
    loss = F.cross_entropy(logits_of(folder, inputs).flatten(0, 1), targets.flatten()).item()
    print(f"{name:12} torch {loss:.8f}  altgrad {expected:.8f}  difference {loss - expected:+.1e}")
    check(abs(loss - expected) <= 1e-5, f"{name}: loss {loss}, altgrad has {expected}")


def made_by_torch(folder):
    """GPT-2 in the shapes of the published file, with weights that torch draws."""
    torch.manual_seed(5)
    width = 32
    shapes = {"transformer.wte.weight": (VOCAB, width), "transformer.wpe.weight": (WINDOW, width)}
    for layer in range(2):
        h = f"transformer.h.{layer}"
        for name, n, m in (
            ("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width), ("mlp.c_proj", 4 * width, width),
        ):  # fmt: skip
            shapes |= {f"{h}.{name}.weight": (n, m), f"{h}.{name}.bias": (m,)}
        for name in ("ln_1", "ln_2"):
            shapes |= {f"{h}.{name}.weight": (width,), f"{h}.{name}.bias": (width,)}
    shapes |= {"transformer.ln_f.weight": (width,), "transformer.ln_f.bias": (width,)}
    tensors = {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}
    for name in tensors:
        if "ln_" in name and name.endswith("weight"):
            tensors[name] += 1
    os.mkdir(folder)
    write_tensors(f"{folder}/model.safetensors", tensors)
    config = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": VOCAB,
        "n_positions": WINDOW, "n_embd": width, "n_layer": 2, "n_head": 4,
        "activation_function": "gelu", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True,
    }  # fmt: skip
    write(f"{folder}/config.json", json.dumps(config))


def check_import(altgrad):
    """A run that moves nothing records the model of the file."""
    made_by_torch("theirs")
    init = "bias: true, init: {file: theirs}"
    still = "train: {steps: 1, batch_size: 1}\noptimizer: {lr: 0}"
    expected = train(altgrad, "back", init, still)
    expect_loss("from torch", "theirs", expected)
    inputs, _ = batch()
    before, after = logits_of("theirs", inputs), logits_of("back", inputs)
    print(f"logits, out and back: largest difference {(after - before).abs().max().item():.1e}")
    check(torch.equal(before, after), "the logits of what was exported again differ")


def main():
    torch.set_num_threads(1)
    altgrad = Altgrad(sys.argv[1])
    with scratch_folder():
        os.mkdir("data")
        rng = np.random.default_rng(3)
        for name, n in (("train", 2000), ("val", WINDOW * WINDOWS + 1)):
            rng.integers(0, VOCAB, n).astype(np.uint16).tofile(f"data/{name}.bin")
        for name, model in MODELS.items():
            trained = train(altgrad, name, model, "train: {steps: 5, batch_size: 4}")
            expect_loss(name, name, trained)
        check_import(altgrad)
    sys.exit(1 if failures else 0)


main()
