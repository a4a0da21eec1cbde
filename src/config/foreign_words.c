/* Words of PyTorch, nanoGPT, Hugging Face and other trainers, and what stands for them here. Nobody
 * reads a manual before the first try: whoever types what the last trainer took is told the word of
 * this one. */
#include <string.h>

#include "findings.h"
#include "run/params.h"

typedef struct foreign_word {
    const char *words; /* lower case with '_', a space between them */
    const char *ours;
    const char *note; /* what else to know, or NULL */
} foreign_word;

/* clang-format off */
static const foreign_word s_keys[] = {
    /* what a word means in one section alone */
    {"eval.steps eval.frequency", "eval.every", "in steps"},
    {"eval.batch_size", "eval.batch", NULL},
    {"eval.iters eval.samples", "eval.windows", NULL},
    {"data.file data.filename data.input data.text_file data.source data.name", "data.text", "or data.bin, a folder with train.bin and val.bin"},
    {"data.train", "data.bin_train", "or data.bin, a folder with train.bin and val.bin"},
    {"data.val data.validation", "data.bin_val", "or data.bin, a folder with train.bin and val.bin"},
    {"optimizer.name optimizer.algorithm optimizer.method", "optimizer.type", NULL},
    {"optimizer.nesterov", NULL, "altgrad's sgd has plain momentum: leave it out"},
    {"learning_rate base_lr max_lr peak_lr", "optimizer.lr", NULL},
    {"min_lr final_lr end_lr lr_min", "optimizer.min_lr_ratio", "a part of lr, such as 0.1"},
    {"warmup_iters warmup_steps num_warmup_steps warmup_ratio warmup_fraction warmup_epochs", "optimizer.warmup", "in steps, or a share of them such as 5%"},
    {"max_iters max_steps num_steps num_iterations iterations iters n_steps total_steps total_iters train_steps train_iters max_train_steps updates", "train.steps", NULL},
    {"epochs epoch num_epochs n_epochs num_train_epochs max_epochs", "train.steps", "'altgrad plan' tells how many epochs they are"},
    {"lr_decay_iters decay_steps", "train.steps", "the schedule ends with them; of wsd, optimizer.decay_fraction"},
    {"decay_lr lr_scheduler lr_scheduler_type lr_schedule scheduler", "optimizer.schedule", NULL},
    {"gradient_accumulation_steps gradient_accumulation accumulation_steps accumulate_grad_batches grad_accumulation_steps grad_acc grad_acc_steps", "train.grad_accum", NULL},
    {"batch batchsize bs micro_batch_size per_device_train_batch_size train_batch_size", "train.batch_size", NULL},
    {"beta1 beta2 beta_1 beta_2 adam_beta1 adam_beta2", "optimizer.betas", "as in betas: [0.9, 0.99]"},
    {"adam_epsilon epsilon adam_eps", "optimizer.eps", NULL},
    {"wd l2", "optimizer.weight_decay", NULL},
    {"clip_grad_norm max_grad_norm gradient_clip_val gradient_clipping clip clip_grad", "optimizer.grad_clip", NULL},
    {"optim optimiser optimizer_type", "optimizer.type", NULL},
    {"eval_interval eval_steps eval_every val_interval eval_freq interval every_steps val_every", "eval.every", "in steps"},
    {"eval_iters eval_batches val_batches num_batches eval_samples", "eval.windows", NULL},
    {"log_interval logging_steps", "observe.quant_every", "losses are kept of every step"},
    {"save_interval save_steps checkpoint_interval", "run.checkpoint_every", "a time, such as 10m"},
    {"out_dir output_dir save_dir out log_dir", "output.file", NULL},
    {"vocab_size n_vocab padded_vocab_size", "data.vocab", "of text, its symbols decide"},
    {"val_split test_size validation_split val_ratio eval_fraction", "data.val_fraction", NULL},
    {"train_bin train_files train_data", "data.bin_train", "or data.bin, a folder with train.bin and val.bin"},
    {"val_bin val_files val_data valid", "data.bin_val", "or data.bin, a folder with train.bin and val.bin"},
    {"num_tokens max_tokens token_count", "data.tokens", "of the synthetic source; train.steps says how long a run trains"},
    {"dataset dataset_path data_dir data_path train_file input_file corpus path", "data.text", "or data.bin, a folder with train.bin and val.bin"},
    {"n_layers num_layers num_hidden_layers layers depth n_blocks", "model.n_layer", NULL},
    {"n_heads num_heads num_attention_heads heads", "model.n_head", NULL},
    {"hidden_size hidden_dim d_model n_embed n_embedding embed_dim embedding_dim dim width model_dim", "model.n_embd", NULL},
    {"seq_len seqlen seq_length sequence_length max_seq_len max_seq_length context_length context n_ctx n_positions max_position_embeddings block", "model.block_size", NULL},
    {"activation_function hidden_act act_fn activation", "model.mlp", "gelu, relu2 or swiglu; model.gelu has GELU's two forms"},
    {"num_key_value_heads n_kv_heads num_kv_heads n_query_groups num_query_groups", "model.n_kv_head", NULL},
    {"head_size d_head kv_channels", "model.head_dim", NULL},
    {"intermediate_size ffn_hidden_size n_inner d_ff ffn_dim mlp_dim hidden_features", "model.mlp_hidden", NULL},
    {"multiple_of", "model.mlp_multiple_of", NULL},
    {"rms_norm_eps layer_norm_eps layernorm_epsilon layer_norm_epsilon", "model.norm_eps", NULL},
    {"normalization norm_type norm_class", "model.norm", "layernorm, rmsnorm or none"},
    {"rope_base rotary_base rope", "model.rope_theta", "with model.position: rope"},
    {"rotary_pct partial_rotary_factor rotary_percentage", "model.rope_fraction", NULL},
    {"position_embedding_type positional_encoding pos_emb", "model.position", "learned, rope or none"},
    {"use_qk_norm qk_layernorm", "model.qk_norm", "none, head or full"},
    {"final_logit_softcapping logits_soft_cap softcap", "model.logit_softcap", NULL},
    {"attn_logit_softcapping attention_softcap", "model.attn_softcap", NULL},
    {"initializer_range init_scale", "model.init_std", NULL},
    {"attn_pdrop resid_pdrop embd_pdrop dropout_rate", "model.dropout", NULL},
    {"tie_word_embeddings tie_embeddings weight_tying", "model.tie_weights", NULL},
    {"init_from checkpoint resume_from pretrained init_checkpoint", "model.init.file", NULL},
    {"resume restart", NULL, "'altgrad run' goes on from checkpoints by itself: leave it out"},
    {"random_seed seed num_seeds n_seeds manual_seed repeats repetitions replicates n_repeats trials", "seeds", "a key of its own, such as seeds: 3"},
    {"format quantization quantisation precisions dtypes", "formats", "a list"},
    {"layer_config layer_rules mixed_precision skip_patterns", "layer_configs", NULL},
    {"dtype ptdtype precision torch_dtype amp autocast bf16 fp16", "formats", "matrix products are BF16 unless a format or FP32 says another"},
    {"blas_core", NULL, "it is gone, since products have the same bits on every CPU: delete the line"},
    {"device compile backend num_workers n_gpus cuda", NULL, "altgrad trains on CPU cores, one run per rank: leave it out"},
};

static const foreign_word s_roles[] = {
    {"gradient gradients grad grads grad_out grad_outputs output_grad dy", "grad_output", NULL},
    {"activation activations act acts x inputs", "input", NULL},
    {"weights w param params parameters", "weight", NULL},
    {"granularity block_size blocks amax history margin pow2 e8m0 scale select candidates", "scaling", "as in scaling: {granularity: row}"},
    {"stochastic stochastic_rounding round", "rounding", "nearest or stochastic"},
    {"format formats dtype type element default", "all", NULL},
    {"rht random_hadamard", "hadamard", NULL},
    {"accumulator accumulation accum acc accumulators accumulate_in acc_dtype accumulator_dtype terms promote split_accumulator use_split_accumulator use_fast_accum", "accumulate", "such as accumulate: h100-fp8, or a mapping of terms, fraction, into, ..."},
};

static const foreign_word s_parts[] = {
    {"attn self_attn self_attention mha", "attention", NULL},
    {"ffn feed_forward feedforward ff mlps fc", "mlp", NULL},
    {"head output unembedding logits", "lm_head", NULL},
    {"other others rest default_format", "default", NULL},
};
/* By ag_foreign_list. */
static const struct {
    const foreign_word *rows;
    size_t count;
} s_lists[] = {
    [AG_WORDS_KEYS] = {s_keys,  sizeof s_keys / sizeof s_keys[0]  },
    [AG_WORDS_ROLES] = {s_roles, sizeof s_roles / sizeof s_roles[0]},
    [AG_WORDS_PARTS] = {s_parts, sizeof s_parts / sizeof s_parts[0]},
};

/* Whether the space-separated list has the word; letter case and '-' for '_' are ignored. */
static bool has_word(const char *list, const char *word)
{
    char plain[64];
    size_t length = strlen(word);
    if (length == 0 || length >= sizeof plain)
        return false;
    for (size_t i = 0; i <= length; i++) {
        plain[i] = (char)(word[i] == '-' ? '_' : word[i]);
        if (plain[i] >= 'A' && plain[i] <= 'Z')
            plain[i] = (char)(plain[i] - 'A' + 'a');
    }
    for (const char *at = list; (at = strstr(at, plain)) != NULL; at++) {
        bool starts = at == list || at[-1] == ' ';
        if (starts && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The parameter of that name in whatever section, where only one has it. */
static const char *elsewhere(const char *word)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *leaf = strchr(params[i].key, '.');
        if (leaf == NULL || strcmp(leaf + 1, word) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = params[i].key;
    }
    return found;
}

/* A word without a counterpart has a note that says why. */
const char *ag_foreign_hint(const char **ours, ag_findings *findings, ag_foreign_list list,
                            const char *word)
{
    const char *note = NULL;
    bool known = false;
    *ours = NULL;
    for (size_t i = 0; i < s_lists[list].count && !known; i++) {
        const foreign_word *row = &s_lists[list].rows[i];
        if (!has_word(row->words, word))
            continue;
        known = true;
        *ours = row->ours;
        note = row->note;
    }
    if (list == AG_WORDS_KEYS && !known)
        *ours = elsewhere(word);
    const char *hint = "";
    if (*ours != NULL)
        hint = ag_arena_printf(findings->arena, "; here that is '%s'%s%s%s", *ours,
                               note != NULL ? " (" : "", note != NULL ? note : "",
                               note != NULL ? ")" : "");
    else if (known)
        hint = ag_arena_printf(findings->arena, "; %s", note);
    return hint != NULL ? hint : "";
}
