/* The table of parameters, and what concerns several of them. How one value is written and read
 * stands in param_text.c. A row is all there is to a plain parameter: reader, help, ids, files and
 * their checks follow it. New ones that are part of the id need a neutral value
 * (docs/invariants.md). */
#include "run/params.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "params_internal.h"
#include "run/layers.h"
#include "run/model_spec.h"
#include "run/optimizers.h"
#include "run/phases.h"
#include "run/sites.h"

/* The words of each enum of run.h, in its order. They are part of ids and files: a word never
 * changes, new ones go to the end. */
static const char *const s_gelus[] = {"exact", "tanh", NULL};
static const char *const s_norms[] = {"layernorm", "rmsnorm", "none", NULL};
static const char *const s_norm_places[] = {"pre", "res_post", "sandwich", NULL};
static const char *const s_positions[] = {"learned", "rope", "none", NULL};
static const char *const s_mlps[] = {"gelu", "relu2", "swiglu", NULL};
static const char *const s_qkvs[] = {"fused", "split", NULL};
static const char *const s_gate_ups[] = {"split", "fused", NULL};
static const char *const s_qk_norms[] = {"none", "head", "full", NULL};
static const char *const s_parametrisations[] = {"standard", "mup", "mus", NULL};
static const char *const s_synthetics[] = {"none", "markov", NULL};
static const char *const s_tokenizers[] = {"char", "byte", NULL};
static const char *const s_dtypes[] = {"auto", "uint16", "uint32", NULL};
static const char *const s_bin_formats[] = {"auto", "plain", "llm.c", NULL};
static const char *const s_orders[] = {"random", "sequential", NULL};
static const char *const s_optimizers[] = {"adamw", "sgd", "manifold_adamw", "grid", "lion",
                                           "muon",  NULL};
static const char *const s_schedules[] = {"cosine", "linear", "constant", "wsd", NULL};
static const char *const s_muon_scales[] = {"match_rms", "original", NULL};
static const char *const s_muon_ns[] = {"fp32", "bf16", NULL};
static const char *const s_store_errors[] = {"drop", "kahan", "eco", NULL};
static const char *const s_reductions[] = {"ring", "tree", "oneshot", NULL};
static const char *const s_on_nonfinite[] = {"stop", "skip", NULL};
static const char *const s_diagnostics[] = {
    "quant",  "flips",           "grad", "grid",  "rank",      "kurtosis", "nonfinite", "attn",
    "logits", "logit_sharpness", "rms",  "noise", "sharpness", NULL};
static const char *const s_auto[] = {"auto", NULL};
static const char *const s_keep_weights[] = {"none", "final", "initial+final", NULL};
static const char *const s_metrics[] = {
    "final_val_loss", "final_val_loss_hp", "val_loss", "val_loss_hp", "loss", NULL};

#define AT(member) offsetof(ag_run, member)
#define STEPS 2147483647.0       /* a step is one 32-bit word of a random number's counter */
#define WHOLE 9007199254740992.0 /* every whole number up to 2^53 survives JSON */

#define BOOL AG_PARAM_BOOL
#define INT AG_PARAM_INT
#define LENGTH AG_PARAM_STEPS
#define REAL AG_PARAM_REAL
#define PAIR AG_PARAM_PAIR
#define WORD AG_PARAM_WORD
#define WORDS AG_PARAM_WORDS
#define TEXT AG_PARAM_TEXT
#define TIME AG_PARAM_DURATION
#define BYTES AG_PARAM_BYTES
#define FORMAT AG_PARAM_FORMAT
#define LENGTHS AG_PARAM_STEP_LIST
#define ID AG_PARAM_USE_IDENTITY
#define RUN AG_PARAM_USE_RUN
#define DATA AG_PARAM_USE_DATA
#define ALL AG_PARAM_USE_EXPERIMENT

/* key, type, offset, default, min, max, words, use, unit, help, neutral */
// clang-format off
static const ag_param s_params[] = {
    {"model.n_layer", INT, AT(model.n_layer), "4", 1, 1000, NULL, ID, "", "transformer blocks", NULL},
    {"model.n_head", INT, AT(model.n_head), "4", 1, 1024, NULL, ID, "", "attention heads; divides n_embd", NULL},
    {"model.n_embd", INT, AT(model.n_embd), "128", 1, 65536, NULL, ID, "channels", "width of the residual stream", NULL},
    {"model.block_size", INT, AT(model.block_size), "64", 1, 65536, NULL, ID, "tokens", "context length", NULL},
    {"model.bias", BOOL, AT(model.bias), "false", 0, 0, NULL, ID, "", "biases in linear layers and norms", NULL},
    {"model.dropout", REAL, AT(model.dropout), "0.0", 0, 0.99, NULL, ID, "", "probability that an activation is dropped", NULL},
    {"model.tie_weights", BOOL, AT(model.tie_weights), "true", 0, 0, NULL, ID, "", "lm_head shares the token embedding", NULL},
    {"model.gelu", WORD, AT(model.gelu), "exact", 0, 0, s_gelus, ID, "", "GELU by erf, or its tanh approximation", NULL},
    {"model.n_kv_head", INT, AT(model.n_kv_head), "0", 0, 1024, NULL, ID, "", "heads of keys and values; divides n_head, whose heads share them evenly; 0 = n_head", "0"},
    {"model.head_dim", INT, AT(model.head_dim), "0", 0, 65536, NULL, ID, "channels", "of a head; 0 = n_embd / n_head", "0"},
    {"model.qkv", WORD, AT(model.qkv), "fused", 0, 0, s_qkvs, ID, "", "queries, keys and values from one layer, attn.c_attn, or from attn.c_q, c_k and c_v", "fused"},
    {"model.qk_norm", WORD, AT(model.qk_norm), "none", 0, 0, s_qk_norms, ID, "", "norms of queries and keys, before rope: of each head, or over all heads", "none"},
    {"model.qk_gain", BOOL, AT(model.qk_gain), "true", 0, 0, NULL, ID, "", "qk_norm has gains", "true"},
    {"model.attn_scale", REAL, AT(model.attn_scale), "0", 0, 1e6, NULL, ID, "", "factor of the scores; 0 = 1 / sqrt(head_dim)", "0"},
    {"model.attn_softcap", REAL, AT(model.attn_softcap), "0", 0, 1e6, NULL, ID, "", "scores become cap tanh(scores / cap) before the softmax; 0 = off", "0"},
    {"model.position", WORD, AT(model.position), "learned", 0, 0, s_positions, ID, "", "learned = a table added to the embedding; rope = queries and keys turn", "learned"},
    {"model.rope_theta", REAL, AT(model.rope_theta), "10000", 1, 1e12, NULL, ID, "", "base of rope's angles", "10000"},
    {"model.rope_fraction", REAL, AT(model.rope_fraction), "1", 0, 1, NULL, ID, "", "part of a head's channels, the first, that rope turns", "1"},
    {"model.norm", WORD, AT(model.norm), "layernorm", 0, 0, s_norms, ID, "", "of every branch, and the last", "layernorm"},
    {"model.norm_eps", REAL, AT(model.norm_eps), "1e-5", 1e-30, 1, NULL, ID, "", "added to the variance, or the mean square", "1e-5"},
    {"model.norm_affine", BOOL, AT(model.norm_affine), "true", 0, 0, NULL, ID, "", "norms have gains, and layernorms biases where model.bias is true", "true"},
    {"model.norm_place", WORD, AT(model.norm_place), "pre", 0, 0, s_norm_places, ID, "", "before each branch; res_post = of what it adds to the stream; sandwich = both", "pre"},
    {"model.post_gain", REAL, AT(model.post_gain), "1", 0, 1e6, NULL, ID, "", "initial gains of norms behind a branch", "1"},
    {"model.final_norm", BOOL, AT(model.final_norm), "true", 0, 0, NULL, ID, "", "a norm before lm_head", "true"},
    {"model.mlp", WORD, AT(model.mlp), "gelu", 0, 0, s_mlps, ID, "", "relu2 = max(x, 0)^2; swiglu = silu(mlp.c_gate) times mlp.c_fc", "gelu"},
    {"model.gate_up", WORD, AT(model.gate_up), "split", 0, 0, s_gate_ups, ID, "", "swiglu: mlp.c_gate and mlp.c_fc, or both as the rows of mlp.c_fc, the gate first", "split"},
    {"model.mlp_hidden", INT, AT(model.mlp_hidden), "0", 0, 1048576, NULL, ID, "channels", "hidden width; 0 = 4 n_embd, for swiglu 8/3 n_embd rounded up to mlp_multiple_of", "0"},
    {"model.mlp_multiple_of", INT, AT(model.mlp_multiple_of), "32", 1, 65536, NULL, ID, "channels", "what swiglu's hidden width is a multiple of where mlp_hidden is 0", "32"},
    {"model.embd_scale", REAL, AT(model.embd_scale), "1", 1e-6, 1e6, NULL, ID, "", "factor of the embedding", "1"},
    {"model.skip_scale", REAL, AT(model.skip_scale), "1", 0, 1e6, NULL, ID, "", "factor of the stream where a branch is added to it", "1"},
    {"model.branch_scale", REAL, AT(model.branch_scale), "1", 1e-6, 1e6, NULL, ID, "", "factor of what a branch adds", "1"},
    {"model.logit_scale", REAL, AT(model.logit_scale), "1", 1e-6, 1e6, NULL, ID, "", "factor of the logits", "1"},
    {"model.logit_softcap", REAL, AT(model.logit_softcap), "0", 0, 1e6, NULL, ID, "", "logits become cap tanh(logits / cap); 0 = off", "0"},
    {"model.z_loss", REAL, AT(model.z_loss), "0", 0, 1e3, NULL, ID, "", "weight of the mean squared log of the softmax's sum in what is minimised; losses are told without it", "0"},
    {"model.init_std", REAL, AT(model.init_std), "0.02", 0, 1e3, NULL, ID, "", "standard deviation of initial weights (not of mus, 1); c_proj's is divided by sqrt(2 n_layer)", "0.02"},
    {"model.param", WORD, AT(model.param), "standard", 0, 0, s_parametrisations, ID, "", "how initial weights, products and learning rates follow the width, so that one lr serves all", "standard"},
    {"model.base_width", INT, AT(model.base_width), "0", 0, 65536, NULL, ID, "channels", "mup, mus: n_embd of the model whose lr is given; 0 = this one's", "0"},
    {"model.base_head_dim", INT, AT(model.base_head_dim), "0", 0, 65536, NULL, ID, "channels", "mup: its head_dim, attention then scales by sqrt(base_head_dim) / head_dim; 0 = this one's", "0"},
    {"model.init_seed", INT, AT(model.init_seed), "-1", -1, WHOLE, NULL, ID, "", "seed of the initial weights; -1 = the run's seed", NULL},
    {"model.init.file", TEXT, AT(model.init_file), "", 0, 0, NULL, DATA, "", "start from the weights in this results file, .safetensors, .npz, or folder with one", NULL},
    {"model.init.run", TEXT, AT(model.init_run), "", 0, 0, NULL, DATA, "", "id of the run in that file; empty = its only run", NULL},
    {"model.init.where", TEXT, AT(model.init_where), "", 0, 0, NULL, DATA, "", "its labels instead, such as {format: BF16}; seed, left out, is the run's own", ""},

    {"data.text", TEXT, AT(data.text), "", 0, 0, NULL, DATA, "", "train on this UTF-8 text file", NULL},
    {"data.bin", TEXT, AT(data.bin), "", 0, 0, NULL, DATA, "", "train on the tokens of train.bin and val.bin in this folder", NULL},
    {"data.bin_train", TEXT, AT(data.bin_train), "", 0, 0, NULL, DATA, "", "train on token files of this pattern (* ? [...]), in the order of their paths", ""},
    {"data.bin_val", TEXT, AT(data.bin_val), "", 0, 0, NULL, DATA, "", "the token files for validation, beside data.bin_train", ""},
    {"data.bin_format", WORD, AT(data.bin_format), "auto", 0, 0, s_bin_formats, DATA, "", "of token files: plain = integers alone; llm.c = after its header; auto = each as it is", "auto"},
    {"data.dtype", WORD, AT(data.dtype), "auto", 0, 0, s_dtypes, DATA, "", "integers of plain token files; auto = uint16, refused where they look like others", "auto"},
    {"data.synthetic", WORD, AT(data.synthetic), "none", 0, 0, s_synthetics, DATA, "", "train on a built-in source of known entropy rate", NULL},
    {"data.tokenizer", WORD, AT(data.tokenizer), "char", 0, 0, s_tokenizers, DATA, "", "of data.text: one token per code point, or per byte", NULL},
    {"data.val_fraction", REAL, AT(data.val_fraction), "0.1", 1e-6, 0.999999, NULL, DATA, "", "fraction of the tokens, at the end, kept for validation", NULL},
    {"data.vocab", INT, AT(data.vocab), "0", 0, AG_VOCAB_MAX, NULL, DATA, "", "symbols of data.synthetic (at most 65536); of token files, 0 = largest token + 1", NULL},
    {"data.order", INT, AT(data.order), "2", 0, 16, NULL, DATA, "symbols", "context of data.synthetic", NULL},
    {"data.tokens", INT, AT(data.tokens), "1000000", 16, 1e10, NULL, DATA, "tokens", "length of data.synthetic", NULL},
    {"data.seed", INT, AT(data.seed), "0", 0, WHOLE, NULL, DATA, "", "seed of data.synthetic", NULL},

    {"train.steps", INT, AT(train.steps), "2000", 0, STEPS, NULL, ID, "", "optimizer steps; 0 = only quantise and evaluate", NULL},
    {"train.batch_size", INT, AT(train.batch_size), "12", 1, 65536, NULL, ID, "sequences", "sequences per micro-batch", NULL},
    {"train.grad_accum", INT, AT(train.grad_accum), "1", 1, 65536, NULL, ID, "", "micro-batches per step", NULL},
    {"train.data_order", WORD, AT(train.data_order), "random", 0, 0, s_orders, ID, "", "how sequences are taken from the training part", NULL},
    {"train.data_seed", INT, AT(train.data_seed), "-1", -1, WHOLE, NULL, ID, "", "seed of the random order; -1 = the run's seed", NULL},

    {"train.start.file", TEXT, AT(train.start_file), "", 0, 0, NULL, DATA, "", "begin with the training state that a run in this results file has kept (output.states)", ""},
    {"train.start.run", TEXT, AT(train.start_run), "", 0, 0, NULL, DATA, "", "that run, by id, the beginning of it, name or labels; empty = its only run", ""},
    {"train.start.step", INT, AT(train.start_step), "0", 0, STEPS, NULL, DATA, "steps", "its state after this step, with which this run goes on; 0 = its only state", "0"},

    {"optimizer.type", WORD, AT(optimizer.type), "adamw", 0, 0, s_optimizers, ID, "", "update rule; two use the grid of the weights' format: manifold_adamw scales gradients by its spacing, grid moves weights along it", NULL},
    {"optimizer.lr", REAL, AT(optimizer.lr), "1e-3", 0, 100, NULL, ID, "", "peak learning rate; sgd and grid need about 100 times that of adamw, lion a tenth", NULL},
    {"optimizer.min_lr_ratio", REAL, AT(optimizer.min_lr_ratio), "0.1", 0, 1, NULL, ID, "", "final learning rate as a fraction of lr (not for constant)", NULL},
    {"optimizer.warmup", LENGTH, AT(optimizer.warmup), "100", 0, STEPS, NULL, ID, "steps", "linear warm-up; a share such as 5% is of train.steps", NULL},
    {"optimizer.schedule", WORD, AT(optimizer.schedule), "cosine", 0, 0, s_schedules, ID, "", "learning rate after warm-up; wsd = constant, then linear decay", NULL},
    {"optimizer.decay_fraction", REAL, AT(optimizer.decay_fraction), "0.2", 0, 1, NULL, ID, "", "wsd: fraction of the steps, at the end, in which lr falls", NULL},
    {"optimizer.betas", PAIR, AT(optimizer.betas), "[0.9, 0.99]", 0, 0.9999999, NULL, ID, "", "adamw, manifold_adamw: decay rates of the first and second moments; lion: of the momentum in its sign, and as it is kept; muon: of the tensors that adamw updates", NULL},
    {"optimizer.eps", REAL, AT(optimizer.eps), "1e-8", 1e-30, 1, NULL, ID, "", "adamw, manifold_adamw, muon's adamw: added to the square root of the second moment", NULL},
    {"optimizer.weight_decay", REAL, AT(optimizer.weight_decay), "0.1", 0, 100, NULL, ID, "", "decoupled, on matrices and embeddings only", NULL},
    {"optimizer.independent_decay", BOOL, AT(optimizer.independent_decay), "false", 0, 0, NULL, ID, "", "a step decays by weight_decay times its share of the peak learning rate, not times the learning rate itself", "false"},
    {"optimizer.grad_clip", REAL, AT(optimizer.grad_clip), "1.0", 0, 1e30, NULL, ID, "", "largest global gradient norm; 0 = no clipping", NULL},
    {"optimizer.momentum", REAL, AT(optimizer.momentum), "0.9", 0, 0.9999999, NULL, ID, "", "sgd, grid: fraction of the velocity kept at each step", "0.9"},
    {"optimizer.rung_clip", INT, AT(optimizer.rung_clip), "10", 1, 65535, NULL, ID, "rungs", "grid: largest number of rungs a weight moves per step", "10"},
    {"optimizer.headroom", INT, AT(optimizer.headroom), "2", 0, 64, NULL, ID, "binades", "grid: powers of two by which the largest initial weight can grow", "2"},
    {"optimizer.muon_momentum", REAL, AT(optimizer.muon_momentum), "0.95", 0, 0.9999999, NULL, ID, "", "muon: fraction of the momentum kept at each step", "0.95"},
    {"optimizer.muon_nesterov", BOOL, AT(optimizer.muon_nesterov), "true", 0, 0, NULL, ID, "", "muon: the momentum as the next step would find it is made orthogonal", "true"},
    {"optimizer.muon_scale", WORD, AT(optimizer.muon_scale), "match_rms", 0, 0, s_muon_scales, ID, "", "muon: factor of a matrix's update; match_rms = 0.2 sqrt(max(rows, cols)), for learning rate and decay of adamw; original = sqrt(max(1, rows / cols)), for a learning rate of about 0.02", "match_rms"},
    {"optimizer.muon_ns", WORD, AT(optimizer.muon_ns), "fp32", 0, 0, s_muon_ns, ID, "", "muon: precision in which matrices are made orthogonal", "fp32"},
    {"optimizer.store_error", WORD, AT(optimizer.store_error), "drop", 0, 0, s_store_errors, ID, "", "of weights stored without a master (sites opt.w): what storing loses is dropped, kept in BF16 (kahan), or given back to the momentum (eco; adamw and sgd)", "drop"},
    {"optimizer.adamw_lr", REAL, AT(optimizer.adamw_lr), "0", 0, 100, NULL, ID, "", "muon: peak learning rate of embeddings, lm_head, norms and biases, which adamw updates; 0 = lr", "0"},

    {"eval.every", INT, AT(eval.every), "200", 0, STEPS, NULL, RUN, "steps", "interval between evaluations, each on the same fixed windows (curves val_loss, val_loss_hp); 0 = only after the last step", NULL},
    {"eval.windows", INT, AT(eval.windows), "64", 1, 1e6, NULL, ID, "", "fixed validation windows, spread evenly, of every point of the curves; final_val_loss covers the whole validation part", NULL},
    {"eval.batch", INT, AT(eval.batch), "16", 1, 65536, NULL, ID, "windows", "windows evaluated together", NULL},

    {"stop.on_nonfinite", WORD, AT(stop.on_nonfinite), "stop", 0, 0, s_on_nonfinite, ID, "", "what to do when a loss or gradient norm is not finite", NULL},
    {"stop.loss_ratio", REAL, AT(stop.loss_ratio), "2.0", 0, 1e30, NULL, ID, "", "a run whose loss exceeds this times its first loss has diverged; 0 = never", NULL},

    {"ranks.count", INT, AT(ranks.count), "1", 1, 65536, NULL, ID, "", "data-parallel ranks that the run is trained as if it had; divides train.batch_size, of which each has its share", "1"},
    {"ranks.reduce", WORD, AT(ranks.reduce), "ring", 0, 0, s_reductions, ID, "", "how their gradients are added up: along a ring, two by two, or all at once in float32", "ring"},
    {"ranks.wire", FORMAT, AT(ranks.wire), "fp32", 0, 0, NULL, ID, "", "format in which they send gradients and what is added up of them", "fp32"},

    {"observe.quant_every", INT, AT(observe.quant_every), "100", 0, STEPS, NULL, RUN, "steps", "interval between samples; the first and last steps are always sampled", NULL},
    {"observe.diagnostics", WORDS, AT(observe.diagnostics), "[]", 0, 0, s_diagnostics, RUN, "", "what to sample (see the README)", NULL},

    {"run.retries", INT, AT(limits.retries), "1", 0, 100, NULL, RUN, "", "further attempts after a failure", NULL},
    {"run.time_limit", TIME, AT(limits.time_limit_s), "none", 0, 1e9, NULL, RUN, "s", "a run that takes longer fails", NULL},
    {"run.stall_limit", TIME, AT(limits.stall_limit_s), "10m", 0, 1e9, NULL, RUN, "s", "a run that makes no step for this long fails", NULL},
    {"run.silence_limit", TIME, AT(limits.silence_limit_s), "5m", 0, 1e9, NULL, ALL, "s", "a rank that is silent for this long gets no more runs", NULL},
    {"run.memory_limit", BYTES, AT(limits.memory_limit), "none", 0, WHOLE, NULL, RUN, "bytes", "a run that needs more memory fails", NULL},
    {"run.checkpoint_every", TIME, AT(limits.checkpoint_every_s), "10m", 0, 1e9, NULL, RUN, "s", "interval between checkpoints of a run", NULL},
    {"run.share_trunks", BOOL, AT(limits.share_trunks), "true", 0, 0, NULL, ALL, "", "runs that agree up to a step train these steps once. No bit depends on it", NULL},
    {"run.threads", INT, AT(limits.threads), "auto", 1, 1024, s_auto, RUN, "", "threads inside a run; auto = the cores that the launcher bound to the rank, 1 where it bound none. No bit depends on it", "auto"},

    {"output.file", TEXT, AT(output.file), "", 0, 0, NULL, RUN, "", "results file; empty = the experiment's name followed by .h5", NULL},
    {"output.weights", WORD, AT(output.weights), "final", 0, 0, s_keep_weights, RUN, "", "weights kept in the results", NULL},

    {"output.states", LENGTHS, AT(output.states), "[]", 0, STEPS, NULL, RUN, "steps", "steps after which a run keeps its training state, from which others can begin; a share such as 50% is of train.steps", "[]"},

    {"compare.metric", WORD, AT(compare.metric), "final_val_loss", 0, 0, s_metrics, ALL, "", "what the summary compares; final_val_loss: the whole validation part after the last step, val_loss: the fixed eval.windows then", NULL},
    {"compare.margin", REAL, AT(compare.margin), "0.01", 0, 1e9, NULL, ALL, "nats", "smallest difference that matters", NULL},
    {"compare.family", WORD, AT(compare.family), "all", 0, 0, ag_family_words, ALL, "", "all: the verdicts hold together, by Holm's method over all comparisons; none: each for itself", NULL},
};
// clang-format on

enum { N_PARAMS = sizeof s_params / sizeof s_params[0] };

const ag_param *ag_params(size_t *count)
{
    *count = N_PARAMS;
    return s_params;
}

/* Linear: 60 rows, and reading a value costs more. */
const ag_param *ag_param_find(const char *key)
{
    for (size_t i = 0; i < N_PARAMS; i++) {
        if (strcmp(s_params[i].key, key) == 0)
            return &s_params[i];
    }
    return NULL;
}

const char *ag_param_nearest(const char *key)
{
    const char *keys[N_PARAMS];
    for (size_t i = 0; i < N_PARAMS; i++)
        keys[i] = s_params[i].key;
    return ag_nearest_word(key, keys, N_PARAMS);
}

/* Through the same reader as a user's values: a default that is out of its own range would be found
 * by the first test. */
void ag_run_defaults(ag_run *run)
{
    *run = (ag_run){0};
    for (size_t i = 0; i < N_PARAMS; i++)
        ag_param_preset(run, &s_params[i], s_params[i].default_text);
}

/* In whole numbers, rounded half up: a double would round some shares differently on no machine we
 * know, but need not. */
int64_t ag_steps_settle(int64_t steps, int64_t of)
{
    return steps < 0 ? (-steps * of + AG_SHARE_WHOLE / 2) / AG_SHARE_WHOLE : steps;
}

static void settle_list(ag_step_list *list, int64_t of)
{
    ag_step_list settled = {0};
    for (int64_t i = 0; i < list->count; i++)
        ag_step_list_add(&settled, ag_steps_settle(list->at[i], of));
    *list = settled;
}

void ag_run_settle(ag_run *run)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        void *value = (char *)run + params[i].offset;
        if (params[i].type == AG_PARAM_STEPS)
            *(int64_t *)value = ag_steps_settle(*(int64_t *)value, run->train.steps);
        else if (params[i].type == AG_PARAM_STEP_LIST)
            settle_list(value, run->train.steps);
    }
}

/* One kind of data, so that nobody wonders which of two was used. Each message names the key that
 * is to be changed. */
static ag_status check_data(const ag_data_spec *data)
{
    bool is_text = data->text[0] != '\0';
    bool is_bin = data->bin[0] != '\0';
    bool is_shards = data->bin_train[0] != '\0' || data->bin_val[0] != '\0';
    bool is_synthetic = data->synthetic != AG_SYNTHETIC_NONE;
    int kinds = is_text + is_bin + is_shards + is_synthetic;
    if (kinds != 1)
        return ag_fail(AG_ERR_INPUT,
                       "data: %s of text, bin, bin_train and synthetic is set; give exactly one, "
                       "such as 'text: input.txt'",
                       kinds == 0 ? "none" : "more than one");
    if (is_shards && (data->bin_train[0] == '\0' || data->bin_val[0] == '\0'))
        return ag_fail(AG_ERR_INPUT,
                       "data.%s: this pattern of token files needs its other half, such as "
                       "'%s: DIR/*_%s_*.bin'",
                       data->bin_train[0] != '\0' ? "bin_train" : "bin_val",
                       data->bin_train[0] != '\0' ? "bin_val" : "bin_train",
                       data->bin_train[0] != '\0' ? "val" : "train");
    if (is_synthetic && data->vocab < 2)
        return ag_fail(AG_ERR_INPUT,
                       "data.vocab: the synthetic source needs 2 symbols or more, such as "
                       "'vocab: 64'");
    if (is_synthetic && data->vocab > 65536)
        return ag_fail(AG_ERR_INPUT, "data.vocab: the synthetic source has at most 65536 symbols");
    if (is_text && data->vocab != 0)
        return ag_fail(AG_ERR_INPUT, "data.vocab: the text itself decides its symbols; leave this "
                                     "key out");
    return AG_OK;
}

/* A grid that weights move along has one scale, which is set once. The update moves weights from
 * one value of it to the next, and must know where they are. */
static ag_status check_grid(const ag_run *run)
{
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        const ag_scheme *scheme = ag_layer_grid(run, i);
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        if (scheme != NULL && scheme->constant > 0.0f)
            return ag_fail(
                AG_ERR_INPUT,
                "optimizer.type: grid sets the scale of its weights by their first amax, "
                "but those of %s have a static one; exclude the combination, or take "
                "another optimizer",
                layer.name);
        if (scheme == NULL || scheme->granularity == AG_GRANULARITY_TENSOR)
            continue;
        return ag_fail(AG_ERR_INPUT,
                       "optimizer.type: grid needs weights with one scale per tensor, but those of "
                       "%s have granularity '%s'; exclude the combination, or take another "
                       "optimizer",
                       layer.name, ag_granularity_words[scheme->granularity]);
    }
    return AG_OK;
}

/* Weights that move along a grid, or whose moves depend on it, are stored by no other rule. */
static ag_status check_stored(const ag_run *run)
{
    ag_optimizer_type type = (ag_optimizer_type)run->optimizer.type;
    bool is_kahan = run->optimizer.store_error == AG_STORE_ERROR_KAHAN;
    bool is_eco = run->optimizer.store_error == AG_STORE_ERROR_ECO;
    if (!ag_run_stores_weights(run))
        return AG_OK;
    if (ag_optimizer_of(run)->fixes_scale)
        return ag_fail(AG_ERR_INPUT,
                       "optimizer.type: grid keeps weights on the values of their format itself, "
                       "and a rule stores them in another way (opt.w); take the rule out, or "
                       "another optimizer");
    if (is_eco && type != AG_OPTIMIZER_ADAMW && type != AG_OPTIMIZER_SGD)
        return ag_fail(AG_ERR_INPUT,
                       "optimizer.store_error: eco gives back what storing loses to the momentum "
                       "of adamw or sgd, and optimizer.type is %s; use kahan or drop, or one of "
                       "these two",
                       s_optimizers[type]);
    if (is_kahan && ag_optimizer_of(run)->has_moving_spacing)
        return ag_fail(AG_ERR_INPUT,
                       "optimizer.store_error: kahan adds up the steps of weights, and those of "
                       "%s follow the grid that the weights lie on; use drop, or adamw",
                       s_optimizers[type]);
    return AG_OK;
}

/* The decay of a step is a share of the peak. */
static ag_status check_decay(const ag_optimizer_spec *optimizer)
{
    if (optimizer->independent_decay && optimizer->weight_decay > 0 && optimizer->lr == 0)
        return ag_fail(AG_ERR_INPUT,
                       "optimizer.independent_decay: decays by each step's share of the peak "
                       "learning rate, and optimizer.lr is 0; give lr a value above 0, or leave "
                       "independent_decay out");
    return AG_OK;
}

static bool same_grid(const ag_scheme *a, const ag_scheme *b)
{
    return a == NULL || b == NULL ? a == b : ag_scheme_equal(a, b);
}

/* And it is the same throughout: weights on the values of one format lie between those of another.
 */
static ag_status check_one_grid(const ag_run *run)
{
    size_t layers = ag_layer_count(&run->model);
    ag_run first = ag_run_in_phase(run, 0);
    AG_TRY(check_grid(&first));
    for (size_t at = layers; at < layers * ag_phase_count(run); at++) {
        ag_run later = ag_run_in_phase(run, at / layers);
        if (same_grid(ag_layer_grid(&first, at % layers), ag_layer_grid(&later, at % layers)))
            continue;
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, at % layers);
        return ag_fail(AG_ERR_INPUT,
                       "optimizer.type: grid needs one format of the weights throughout, but that "
                       "of %s changes at step %" PRId64 "; change input and grad_output alone, or "
                       "take another optimizer",
                       layer.name, ag_phase_begin(run, at / layers));
    }
    return AG_OK;
}

/* What storing lost so far is about one format. */
static ag_status check_stored_throughout(const ag_run *run)
{
    size_t sites = ag_site_count(&run->model);
    static const ag_layer_precision off;
    for (size_t at = sites; at < sites * ag_phase_count(run); at++) {
        ag_run later = ag_run_in_phase(run, at / sites);
        ag_site site = ag_site_at(&run->model, at % sites);
        const ag_layer_precision *first = run->sites == NULL ? &off : &run->sites[at % sites];
        const ag_layer_precision *now = later.sites == NULL ? &off : &later.sites[at % sites];
        if (site.kind == AG_SITE_OPT_W && !ag_layer_precision_equal(first, now))
            return ag_fail(AG_ERR_INPUT,
                           "formats: weights that are stored in a format have it throughout, but "
                           "that of %s changes at step %" PRId64 "; leave 'from', 'until' and "
                           "'phases' out of the format that its rule names",
                           site.name, ag_phase_begin(run, at / sites));
    }
    return AG_OK;
}

/* Ranks have equal shares. */
static ag_status check_ranks(const ag_run *run)
{
    if (run->train.batch_size % run->ranks.count != 0)
        return ag_fail(AG_ERR_INPUT,
                       "ranks.count: the %lld sequences of train.batch_size do not divide among "
                       "%lld ranks; give a number of ranks that divides it, or another batch_size",
                       (long long)run->train.batch_size, (long long)run->ranks.count);
    return AG_OK;
}

/* The state has weights of its own, and steps are left. */
static ag_status check_start(const ag_run *run)
{
    const ag_train_spec *train = &run->train;
    if (train->start_file[0] == '\0' && (train->start_run[0] != '\0' || train->start_step != 0))
        return ag_fail(AG_ERR_INPUT,
                       "train.start.%s: says which state of a results file the run begins with, "
                       "and no file is named; add train.start.file",
                       train->start_run[0] != '\0' ? "run" : "step");
    if (train->start_file[0] != '\0' && run->model.init_file[0] != '\0')
        return ag_fail(AG_ERR_INPUT,
                       "train.start.file: a state has weights, and model.init.file names others "
                       "to begin with; leave one of the two out");
    if (train->start_step > 0 && train->start_step >= train->steps)
        return ag_fail(AG_ERR_INPUT,
                       "train.start.step: after step %" PRId64 " nothing is left to train for a "
                       "run of %" PRId64 " steps (train.steps counts from the beginning of the "
                       "trunk); give more steps, or an earlier state",
                       train->start_step, train->steps);
    return AG_OK;
}

/* A state lies behind a step that the run trains. */
static ag_status check_states(const ag_run *run)
{
    const ag_step_list *states = &run->output.states;
    for (int64_t i = 0; i < states->count; i++) {
        if (states->at[i] > run->train.start_step && states->at[i] <= run->train.steps)
            continue;
        if (run->train.start_step > 0 && states->at[i] <= run->train.start_step)
            return ag_fail(AG_ERR_INPUT,
                           "output.states: %" PRId64 " is no step of a run that begins with the "
                           "state after step %" PRId64 " (train.start); give a later one",
                           states->at[i], run->train.start_step);
        return ag_fail(
            AG_ERR_INPUT,
            "output.states: %" PRId64 " is no number of steps after which a run of %" PRId64
            " (train.steps) has a state; give one from 1 to %" PRId64 ", or a share such as 50%%",
            states->at[i], run->train.steps, run->train.steps);
    }
    return AG_OK;
}

/* It compares gradients of few sequences with those of more. */
static ag_status check_noise(const ag_run *run)
{
    bool wanted = (run->observe.diagnostics >> AG_OBSERVE_NOISE & 1) != 0;
    if (wanted && run->train.grad_accum * run->ranks.count < 2)
        return ag_fail(AG_ERR_INPUT,
                       "observe.diagnostics: noise compares the gradients of a step's "
                       "micro-batches, and train.grad_accum is 1; give it 2 or more, or leave "
                       "noise out");
    return AG_OK;
}

/* mup's factors are for steps whose size does not follow the gradient's. */
static ag_status check_parametrisation(const ag_run *run)
{
    if (run->model.param != AG_PARAMETRISATION_MUP || ag_optimizer_of(run)->fits_mup)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "model.param: mup scales the learning rates of Adam and Lion, not of "
                   "optimizer.type %s; take adamw, or param: standard",
                   s_optimizers[run->optimizer.type]);
}

/* In the order in which somebody would mend them. */
ag_status ag_run_check(const ag_run *run)
{
    AG_TRY(ag_spec_check(&run->model));
    AG_TRY(check_data(&run->data));
    AG_TRY(check_parametrisation(run));
    if (ag_optimizer_of(run)->fixes_scale && run->layers != NULL) /* NULL: formats have errors */
        AG_TRY(check_one_grid(run));
    AG_TRY(check_decay(&run->optimizer));
    AG_TRY(check_stored(run));
    AG_TRY(check_stored_throughout(run));
    AG_TRY(check_ranks(run));
    AG_TRY(check_noise(run));
    AG_TRY(check_start(run));
    AG_TRY(check_states(run));
    if (run->stop.loss_ratio > 0 && run->stop.loss_ratio <= 1)
        return ag_fail(AG_ERR_INPUT,
                       "stop.loss_ratio: at %g a run would count as diverged although its loss "
                       "falls; give a ratio above 1, or 0 for never",
                       run->stop.loss_ratio);
    return AG_OK;
}
