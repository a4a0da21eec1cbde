/* A run: one training, fully said. A plain struct that is copied freely; strings and layer
 * precisions are borrowed from whoever parsed them. What each member means, its range and default
 * stand once, in the table of params.c. */
#ifndef AG_RUN_RUN_H
#define AG_RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numerics/layer_precision.h"

enum { AG_ID_LENGTH = 12, AG_DIGEST_LENGTH = 64 };

/* Part of each id. 1: products by OpenBLAS, whose kernels had bits of their own. 2: each product is
 * a defined chain, and AdamW takes 1 - beta in double. */
enum { AG_NUMERICS_VERSION = 2 };
enum { AG_VOCAB_MAX = 1 << 24 }; /* symbols: so many whole numbers a float32 tells apart */

typedef enum ag_gelu { AG_GELU_EXACT, AG_GELU_TANH } ag_gelu;
typedef enum ag_norm_kind { AG_NORM_LAYERNORM, AG_NORM_RMSNORM, AG_NORM_NONE } ag_norm_kind;
typedef enum ag_norm_place { AG_NORM_PRE, AG_NORM_RES_POST, AG_NORM_SANDWICH } ag_norm_place;
typedef enum ag_position { AG_POSITION_LEARNED, AG_POSITION_ROPE, AG_POSITION_NONE } ag_position;
typedef enum ag_mlp { AG_MLP_GELU, AG_MLP_RELU2, AG_MLP_SWIGLU } ag_mlp;
typedef enum ag_qkv { AG_QKV_FUSED, AG_QKV_SPLIT } ag_qkv;
typedef enum ag_parametrisation {
    AG_PARAMETRISATION_STANDARD,
    AG_PARAMETRISATION_MUP,
    AG_PARAMETRISATION_MUS
} ag_parametrisation;
typedef enum ag_gate_up { AG_GATE_UP_SPLIT, AG_GATE_UP_FUSED } ag_gate_up;
typedef enum ag_qk_norm { AG_QK_NORM_NONE, AG_QK_NORM_HEAD, AG_QK_NORM_FULL } ag_qk_norm;
typedef enum ag_tokenizer { AG_TOKENIZER_CHAR, AG_TOKENIZER_BYTE } ag_tokenizer;
typedef enum ag_token_dtype { AG_DTYPE_AUTO, AG_DTYPE_UINT16, AG_DTYPE_UINT32 } ag_token_dtype;
typedef enum ag_bin_format { AG_BIN_AUTO, AG_BIN_PLAIN, AG_BIN_LLMC } ag_bin_format;
typedef enum ag_synthetic { AG_SYNTHETIC_NONE, AG_SYNTHETIC_MARKOV } ag_synthetic;
typedef enum ag_data_order { AG_ORDER_RANDOM, AG_ORDER_SEQUENTIAL } ag_data_order;
typedef enum ag_optimizer_type {
    AG_OPTIMIZER_ADAMW,
    AG_OPTIMIZER_SGD,
    AG_OPTIMIZER_MANIFOLD_ADAMW, /* AdamW, gradients scaled by the spacing of the weights' grid */
    AG_OPTIMIZER_GRID, /* SGD in steps from one value of the weights' format to the next */
    AG_OPTIMIZER_LION, /* the sign of a momentum */
    AG_OPTIMIZER_MUON, /* a momentum made orthogonal, of the matrices in blocks; AdamW elsewhere */
    AG_OPTIMIZERS
} ag_optimizer_type;
typedef enum ag_schedule {
    AG_SCHEDULE_COSINE,
    AG_SCHEDULE_LINEAR,
    AG_SCHEDULE_CONSTANT,
    AG_SCHEDULE_WSD
} ag_schedule;
typedef enum ag_muon_scale { AG_MUON_MATCH_RMS, AG_MUON_ORIGINAL } ag_muon_scale;
typedef enum ag_muon_ns { AG_MUON_NS_FP32, AG_MUON_NS_BF16 } ag_muon_ns;
typedef enum ag_store_error {
    AG_STORE_ERROR_DROP,
    AG_STORE_ERROR_KAHAN,
    AG_STORE_ERROR_ECO
} ag_store_error;
typedef enum ag_on_nonfinite { AG_ON_NONFINITE_STOP, AG_ON_NONFINITE_SKIP } ag_on_nonfinite;
typedef enum ag_keep_weights {
    AG_WEIGHTS_NONE,
    AG_WEIGHTS_FINAL,
    AG_WEIGHTS_INITIAL_FINAL
} ag_keep_weights;

/* BF16: operands and results of every matrix product are rounded to BF16. FP32: nothing is. */
typedef enum ag_compute { AG_COMPUTE_BF16, AG_COMPUTE_FP32 } ag_compute;

typedef struct ag_model_spec {
    int64_t n_layer;
    int64_t n_head;
    int64_t n_embd;     /* C, channels */
    int64_t block_size; /* T, tokens */
    bool bias;
    bool tie_weights;
    double dropout;
    int64_t gelu; /* ag_gelu */

    /* 0 where model_spec.h derives them */
    int64_t n_kv_head;  /* K */
    int64_t head_dim;   /* D */
    int64_t mlp_hidden; /* F */
    int64_t mlp_multiple_of;

    int64_t norm; /* ag_norm_kind */
    double norm_eps;
    bool norm_affine;   /* norms have gains, and biases where `bias` says so */
    int64_t norm_place; /* ag_norm_place */
    double post_gain;   /* initial gain of norms behind a branch */
    bool final_norm;
    int64_t position; /* ag_position */
    double rope_theta;
    double rope_fraction; /* of a head's channels, which turn */
    int64_t mlp;          /* ag_mlp */
    int64_t qkv;          /* ag_qkv */
    int64_t gate_up;      /* ag_gate_up */
    int64_t qk_norm;      /* ag_qk_norm */
    bool qk_gain;
    double attn_scale;   /* 0: 1 / sqrt(D) */
    double attn_softcap; /* 0: none */
    double embd_scale;
    double skip_scale;
    double branch_scale;
    double logit_scale;
    double logit_softcap; /* 0: none */
    double z_loss;
    double init_std;
    int64_t param;         /* ag_parametrisation */
    int64_t base_width;    /* n_embd of the model that was tuned; 0: this one's */
    int64_t base_head_dim; /* and its head_dim; 0: this one's */

    int64_t init_seed;      /* -1: the run's seed */
    const char *init_file;  /* a results file whose run gives the initial weights; "" = random */
    const char *init_run;   /* its run id */
    const char *init_where; /* or its labels, a line "axis=value" each: config puts the id in their
                               place; NULL = "", none */
} ag_model_spec;

typedef struct ag_data_spec {
    const char *text; /* exactly one of text, bin, bin_train and synthetic is set; "" = unset */
    const char *bin;
    const char *bin_train; /* a pattern of paths, and bin_val with it; NULL = unset, as "" */
    const char *bin_val;
    int64_t dtype;      /* ag_token_dtype */
    int64_t bin_format; /* ag_bin_format */
    int64_t synthetic;  /* ag_synthetic */
    int64_t tokenizer;  /* ag_tokenizer */
    double val_fraction;
    int64_t vocab;  /* bin: 0 = largest token + 1; markov: number of symbols */
    int64_t order;  /* markov: symbols of context */
    int64_t tokens; /* markov: corpus length */
    int64_t seed;   /* markov */
} ag_data_spec;

typedef struct ag_train_spec {
    int64_t steps;
    int64_t batch_size; /* B, sequences a micro-batch */
    int64_t grad_accum; /* micro-batches a step */
    int64_t data_order; /* ag_data_order */
    int64_t data_seed;  /* -1: the run's seed */

    const char *start_file; /* the results of the run whose state this one begins with; "" = none */
    const char *start_run;  /* its id, or what else names it: config puts the id in its place */
    int64_t start_step;     /* the steps behind that state, the first of this run; 0 = none, or to
                               config the only state there is */
} ag_train_spec;

typedef struct ag_optimizer_spec {
    int64_t type; /* ag_optimizer_type */
    double lr;
    double min_lr_ratio;
    int64_t warmup;        /* steps */
    int64_t schedule;      /* ag_schedule */
    double decay_fraction; /* wsd: the last part of the steps in which lr falls */
    double betas[2];
    double eps;
    double weight_decay;
    bool independent_decay; /* decay is weight_decay times the share of lr that the schedule has */
    double grad_clip;       /* global norm; 0 = none */
    double momentum;        /* sgd, grid */
    int64_t rung_clip;      /* grid: rungs a step */
    int64_t headroom; /* grid: powers of two from the largest initial weight to the grid's end */
    double muon_momentum;
    bool muon_nesterov;
    int64_t muon_scale;  /* ag_muon_scale */
    int64_t muon_ns;     /* ag_muon_ns */
    int64_t store_error; /* ag_store_error */
    double adamw_lr;     /* muon: peak of the tensors that AdamW updates; 0 = lr */
} ag_optimizer_spec;

typedef struct ag_eval_spec {
    int64_t every;   /* steps; 0 = only at the end */
    int64_t windows; /* of a periodic evaluation */
    int64_t batch;   /* windows evaluated together */
} ag_eval_spec;

typedef struct ag_stop_spec {
    int64_t on_nonfinite; /* ag_on_nonfinite */
    double loss_ratio;    /* diverged above this times the loss of step 0; 0 = never */
} ag_stop_spec;

/* How a reduction adds up the gradients of ranks, by the words of ranks.reduce. */
typedef enum ag_reduce_kind { AG_REDUCE_RING, AG_REDUCE_TREE, AG_REDUCE_ONESHOT } ag_reduce_kind;

/* The data-parallel ranks that a run is trained as if it had. */
typedef struct ag_ranks_spec {
    int64_t count;
    int64_t reduce;   /* ag_reduce_kind */
    const char *wire; /* the format of what they send, by its canonical name */
} ag_ranks_spec;

/* What is sampled, by the words of observe.diagnostics. */
typedef enum ag_diagnostic {
    AG_OBSERVE_QUANT,
    AG_OBSERVE_FLIPS,
    AG_OBSERVE_GRAD,
    AG_OBSERVE_GRID,
    AG_OBSERVE_RANK,
    AG_OBSERVE_KURTOSIS,
    AG_OBSERVE_NONFINITE,
    AG_OBSERVE_ATTN,
    AG_OBSERVE_LOGITS,
    AG_OBSERVE_LOGIT_SHARPNESS,
    AG_OBSERVE_RMS,
    AG_OBSERVE_NOISE,
    AG_OBSERVE_SHARPNESS,
    AG_DIAGNOSTICS
} ag_diagnostic;

typedef struct ag_observe_spec {
    int64_t quant_every; /* steps */
    int64_t diagnostics; /* bit 1 << ag_diagnostic: it is sampled */
} ag_observe_spec;

/* What a supervisor enforces; no part of the run's identity. */
typedef struct ag_limits_spec {
    int64_t retries;
    double time_limit_s;    /* 0 = none */
    double stall_limit_s;   /* 0 = none */
    double silence_limit_s; /* of a rank, not of a run; 0 = none */
    int64_t memory_limit;   /* bytes; 0 = none */
    double checkpoint_every_s;
    bool share_trunks;
    int64_t threads; /* 0: the cores that are bound to the rank */
} ag_limits_spec;

enum { AG_MOST_STATES = 16 };

/* Numbers of steps, each once, the smallest first. */
typedef struct ag_step_list {
    int64_t count;
    int64_t at[AG_MOST_STATES]; /* a share that is not settled yet is negative (params.h) */
} ag_step_list;

typedef struct ag_output_spec {
    const char *file;
    int64_t weights;     /* ag_keep_weights */
    ag_step_list states; /* after which the run keeps its state (run/kept_state.h) */
} ag_output_spec;

/* Whether the verdicts of an experiment hold together, or each for itself. */
typedef enum ag_family { AG_FAMILY_ALL, AG_FAMILY_NONE, AG_FAMILIES } ag_family;

extern const char *const ag_family_words[AG_FAMILIES + 1]; /* NULL at the end */

/* How the summary compares runs: the same for every run of an experiment. */
typedef struct ag_compare_spec {
    int64_t metric; /* index of its word */
    double margin;  /* nats a token */
    int64_t family; /* ag_family */
} ag_compare_spec;

/* What the data turned out to be: read from the corpus, part of the identity by its digest. */
typedef struct ag_data_facts {
    char digest[AG_DIGEST_LENGTH + 1];
    int64_t vocab_size; /* V */
    int64_t train_tokens;
    int64_t val_tokens;
} ag_data_facts;

/* The precision of the steps from one on, to the next phase's. */
typedef struct ag_phase {
    int64_t from;                     /* a step, from 1 to train.steps - 1 */
    const ag_layer_precision *layers; /* as those of a run */
    const ag_layer_precision *sites;
} ag_phase;

struct ag_start; /* run/kept_state.h */

typedef struct ag_run {
    ag_model_spec model;
    ag_data_spec data;
    ag_train_spec train;
    ag_optimizer_spec optimizer;
    ag_eval_spec eval;
    ag_stop_spec stop;
    ag_ranks_spec ranks;
    ag_observe_spec observe;
    ag_limits_spec limits; /* section "run" of the experiment file */
    ag_output_spec output;
    ag_compare_spec compare;

    ag_data_facts facts;
    char init_digest[AG_DIGEST_LENGTH + 1];  /* of model.init's weights; "" = random init */
    char start_digest[AG_DIGEST_LENGTH + 1]; /* of train.start's state; "" = none */
    const struct ag_start *start;            /* that state, borrowed, where the run is trained */
    ag_compute compute;
    const ag_layer_precision *layers; /* [ag_layer_count(&run.model)], borrowed, normalised */
    const ag_layer_precision *sites;  /* [ag_site_count(&run.model)], or NULL: none is on */
    size_t n_phases;        /* in which the precision is another than before: see run/phases.h */
    const ag_phase *phases; /* [n_phases], borrowed, in the order of steps; layers and sites are
                               those of the steps before */
    int64_t seed;
    char id[AG_ID_LENGTH + 1];
} ag_run;

/* Steps that the run trains itself: those before are the state's that it begins with. */
static inline int64_t ag_run_own_steps(const ag_run *run)
{
    return run->train.steps - run->train.start_step;
}

#endif
