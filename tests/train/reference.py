#!/usr/bin/python3
"""Makes reference.txt: what PyTorch says of a tiny GPT in float64.

    /usr/bin/python3 tests/train/reference.py > tests/train/reference.txt    (python3-torch 1.13)

The model is nanoGPT's (pre-norm GPT-2 blocks), written here from its description with torch's own
layers, loss and AdamW. Weights and tokens come from splitmix64, so that a test rebuilds them
without torch: element i of tensor k is offset + 0.5 * (u - 0.5), u = (output i >> 40) * 2^-24 of
splitmix64 from state 1000 * case + k; offset is 1 for the weights of norms, 0 elsewhere. Tokens of
step s: outputs mod V from state 500 * case + s, a [B, T + 1] array; inputs are all but the last
column, targets all but the first.

Each tensor is told by its 2-norm and its dot product with r, r_i = u - 0.5 drawn in the same way
from state 9000 + k: a wrong element cannot hide from both.
"""

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
MASK = (1 << 64) - 1
B, T, V, C, H, L, STEPS = 3, 8, 11, 16, 2, 2, 10
LR, BETAS, EPS, DECAY, CLIP = 1e-2, (0.9, 0.99), 1e-8, 0.1, 1.0


def splitmix64(state, count):
    """The first `count` outputs from `state`."""
    outputs = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        outputs.append(z ^ (z >> 31))
    return outputs


def centred(state, shape):
    """u - 0.5 in the given shape."""
    count = 1
    for size in shape:
        count *= size
    values = [(word >> 40) * 2.0**-24 - 0.5 for word in splitmix64(state, count)]
    return torch.tensor(values).reshape(shape)


def tensor_shapes(bias, tied):
    """nanoGPT's names and shapes in the order of its modules."""
    rows = [("transformer.wte.weight", (V, C)), ("transformer.wpe.weight", (T, C))]
    for block in range(L):
        h = f"transformer.h.{block}."
        parts = [
            ("ln_1", (C,)),
            ("attn.c_attn", (3 * C, C)),
            ("attn.c_proj", (C, C)),
            ("ln_2", (C,)),
            ("mlp.c_fc", (4 * C, C)),
            ("mlp.c_proj", (C, 4 * C)),
        ]
        for name, shape in parts:
            rows.append((h + name + ".weight", shape))
            if bias:
                rows.append((h + name + ".bias", shape[:1]))
    rows.append(("transformer.ln_f.weight", (C,)))
    if bias:
        rows.append(("transformer.ln_f.bias", (C,)))
    if not tied:
        rows.append(("lm_head.weight", (V, C)))
    return rows


def make_weights(case, bias, tied):
    weights = {}
    for k, (name, shape) in enumerate(tensor_shapes(bias, tied)):
        norm_weight = ".ln_" in name and name.endswith("weight")
        values = 0.5 * centred(1000 * case + k, shape) + (1.0 if norm_weight else 0.0)
        weights[name] = values.requires_grad_(True)
    return weights


def make_batch(case, step):
    words = splitmix64(500 * case + step, B * (T + 1))
    tokens = torch.tensor([word % V for word in words]).reshape(B, T + 1)
    return tokens[:, :-1], tokens[:, 1:]


def forward(w, inputs, approximate):
    def norm(x, name):
        return F.layer_norm(x, (C,), w[name + ".weight"], w.get(name + ".bias"), 1e-5)

    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))

    def heads(x):
        return x.reshape(B, T, H, C // H).transpose(1, 2)

    x = w["transformer.wte.weight"][inputs] + w["transformer.wpe.weight"][:T]
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    for block in range(L):
        h = f"transformer.h.{block}."
        q, k, v = map(heads, linear(norm(x, h + "ln_1"), h + "attn.c_attn").split(C, dim=2))
        scores = (q @ k.transpose(2, 3)) / (C // H) ** 0.5
        probs = scores.masked_fill(~causal, float("-inf")).softmax(dim=3)
        x = x + linear((probs @ v).transpose(1, 2).reshape(B, T, C), h + "attn.c_proj")
        hidden = F.gelu(linear(norm(x, h + "ln_2"), h + "mlp.c_fc"), approximate=approximate)
        x = x + linear(hidden, h + "mlp.c_proj")
    x = norm(x, "transformer.ln_f")
    return F.linear(x, w.get("lm_head.weight", w["transformer.wte.weight"]))


def loss_of(w, batch, approximate):
    logits = forward(w, batch[0], approximate)
    return F.cross_entropy(logits.reshape(-1, V), batch[1].reshape(-1)), logits


def tell(kind, w, values):
    for k, name in enumerate(w):
        r = centred(9000 + k, values[name].shape)
        norm = values[name].norm().item()
        dot = (values[name] * r).sum().item()
        print(f"{kind} {name} {norm:.12e} {dot:.12e}")


def run_case(case, bias, tied, approximate):
    gelu = "exact" if approximate == "none" else approximate
    print(f"case {case} bias {int(bias)} tied {int(tied)} gelu {gelu}")
    w = make_weights(case, bias, tied)
    decayed = [p for p in w.values() if p.dim() == 2]
    others = [p for p in w.values() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPS)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss, logits = loss_of(w, make_batch(case, step), approximate)
        loss.backward()
        if step == 0:
            print("logits", " ".join(f"{x:.9e}" for x in logits[0].flatten().tolist()))
            tell("grad", w, {name: p.grad for name, p in w.items()})
        norm = torch.nn.utils.clip_grad_norm_(list(w.values()), CLIP)
        print(f"step {step} loss {loss.item():.12e} grad_norm {norm.item():.12e}")
        optimizer.step()
    with torch.no_grad():
        tell("final", w, w)
        print(f"loss_after {loss_of(w, make_batch(case, STEPS), approximate)[0].item():.12e}")


if __name__ == "__main__":
    print(f"sizes B {B} T {T} V {V} C {C} H {H} L {L} steps {STEPS}")
    print(f"adamw lr {LR} beta1 {BETAS[0]} beta2 {BETAS[1]} eps {EPS} decay {DECAY} clip {CLIP}")
    run_case(1, bias=True, tied=True, approximate="none")
    run_case(2, bias=False, tied=False, approximate="tanh")
