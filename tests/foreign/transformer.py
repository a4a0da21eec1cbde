"""The models of Hugging Face's transformers that altgrad exports to, in float64, from config.json and
the tensors alone: written from the classes' definitions, and nothing of altgrad's."""

import json
import struct

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "BF16": np.uint16, "I64": np.int64}


def read_safetensors(path):
    """Tensors by name, as float64."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    out = {}
    for name, its in header.items():
        begin, end = its["data_offsets"]
        x = np.frombuffer(data[begin:end], TYPES[its["dtype"]])
        if its["dtype"] == "BF16":
            x = (x.astype(np.uint32) << 16).view(np.float32)
        out[name] = x.astype(np.float64).reshape(its["shape"])
    return out


def write_safetensors(path, tensors, metadata=None):
    """In the order of huggingface's library: by element size, largest first, then by name."""
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    kinds = {np.dtype(kind): name for name, kind in TYPES.items()}
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name in names:
        x = tensors[name]
        span = [offset, offset + x.nbytes]
        header[name] = {"dtype": kinds[x.dtype], "shape": list(x.shape), "data_offsets": span}
        offset += x.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def erf(x):
    from math import erf as scalar

    return np.vectorize(scalar)(x)


ACTIVATIONS = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
}


def layer_norm(x, w, b, eps):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * w + b


def rms_norm(x, w, eps):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * w


def attend(q, k, v):
    """q [H, T, D]; k, v [K, T, D] -> [T, H·D]."""
    H, T, D = q.shape
    k, v = (np.repeat(x, H // len(x), axis=0) for x in (k, v))
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(D)
    scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
    return (softmax(scores) @ v).transpose(1, 0, 2).reshape(T, H * D)


def heads(x, n):
    return x.reshape(len(x), n, -1).transpose(1, 0, 2)


def gpt2(c, w, tokens):
    def conv1d(x, name):  # [in, out]
        return x @ w[name + ".weight"] + w[name + ".bias"]

    def norm(x, name):
        return layer_norm(x, w[name + ".weight"], w[name + ".bias"], c["layer_norm_epsilon"])

    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][: len(tokens)]
    for i in range(c["n_layer"]):
        h = f"transformer.h.{i}."
        qkv = np.split(conv1d(norm(x, h + "ln_1"), h + "attn.c_attn"), 3, axis=-1)
        x = x + conv1d(attend(*(heads(y, c["n_head"]) for y in qkv)), h + "attn.c_proj")
        hidden = ACTIVATIONS[c["activation_function"]](conv1d(norm(x, h + "ln_2"), h + "mlp.c_fc"))
        x = x + conv1d(hidden, h + "mlp.c_proj")
    head = w["transformer.wte.weight" if c["tie_word_embeddings"] else "lm_head.weight"]
    return norm(x, "transformer.ln_f") @ head.T


def rotate(x, theta):
    """Half-split, as apply_rotary_pos_emb; x [H, T, D]."""
    _, T, D = x.shape
    angle = np.arange(T)[:, None] * theta ** (-np.arange(0, D, 2) / D)
    cos, sin = (np.concatenate([f(angle)] * 2, axis=-1) for f in (np.cos, np.sin))
    half = np.concatenate([-x[..., D // 2 :], x[..., : D // 2]], axis=-1)
    return x * cos + half * sin


def llama(c, w, tokens):
    """LlamaForCausalLM, Qwen3ForCausalLM (a norm of each head) and Olmo2ForCausalLM (norms of all
    heads, and of what a branch adds)."""
    eps, kind = c["rms_norm_eps"], c["model_type"]

    def linear(x, name):
        return x @ w[name + ".weight"].T + w.get(name + ".bias", 0)

    def norm(x, name):
        return rms_norm(x, w[name + ".weight"], eps)

    def project(x, name, n, normed):
        y = linear(x, name + "_proj")
        y = norm(y, name + "_norm") if normed and kind == "olmo2" else y
        y = heads(y, n)
        return norm(y, name + "_norm") if normed and kind == "qwen3" else y

    def attention(x, a):
        H, K, theta = c["num_attention_heads"], c["num_key_value_heads"], c["rope_theta"]
        q = rotate(project(x, a + "q", H, True), theta)
        k = rotate(project(x, a + "k", K, True), theta)
        return linear(attend(q, k, project(x, a + "v", K, False)), a + "o_proj")

    def mlp(x, m):
        gate = ACTIVATIONS[c["hidden_act"]](linear(x, m + "gate_proj"))
        return linear(gate * linear(x, m + "up_proj"), m + "down_proj")

    x = w["model.embed_tokens.weight"][tokens]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        if kind == "olmo2":
            x = x + norm(attention(x, h + "self_attn."), h + "post_attention_layernorm")
            x = x + norm(mlp(x, h + "mlp."), h + "post_feedforward_layernorm")
        else:
            x = x + attention(norm(x, h + "input_layernorm"), h + "self_attn.")
            x = x + mlp(norm(x, h + "post_attention_layernorm"), h + "mlp.")
    head = w["model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"]
    return norm(x, "model.norm") @ head.T


def loss(config, w, tokens, window):
    """Mean cross-entropy over all whole windows, one after the other."""
    model = gpt2 if config["model_type"] == "gpt2" else llama
    losses = []
    for first in range(0, len(tokens) - window, window):
        logits = model(config, w, tokens[first : first + window])
        p = softmax(logits)
        losses += list(-np.log(p[np.arange(window), tokens[first + 1 : first + 1 + window]]))
    return float(np.mean(losses))
