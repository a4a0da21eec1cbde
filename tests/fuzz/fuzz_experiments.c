/* Experiment files: a checked grid or a message. A grid that comes out survives its way through
 * JSON, and each run its way through an assignment. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/experiment.h"
#include "fuzz.h"
#include "run/params.h"

static const char s_file[] = "jobs/case.yaml";

/* More than the files given have: other kinds of data, initial weights, anchors. */
static const char *const s_more[] = {
    "altgrad: 1\ndata: {bin: ../data}\nmodel: {n_embd: 16, n_head: 2, init: {file: x.h5, run: "
    "abc}}\nformats: [BF16, E4M3, mxfp8]\nseeds: {from: 3, count: 2}\n",
    "altgrad: 1\ndata: {text: ../data/shakespeare.txt, tokenizer: byte}\nformats:\n  - {name: a, "
    "all: E4M3, rounding: {grad_output: stochastic}, scaling: {granularity: tensor, amax: "
    "windowed, history: 8, margin: 1, pow2: true}, overflow: saturate, ste: clip}\n"
    "layer_configs:\n  a: {layer_rules: &rules [{pattern: attn, format: null}], default_format: "
    "$format}\n  b: {layer_rules: *rules, default_format: E5M2}\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\nformats:\n  - "
    "int4/1x16/e4m3+t\n  - {name: b, all: E2M1, scaling: {granularity: 1x16, scale: ue5m3, tensor: "
    "tensor, top: 256, select: 4/6, error: mse}}\n  - {name: c, all: E4M3, scaling: {granularity: "
    "4x8, scale: e8m0even, select: mse, candidates: [1, 2, 0.5]}}\n  - {name: d, all: "
    "mxfp4, rounding: stochastic, sr_bits: 9, sr_variant: half, hadamard: {size: 32, products: "
    "[fprop, wgrad], signs: step}}\n  - {name: e, all: E4M3, backward: dequantized, scaling: "
    "{scale: static, static: '2*sqrt(fan_in)'}}\n  - {name: f, all: mxfp8, input.wgrad: {from: "
    "forward, format: E5M2}}\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\nmodel: {n_embd: 32, n_head: "
    "2}\n"
    "optimizer: {type: lion, independent_decay: true, weight_decay: 0.1, store_error: "
    "kahan}\nranks: "
    "{count: 2, reduce: ring, wire: bf16}\ntrain: {batch_size: 4}\nformats:\n  - {name: a, all: "
    "E2M1, scaling: {granularity: nv, select: eden, sigma: 1}, hadamard: {size: 16, products: "
    "[fprop, "
    "dgrad, wgrad], signs: step}}\n  - {name: b, all: e2m1/mx, backward: high_precision, ste: "
    "clip, "
    "scaling: {select: quest}, hadamard: {size: 32, products: [fprop]}}\n  - {name: c, all: E4M3, "
    "scaling: {scale: static, static: 1/sqrt(tokens)}}\nlayer_configs:\n  a: {default_format: "
    "$format, "
    "layer_rules: [{pattern: 'opt.w$', format: {all: E4M3, rounding: stochastic}}, {pattern: "
    "'opt.m$', format: dynamic8/1x32/absmax}]}\naxes:\n  o:\n    muon: {optimizer.type: muon, "
    "optimizer.muon_ns: bf16, optimizer.store_error: drop}\n    eco: {optimizer.type: sgd, "
    "optimizer.store_error: eco}\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\ntables:\n  a: {values: [-1, "
    "-0.25, 0, 0.25, 1, null], ties: away, bounds: [-0.5, -0.125, 0.1, 0.6]}\n  b: {values: "
    "posit8_1, top: 4}\n  c: {file: data/levels.txt, ties: low}\nformats:\n  - a/tensor/delayed\n  "
    "- {name: b, all: b/1x16/e4m3+t, rounding: stochastic, sr_bits: 7}\n  - nf4/1x64/absmax\n  - "
    "takum8/mx\n  - c\n  - binary8p3se\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\naxes:\n  optimizer.lr: [1e-3, "
    "2e-3]\n  size:\n    s: {model.n_layer: 1}\n    l: {model.n_layer: 2}\nexclude:\n  - {size: l, "
    "optimizer.lr: 1e-3}\ninclude:\n  - {format: BF16, optimizer.lr: 5e-3}\ncompare: {baseline: "
    "{format: BF16}}\nrun: {time_limit: 2h, memory_limit: 2G, stall_limit: none}\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\nmodel: {n_embd: 16, n_head: 4, "
    "n_kv_head: 2, head_dim: 6, norm: rmsnorm, norm_eps: 1e-6, norm_place: sandwich, post_gain: "
    "0.5, "
    "position: rope, rope_theta: 5e5, rope_fraction: 0.5, mlp: swiglu, mlp_multiple_of: 8, qkv: "
    "split, qk_norm: head, qk_gain: false, attn_scale: 0.4, embd_scale: 4, skip_scale: 0.8, "
    "branch_scale: 0.6, logit_scale: 2, logit_softcap: 30, z_loss: 1e-4, init_std: 0.01, "
    "attn_softcap: 50, gate_up: fused, param: mup, base_width: 8, base_head_dim: 4}\n"
    "layer_configs: {a: {default_format: $format, layer_rules: [{pattern: 'c_gate|c_[qkv]$', "
    "format: null}, {pattern: 'ln_[12](_post)?.gain$', format: {all: mxfp6_e2m3, until: "
    "50%}}]}}\nformats: [E4M3, {name: a, all: mxfp4, from: 3, until: 90%}, {name: b, "
    "phases: [{until: 5, all: null}, {until: 50%, weight: E5M2}, {from: 70%, all: E4M3}]}]\n"
    "axes: {model.mlp: [gelu, relu2, swiglu], model.norm: "
    "[layernorm, none], model.final_norm: [true, false], model.norm_affine: [true, false]}\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\nmodel: {n_embd: 16, n_head: 2, "
    "mlp: swiglu}\nformats: [BF16, {name: smooth, all: delayed, scaling: {channel: up}}]\n"
    "layer_configs: {a: {default_format: E4M3, layer_rules: [{pattern: 'mlp.c_proj$', format: "
    "smooth}]}, b: {mixed_precision: {mlp: E5M2}}}\n",
    "altgrad: 1\ndata: {synthetic: markov, tokens: 200000, vocab: 40}\nformats: [BF16, E4M3, "
    "E5M2]\n"
    "layer_configs: {a: {format: $format}}\naxes: {optimizer.lr: [1e-3, 3e-3]}\nseeds: 3\n"
    "compare: {baseline: {format: BF16}, family: none}\nclaims:\n"
    "  - {name: a, text: t, source: s, better: {format: E4M3, optimizer.lr: 1e-3}, than: E5M2, by: "
    "0.1}\n"
    "  - {name: b, same: E4M3, as: BF16, margin: 0.2}\n  - {name: c, order: [BF16, E4M3, E5M2]}\n"
    "  - {name: d, diverges: {format: E5M2}, share: 0.5}\n  - {name: e, worse: E5M2, than: BF16}\n",
    "altgrad: 1\ndata: {synthetic: markov, tokens: 2000, vocab: 8}\nformats: [BF16, E4M3]\n"
    "seeds: {from: 3, until: decided, at_most: 12}\ncompare: {baseline: {format: BF16}, margin: "
    "0.1}\nexclude:\n  - {format: E5M2}\nclaims:\n  - {name: a, better: E4M3, than: BF16}\n",
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\ntrain: {steps: 40, start: "
    "{file: "
    "x.h5, run: BF16 seed=0, step: 20}}\noutput: {states: [30, 75%, 100%]}\nformats: [BF16, {name: "
    "a, all: E4M3, until: 25}, {name: b, all: E5M2, until: 10}]\naxes: {train.start.step: [7, 20], "
    "output.states: [[], [90%]]}\n",
};

static const char s_levels[] = "-2, -1, 0 # and up\n1 null 2\n";

static void write_data(void)
{
    char text[4096];
    uint16_t tokens[2048];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "to be, or not\n"[(i * i + i / 11) % 14];
    for (size_t i = 0; i < 2048; i++)
        tokens[i] = (uint16_t)(i * i % 61);
    mkdir("jobs", 0777);
    mkdir("data", 0777);
    mkdir("jobs/data", 0777);
    fuzz_write("data/shakespeare.txt", text, sizeof text);
    fuzz_write("jobs/data/small.txt", text, sizeof text);
    fuzz_write("jobs/data/levels.txt", s_levels, sizeof s_levels - 1);
    fuzz_write("data/train.bin", (const char *)tokens, sizeof tokens);
    fuzz_write("data/val.bin", (const char *)tokens, sizeof tokens);
}

static void prepare(fuzz_corpus *corpus)
{
    write_data();
    for (size_t i = 0; i < sizeof s_more / sizeof s_more[0]; i++)
        fuzz_add(corpus, "one of fuzz_experiments.c", s_more[i], strlen(s_more[i]));
}

static ag_status find_any(ag_init_weights *found, const ag_run *run, void *context)
{
    (void)run;
    (void)context;
    *found = (ag_init_weights){.run = "0123456789ab"};
    memset(found->digest, 'a', AG_DIGEST_LENGTH);
    return AG_OK;
}

static ag_status find_state(ag_start_found *found, const ag_run *run, void *context)
{
    (void)context;
    *found = (ag_start_found){.run = "ba9876543210",
                              .step = run->train.start_step > 0 ? run->train.start_step : 5};
    memset(found->digest, 'b', AG_DIGEST_LENGTH);
    return AG_OK;
}

/* --- what holds for every grid that comes out */

static const char *check_grid(const ag_grid *grid)
{
    enum { CHECKED_RUNS = 3 };
    const char *complaint = fuzz_check_grid(grid);
    for (size_t i = 0; complaint == NULL && i < grid->n_runs && i < CHECKED_RUNS; i++)
        complaint = fuzz_check_run(&grid->runs[i]);
    return complaint;
}

/* --- one case */

/* In every fourth case a setting from the command line, whose value stands in the file too. */
static size_t make_set(char *set, size_t size, const fuzz_input *input)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    if (fuzz_below(input, 0, 4) != 0)
        return 0;
    size_t at = fuzz_below(input, 2, (uint32_t)input->size + 1);
    snprintf(set, size, "%s=%.*s", params[fuzz_below(input, 1, (uint32_t)count)].key,
             (int)fuzz_below(input, 3, 12), input->bytes + at);
    return 1;
}

static const char *run(fuzz_input *input)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    char set[256];
    const char *sets[] = {set};
    const ag_experiment_options how = {.sets = sets,
                                       .n_sets = make_set(set, sizeof set, input),
                                       .find_init = find_any,
                                       .find_start = find_state};
    fuzz_write(s_file, input->bytes, input->size);
    ag_text_init(&messages);
    ag_status status = ag_experiment_load(&experiment, s_file, &how, &messages);
    const char *complaint = NULL;
    input->accepted = status == AG_OK;
    if (status == AG_OK)
        complaint = check_grid(ag_experiment_grid(experiment));
    else if (status != AG_ERR_INPUT)
        complaint = ag_error_message()[0] != '\0' ? ag_error_message() : "a wrong status";
    else if (ag_error_message()[0] == '\0')
        complaint = "there is no message";
    else if (experiment != NULL)
        complaint = "an experiment that was refused was made";
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
    return complaint;
}

const fuzz_target fuzz_experiments = {"experiments", prepare, run};
