#!/bin/sh
# sites.sh ALTGRAD PYTHON: an experiment with rules for sites, from `plan --layers` to the results.
set -eu
altgrad=$1
python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > sites.yaml <<END
altgrad: 1
name: sites
model: {n_layer: 2, n_head: 2, n_embd: 16, block_size: 8}
data: {synthetic: markov, vocab: 8, order: 1, tokens: 2000, seed: 1}
train: {steps: 3, batch_size: 2}
eval: {windows: 2}
formats:
  - {name: split, weight: E4M3, input: E3M4, input.wgrad: null, grad_output: E5M2/row}
layer_configs:
  some:
    layer_rules:
      - {pattern: '^transformer.h.1.residual$', format: mxfp8}
      - {pattern: '\.qk$', format: \$format}
      - {pattern: '^lm_head\.(wgrad|opt\.v)$', format: \$format}
observe: {diagnostics: [quant], quant_every: 2}
output: {file: sites.h5}
END

"$altgrad" plan sites.yaml --layers | sed -n '/^format split, layers/,$p' > layers
diff - layers <<END
format split, layers some (2 blocks)
  transformer.h.*.attn.c_attn         BF16
  transformer.h.*.attn.c_proj         BF16
  transformer.h.*.mlp.c_fc            BF16
  transformer.h.*.mlp.c_proj          BF16
  lm_head                             BF16
  transformer.h.*.attn.qk             q.scores, k.scores          e3m4f, per tensor, current amax
                                      q.dk, k.dq                  not quantised
                                      ds                          e5m2ieee, per row, current amax
  transformer.h.1.residual            attn, mlp                   e4m3fn, MX blocks of 32, E8M0 scale (rceil)
  lm_head.opt.v                       sqrt_v                      e4m3fn, per tensor, current amax
  lm_head.wgrad                       dw                          e5m2ieee, per row, current amax
END

# sections that are alike are told once
# shellcheck disable=SC2016 # $format is altgrad's
sed -e '/^formats/,/^layer_configs/c\formats: [BF16, E4M3]\nlayer_configs:\n  plain: {format: $format}' \
    -e '/^observe/i\  tail: {default_format: null, layer_rules: [{pattern: head, format: $format}]}' \
    sites.yaml > alike.yaml
"$altgrad" plan alike.yaml --layers | sed -n -e 's/ *$//' -e '/^format /p' > sections
diff - sections <<END
format BF16, layers plain, tail (2 blocks)
format BF16, layers some (2 blocks)
format E4M3, layers plain (2 blocks)
format E4M3, layers some (2 blocks)
format E4M3, layers tail (2 blocks)
END

"$altgrad" run sites.yaml --progress none > summary
grep -q '^split  weight: e4m3fn' summary
"$altgrad" reproduce sites.h5 > /dev/null
"$python" - <<END
import h5py
with h5py.File("sites.h5") as file:
    rows = {(row["layer"].decode(), row["role"].decode()): row["format"].decode()
            for row in file["routing"][:]}
    quant = next(iter(file["runs"].values()))["quant"]
    groups = {f"{site}/{tensor}" for site in quant if site != "step" for tensor in quant[site]}
    assert all(len(quant[group]["sqnr"]) == 2 for group in groups)
sites = {key: format for key, format in rows.items() if format != "bf16"}
expected = {("transformer.h.1.residual", "attn"): "e4m3fn",
            ("transformer.h.1.residual", "mlp"): "e4m3fn",
            ("lm_head.opt.v", "sqrt_v"): "e4m3fn",
            ("lm_head.wgrad", "dw"): "e5m2ieee"}
for block in (0, 1):
    for tensor in ("q.scores", "k.scores"):
        expected[f"transformer.h.{block}.attn.qk", tensor] = "e3m4f"
    expected[f"transformer.h.{block}.attn.qk", "ds"] = "e5m2ieee"
assert sites == expected, sites
assert len(rows) == len(expected) + 9 * 3, rows
# counters of the same tensors; ds by rows has a copy for each product
counted = {f"{site}/{tensor}" for site, tensor in expected} - {
    f"transformer.h.{block}.attn.qk/ds" for block in (0, 1)}
counted |= {f"transformer.h.{block}.attn.qk/ds.{use}" for block in (0, 1) for use in ("dq", "dk")}
assert groups == counted, groups ^ counted
END
