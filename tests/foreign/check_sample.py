#!/usr/bin/python3
"""Generated text against an independent computation: the logits by transformer.py from the exported
weights, the draws by Philox4x32-10 as its authors define it.

    check_sample.py ALTGRAD

Exit code 77 = skipped: numpy is missing."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))
from support import Altgrad, check, failures, scratch_folder, write  # noqa: E402

try:
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
import transformer as tf  # noqa: E402

TEXT = "Größe, Maß und Zahl\nsind drei; sie wägen mit. " * 40
VOCAB = sorted(set(TEXT))
T, COUNT, MASK = 8, 24, 2**64 - 1


def experiment(formats, data="text: text.txt"):
    write(
        "sample.yaml",
        "altgrad: 1\nname: sample\nseeds: 1\n"
        f"model: {{n_layer: 1, n_head: 2, n_embd: 16, block_size: {T}}}\ndata: {{{data}}}\n"
        "train: {steps: 20, batch_size: 4}\noptimizer: {lr: 1e-2}\neval: {windows: 2}\n"
        f"formats: {formats}\n",
    )


def stream_key(seed, stream):
    """The first output of splitmix64."""
    z = ((seed ^ stream) + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def philox(key, counter):
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    c = list(counter)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def generate(config, w, prompt, seed=0, temperature=1.0, top_k=None):
    tokens = [VOCAB.index(c) for c in prompt]
    for i in range(COUNT):
        logits = tf.gpt2(config, w, np.array(tokens[-T:]))[-1]
        if temperature == 0:
            tokens.append(int(logits.argmax()))
            continue
        words = philox(stream_key(seed, 0x5341), (i, 0, 0, 0))
        u = ((words[1] << 32 | words[0]) >> 11) / 2.0**53
        if top_k:
            logits = np.where(logits >= np.sort(logits)[-top_k], logits, -np.inf)
        p = tf.softmax(logits / temperature)
        tokens.append(int(np.searchsorted(np.cumsum(p), u, side="right")))
    return "".join(VOCAB[t] for t in tokens) + "\n"


def main():
    altgrad = Altgrad(sys.argv[1])
    with scratch_folder():
        write("text.txt", TEXT)
        experiment("[FP32]")
        altgrad.call("run", "sample.yaml", "-o", "fp32.h5", "--progress", "none")
        altgrad.call("export", "fp32.h5", "--to", "model")
        config = json.loads(Path("model/config.json").read_text(encoding="utf-8"))
        w = tf.read_safetensors("model/model.safetensors")

        def compare(prompt, options, **how):
            said = altgrad.call("sample", "fp32.h5", "--tokens", str(COUNT), *options)
            wanted = generate(config, w, prompt, **how)
            check(said == wanted, f"{options}:\n{said}not\n{wanted}")

        compare("Maß", ("--prompt", "Maß", "--temperature", "0"), temperature=0)
        compare("\n", ("--temperature", "0"), temperature=0)
        compare("Größe, Maß und", ("--prompt", "Größe, Maß und", "--seed", "3"), seed=3)
        compare("Z", ("--prompt", "Z", "--seed", "4", "--top-k", "3", "--temperature", "0.7"),
                seed=4, top_k=3, temperature=0.7)  # fmt: skip
        altgrad.says("lacks U+0051", "sample", "fp32.h5", "--prompt", "Q", code=2)
        experiment("[{name: low, all: e2m1}, {name: late, all: E4M3, scaling: {amax: delayed}}]")
        altgrad.call("run", "sample.yaml", "-o", "low.h5", "--progress", "none")
        low = ("sample", "low.h5", "format=low", "--tokens", "60", "--temperature", "0.8")
        first = altgrad.call(*low)
        check(altgrad.call(*low) == first, "the same seed gives another text")
        check(altgrad.call(*low, "--hp") != first, "--hp changes nothing")
        altgrad.says("--hp samples", "sample", "low.h5", "format=late", code=2)
        altgrad.call("sample", "low.h5", "format=late", "--hp")
        write("text.txt", TEXT + "?")
        altgrad.says("put them back", "sample", "fp32.h5", code=2)
        experiment("[BF16]", "synthetic: markov, vocab: 8, order: 1, tokens: 2000")
        altgrad.call("run", "sample.yaml", "-o", "ids.h5", "--progress", "none")
        said = altgrad.call("sample", "ids.h5", "--prompt", "3 1", "--tokens", "9")
        check(said.startswith("3 1 ") and len(said.split()) == 11, f"tokens: {said}")
    sys.exit(1 if failures else 0)


main()
