#!/usr/bin/python3
"""Models of other programs as the start of a run: files that this script has written, the same loss
as its own computation, the same bytes when they are exported again; and what is refused.

    check_import.py ALTGRAD

Exit code 77 = skipped: numpy or h5py is missing."""

import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))
from support import Altgrad, check, failures, scratch_folder, write  # noqa: E402

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
import transformer as tf  # noqa: E402

V, T, C, L, H = 11, 8, 16, 2, 4
PT = {"format": "pt"}
LLAMA = "norm: rmsnorm, position: rope, mlp: swiglu, mlp_hidden: 24, bias: false, tie_weights: false"
MODELS = {
    "gpt2": "bias: true",
    "llama": f"{LLAMA}, n_kv_head: 2, qkv: split",
    "qwen3": f"{LLAMA}, n_kv_head: 2, head_dim: 6, qk_norm: head, norm_eps: 1e-6, gate_up: fused",
    "olmo2": f"{LLAMA}, n_kv_head: 4, qk_norm: full, norm_place: res_post, norm_eps: 1e-6",
}


def draw(rng, *shape, mean=0.0):
    return (mean + 0.2 * rng.standard_normal(shape)).astype(np.float32)


def gpt2(rng):
    """transformers' names and Conv1D's shapes, [in, out]."""
    w = {"transformer.wte.weight": draw(rng, V, C), "transformer.wpe.weight": draw(rng, T, C)}
    shapes = {"attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C), "mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}
    norms = [f"transformer.h.{i}.ln_{k}" for i in range(L) for k in (1, 2)] + ["transformer.ln_f"]
    for i in range(L):
        for name, shape in shapes.items():
            w[f"transformer.h.{i}.{name}.weight"] = draw(rng, *shape)
            w[f"transformer.h.{i}.{name}.bias"] = draw(rng, shape[1])
    for name in norms:
        w[f"{name}.weight"] = draw(rng, C, mean=1.0)
        w[f"{name}.bias"] = draw(rng, C)
    return w


GPT2_CONFIG = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": V, "n_positions": T,
    "n_ctx": T, "n_embd": C, "n_layer": L, "n_head": H, "n_inner": None,
    "activation_function": "gelu", "layer_norm_epsilon": 1e-05, "resid_pdrop": 0.0,
    "embd_pdrop": 0.0, "attn_pdrop": 0.0, "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False, "reorder_and_upcast_attn": False,
    "tie_word_embeddings": True, "initializer_range": 0.02, "use_cache": True,
    "bos_token_id": None, "eos_token_id": None, "torch_dtype": "float32", "dtype": "float32",
}  # fmt: skip


def llama(rng, kind):
    K, D, F = (4 if kind == "olmo2" else 2), (6 if kind == "qwen3" else 4), 24
    w = {"model.embed_tokens.weight": draw(rng, V, C), "lm_head.weight": draw(rng, V, C)}
    shapes = {
        "self_attn.q_proj": (H * D, C), "self_attn.k_proj": (K * D, C), "self_attn.v_proj": (K * D, C),
        "self_attn.o_proj": (C, H * D), "mlp.gate_proj": (F, C), "mlp.up_proj": (F, C), "mlp.down_proj": (C, F),
    }  # fmt: skip
    gains = {"post_attention_layernorm": C, "input_layernorm": C}
    if kind == "olmo2":
        gains = {"post_attention_layernorm": C, "post_feedforward_layernorm": C}
    if kind != "llama":
        whole = kind == "olmo2"
        gains.update({f"self_attn.{x}_norm": n * D if whole else D for x, n in (("q", H), ("k", K))})
    w["model.norm.weight"] = draw(rng, C, mean=1.0)
    for i in range(L):
        w.update({f"model.layers.{i}.{n}.weight": draw(rng, *s) for n, s in shapes.items()})
        w.update({f"model.layers.{i}.{n}.weight": draw(rng, s, mean=1.0) for n, s in gains.items()})
    config = {
        "architectures": [f"{kind.capitalize()}ForCausalLM"], "model_type": kind, "vocab_size": V,
        "hidden_size": C, "intermediate_size": F, "num_hidden_layers": L, "num_attention_heads": H,
        "num_key_value_heads": K, "head_dim": D, "hidden_act": "silu", "max_position_embeddings": T,
        "rms_norm_eps": 1e-05 if kind == "llama" else 1e-06, "rope_theta": 10000.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "attention_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": False,
        "initializer_range": 0.02, "use_cache": True, "bos_token_id": None, "eos_token_id": None,
        "pad_token_id": None, "torch_dtype": "float32", "dtype": "float32",
    }  # fmt: skip
    if kind == "llama":
        config["mlp_bias"] = False
    if kind == "qwen3":
        config.update(use_sliding_window=False, sliding_window=None, max_window_layers=L)
    return w, config


def save(folder, w, config=None, metadata=PT):
    os.makedirs(folder, exist_ok=True)
    tf.write_safetensors(f"{folder}/model.safetensors", w, metadata)
    if config:
        write(f"{folder}/config.json", json.dumps(config, indent=2) + "\n")


def experiment(model, init):
    """One step that moves nothing, so that what is recorded is the model of the file."""
    write(
        "in.yaml",
        "altgrad: 1\nname: in\nseeds: 1\n"
        f"model: {{n_layer: {L}, n_head: {H}, n_embd: {C}, block_size: {T}, {model}, init: {init}}}\n"
        f"data: {{bin: data, vocab: {V}}}\ntrain: {{steps: 1, batch_size: 1}}\n"
        "optimizer: {lr: 0}\neval: {windows: 2}\nformats: [FP32]\n",
    )


def run(altgrad, model, init):
    """Id and loss of the whole validation part."""
    for path in Path(".").glob("out.h5*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    experiment(model, init)
    altgrad.call("run", "in.yaml", "-o", "out.h5", "--progress", "none")
    with h5py.File("out.h5") as file:
        row = file["index"][0]
        return row["id"].decode(), float(row["final_val_loss"])


def plan_id(altgrad, model, init):
    experiment(model, init)
    said = altgrad.call("plan", "in.yaml", "--json")
    return json.loads([line for line in said.splitlines() if '"id"' in line][-1])["id"]


def same(a, b):
    return Path(a).read_bytes() == Path(b).read_bytes()


def check_models(altgrad, tokens):
    rng = np.random.default_rng(5)
    for name, model in MODELS.items():
        w, config = (gpt2(rng), GPT2_CONFIG) if name == "gpt2" else llama(rng, name)
        save(name, w, config)
        _, got = run(altgrad, model, f"{{file: {name}}}")
        wanted = tf.loss(config, tf.read_safetensors(f"{name}/model.safetensors"), tokens, T)
        check(abs(got - wanted) < 1e-5, f"{name}: loss {got}, not {wanted}")
        altgrad.call("export", "out.h5", "--to", f"{name}_out")
        for file in ("model.safetensors", "config.json"):
            check(same(f"{name}/{file}", f"{name}_out/{file}"), f"{name}: {file} is another")
    altgrad.call("export", "out.h5", "--nanogpt", "--to", "nano")
    first = plan_id(altgrad, MODELS["olmo2"], "{file: olmo2}")
    check(plan_id(altgrad, MODELS["olmo2"], "{file: nano}") == first, "nanogpt: another id")


def turned(w):
    """nanoGPT's: [out, in], and no biases of other classes."""
    return {n: x.T if n.endswith(".weight") and ".c_" in n else x for n, x in w.items()}


def check_containers(altgrad):
    """The id knows the weights, not what they came in."""
    w = {n: x.astype(np.float16).astype(np.float32) for n, x in gpt2(np.random.default_rng(6)).items()}
    save("f32", w)
    save("f16", {n: x.astype(np.float16) for n, x in w.items()}, metadata=None)
    save("f64", {n: x.astype(np.float64) for n, x in w.items()})
    hub = {n.removeprefix("transformer."): x for n, x in w.items()}
    hub["lm_head.weight"] = w["transformer.wte.weight"]
    hub.update({f"h.{i}.attn.bias": np.ones((1, 1, T, T), np.float32) for i in range(L)})
    hub["wpe.weight"] = np.concatenate([hub["wpe.weight"], np.ones((3, C), np.float32)])
    save("hub", hub, {**GPT2_CONFIG, "n_positions": T + 3, "activation_function": "gelu"})
    np.savez("ckpt.npz", **turned(w))
    np.savez("double.npz", **{f"_orig_mod.{n}": x.astype(float) for n, x in turned(w).items()})
    files = ["f32", "f32/model.safetensors", "f16", "f64", "hub", "ckpt.npz", "double.npz"]
    ids = {file: plan_id(altgrad, MODELS["gpt2"], f"{{file: {file}}}") for file in files}
    check(len(set(ids.values())) == 1, f"ids differ: {ids}")
    bf16 = {n: (x.view(np.uint32) >> 16).astype(np.uint16) for n, x in w.items()}
    save("bf16", bf16)
    save("cut", {n: (x.astype(np.uint32) << 16).view(np.float32) for n, x in bf16.items()})
    cut = plan_id(altgrad, MODELS["gpt2"], "{file: cut}")
    check(plan_id(altgrad, MODELS["gpt2"], "{file: bf16}") == cut, "bf16: another id")
    check(cut not in ids.values(), "other weights have the same id")


def refuse(altgrad, part, init, model=MODELS["gpt2"]):
    experiment(model, init)
    said = altgrad.call("plan", "in.yaml", code=2)
    check(part in said, f"'{part}' is not in:\n{said}")


def check_refusals(altgrad):
    w = gpt2(np.random.default_rng(6))

    def other(name, part, change, config=None, model=MODELS["gpt2"]):
        mine = dict(w)
        change(mine)
        save(name, mine, config)
        refuse(altgrad, part, f"{{file: {name}}}", model)

    def nothing(_):
        pass

    h = "transformer.h.0."
    other("o1", "has no transformer.h.0.ln_1.bias", lambda m: m.pop(h + "ln_1.bias"))
    other("o2", "has extra, which the model has not", lambda m: m.update(extra=w[h + "ln_1.bias"]))
    other("o3", "has the shape [16, 32], the model wants [16, 48]",
          lambda m: m.update({h + "attn.c_attn.weight": np.ones((16, 32), np.float32)}))  # fmt: skip
    other("o4", "data.vocab", lambda m: m.update({"transformer.wte.weight": np.ones((12, C), np.float32)}))
    other("o5", "model.block_size", lambda m: m.update({"transformer.wpe.weight": np.ones((7, C), np.float32)}))
    other("o6", "set model.bias: true", nothing, model="bias: false")
    other("o7", "set model.norm_affine: true", nothing, model="bias: true, norm_affine: false")
    other("o8", "set model.tie_weights: false", lambda m: m.update({"lm_head.weight": np.ones((V, C), np.float32)}))
    other("o9", "has no lm_head.weight", nothing, model="bias: true, tie_weights: false")
    other("o10", "elements of type I64", lambda m: m.update({h + "ln_1.bias": np.ones(C, np.int64)}))
    for i, (key, value, part) in enumerate(
        [
            ("n_head", 2, "n_head is 2, of the experiment's model 4 (model.n_head)"),
            ("model_type", "llama", "model_type"),
            ("layer_norm_epsilon", 1e-6, "model.norm_eps"),
            ("activation_function", "gelu_new", "model.gelu"),
            ("n_inner", 32, "model.mlp_hidden"),
            ("n_positions", 4, "model.block_size"),
            ("scale_attn_by_inverse_layer_idx", True, "model.attn_scale"),
        ]
    ):
        other(f"c{i}", part, nothing, {**GPT2_CONFIG, key: value})
    write("c0/config.json", "{")
    experiment(MODELS["gpt2"], "{file: c0}")
    check("no JSON object" in altgrad.call("plan", "in.yaml", code=2), "a broken config.json")
    refuse(altgrad, "leave out model.init.run", "{file: f32, run: abc}")
    refuse(altgrad, "model.position is rope, and GPT2LMHeadModel", "{file: f32}", "position: rope")
    os.mkdir("shards")
    refuse(altgrad, "has no model.safetensors", "{file: shards}")
    write("shards/model.safetensors.index.json", "{}")
    refuse(altgrad, "spread over several files", "{file: shards}")
    np.savez_compressed("small.npz", **turned(w))
    refuse(altgrad, "compressed; write it by np.savez", "{file: small.npz}")
    whole = Path("ckpt.npz").read_bytes()
    for n, part in ((300, "cut short"), (len(whole) - 30, "cut short")):
        Path("cut.npz").write_bytes(whole[:n])
        refuse(altgrad, part, "{file: cut.npz}")
    Path("cut.npz").write_bytes(whole[:3000] + b"\xff\xff\xff" + whole[3003:])
    refuse(altgrad, ".npz", "{file: cut.npz}")


def main():
    altgrad = Altgrad(sys.argv[1])
    with scratch_folder():
        os.mkdir("data")
        rng = np.random.default_rng(1)
        tokens = rng.integers(0, V, 6 * T + 1)
        rng.integers(0, V, 400).astype(np.uint16).tofile("data/train.bin")
        tokens.astype(np.uint16).tofile("data/val.bin")
        check_models(altgrad, tokens)
        check_containers(altgrad)
        check_refusals(altgrad)
    sys.exit(1 if failures else 0)


main()
