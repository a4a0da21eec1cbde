/* A scheme says how one operand of one matrix product is quantised. A plain struct: it flows from
 * the experiment file through the run's id into the training step. */
#ifndef AG_NUMERICS_SCHEME_H
#define AG_NUMERICS_SCHEME_H

#include <stdbool.h>
#include <stddef.h>

#include "numerics/format.h"

/* Which elements share a scale. A product sums over one axis of its operand; a row is what it sums
 * over, one for each index of the other axis, however the tensor is stored. So in Y = X W^T a row
 * is a token of X and an output channel of W, in dW = dY^T X a channel of dY and of X over all
 * tokens.
 */
typedef enum ag_granularity {
    AG_GRANULARITY_TENSOR, /* all: one scale per tensor */
    AG_GRANULARITY_ROW,    /* those of a row */
    AG_GRANULARITY_COL,    /* those at one place of every row */
    AG_GRANULARITY_BLOCK,  /* block_rows x block_cols, block_cols along the rows */
    AG_GRANULARITY_MX,     /* 1 x 32, with E8M0 scales */
    AG_GRANULARITY_NV,     /* NVFP4: 1 x 16 or 16 x 16, with E4M3 scales and one float32 scale */
    AG_GRANULARITIES
} ag_granularity;

/* How an E8M0 scale follows from the largest magnitude: that exponent which takes it into the
 * octave of the format's largest value, or the next one where it would lie above that value. */
typedef enum ag_e8m0 { AG_E8M0_FLOOR, AG_E8M0_RCEIL, AG_E8M0_EVEN, AG_E8M0_RULES } ag_e8m0;

/* A static scale is a constant, or that times or over the root of a size of the layer. */
typedef enum ag_static_rule {
    AG_STATIC_CONSTANT,
    AG_STATIC_TIMES,
    AG_STATIC_OVER,
    AG_STATIC_RULES
} ag_static_rule;
typedef enum ag_static_size {
    AG_STATIC_FAN_IN,
    AG_STATIC_FAN_OUT,
    AG_STATIC_TOKENS, /* of a micro-batch */
    AG_STATIC_SIZES
} ag_static_size;

/* How the scales of blocks are stored: E8M0 is a power of two, the 8-bit floats are relative to a
 * float32 scale of the tensor or of each row, or stand for themselves. */
typedef enum ag_scale_format {
    AG_SCALE_FLOAT,  /* float32, S = max / amax */
    AG_SCALE_ABSMAX, /* the same, but values are multiplied by amax / max instead of 1 / S */
    AG_SCALE_E8M0,
    AG_SCALE_E4M3,
    AG_SCALE_UE5M3, /* unsigned, 3 mantissa bits, up to 114688 */
    AG_SCALE_E5M2,
    AG_SCALE_FORMATS
} ag_scale_format;

/* Whose float32 scale an 8-bit one is relative to. */
typedef enum ag_outer_scale {
    AG_OUTER_NONE,
    AG_OUTER_TENSOR,
    AG_OUTER_ROW,
    AG_OUTER_SCALES
} ag_outer_scale;

/* How a block's scale is chosen: by its amax alone, or among several by the error they leave. */
typedef enum ag_select {
    AG_SELECT_AMAX,
    AG_SELECT_FOUR_SIX, /* E2M1: the amax becomes 6 or 4 */
    AG_SELECT_MSE,      /* the amax's scale times one of `candidates` */
    AG_SELECT_EDEN,     /* MS-EDEN: rotated runs keep their length on average */
    AG_SELECT_QUEST,    /* QuEST: rotated E2M1 in MX blocks, by mean and variance */
    AG_SELECTS
} ag_select;

/* What of the errors of a block is summed: |d| or d^2. */
typedef enum ag_block_error { AG_ERROR_MAE, AG_ERROR_MSE, AG_BLOCK_ERRORS } ag_block_error;

enum { AG_MX_BLOCK = 32, AG_NV_BLOCK = 16 };

/* Elements of a run that a Hadamard transform turns: 16, 32, 64 or 128. */
enum { AG_LEAST_HADAMARD = 16, AG_MOST_HADAMARD = 128 };

/* The signs of its elements: one vector for good, or a new one for each product and step. */
typedef enum ag_signs { AG_SIGNS_FIXED, AG_SIGNS_STEP, AG_SIGNS } ag_signs;

/* Limits of a scheme's numbers, and what a history is unless said otherwise. */
enum {
    AG_MOST_HISTORY = 65536,
    AG_DEFAULT_HISTORY = 16,
    AG_MOST_MARGIN = 64, /* of either sign */
    AG_MOST_BLOCK_SIDE = 65536,
    AG_MOST_CANDIDATES = 8,
    AG_MOST_SELECT_LINES = 4096 /* rows of a block whose scale is selected */
};

typedef enum ag_amax_mode {
    AG_AMAX_NONE,     /* the scale is 1 */
    AG_AMAX_CURRENT,  /* the amax of the very tensor */
    AG_AMAX_WINDOWED, /* the largest of the last `history` amaxes, the current one included */
    AG_AMAX_DELAYED,  /* the largest of the last `history` amaxes before this step */
    AG_AMAX_MODES
} ag_amax_mode;

/* What takes the channels of a tensor to one size before the scale that all of them share: each is
 * multiplied by a power of two first and divided by it again behind the quantiser, value =
 * Q(s x) / s, s = 2^-floor(log2 a) by the channel's largest magnitude a in another tensor. */
typedef enum ag_channel {
    AG_CHANNEL_NONE,
    AG_CHANNEL_UP, /* of what a swiglu's gate multiplies, for the input of its mlp.c_proj */
    AG_CHANNELS
} ag_channel;

/* How few random bits meet the discarded part f of a value, in [0, 1) of the last kept bit: f is
 * cut to as many bits; or the random number lies half of its last bit higher; or f is rounded to as
 * many bits, to nearest even (SRFF, SRF and SRC of arXiv 2504.20634). */
typedef enum ag_sr_variant { AG_SR_FLOOR, AG_SR_HALF, AG_SR_NEAREST, AG_SR_VARIANTS } ag_sr_variant;

typedef enum ag_rounding { AG_ROUND_NEAREST, AG_ROUND_STOCHASTIC, AG_ROUNDINGS } ag_rounding;
typedef enum ag_overflow { AG_OVERFLOW_SATURATE, AG_OVERFLOW_SPECIAL, AG_OVERFLOWS } ag_overflow;
typedef enum ag_ste { AG_STE_IDENTITY, AG_STE_CLIP, AG_STES } ag_ste;

typedef struct ag_scheme {
    bool quantised; /* false: null, the operand stays BF16 and all below is zero */
    bool is_bf16;   /* null, but said as BF16: what ag_scheme_bf16 is where values are float32 */
    ag_format format;
    ag_granularity granularity;
    int block_rows; /* of block, mx and nv; 0 otherwise */
    int block_cols;
    ag_amax_mode amax;
    int history;           /* amaxes kept; 0 unless windowed or delayed */
    int margin;            /* the scale is divided by 2^margin */
    ag_channel channel;    /* of granularity tensor; none otherwise */
    bool pow2;             /* the scale is rounded down to a power of two */
    ag_e8m0 e8m0;          /* of E8M0 scales; 0 otherwise */
    ag_scale_format scale; /* of granularity block; 0 otherwise: ag_scheme_scales says it of all */
    ag_outer_scale outer;  /* of granularity block with 8-bit float scales; 0 otherwise */
    float top;             /* the largest block scale under `outer`; 0: ag_scheme_top */
    ag_select select;
    ag_block_error error; /* of select 4/6 and mse; 0 otherwise */
    int n_candidates;     /* of select mse; 0 otherwise */
    float candidates[AG_MOST_CANDIDATES];
    float sigma;    /* of select eden: 0 is 17/16 * 0.93 */
    float constant; /* of a static scale, with amax none; 0: S = 1 */
    ag_static_rule rule;
    ag_static_size size;
    bool from_forward; /* made of the value of the forward's copy in BF16, weight.dgrad and
                          input.wgrad alone; where not quantised, that is the operand */
    int hadamard; /* elements of the runs along the sum that are rotated first, by both operands of
                     a product or by neither; 0: none */
    ag_signs signs;
    ag_rounding rounding;
    int sr_bits; /* 1 to 32 random bits of stochastic rounding; 0: 32 with AG_SR_FLOOR */
    ag_sr_variant sr_variant;
    ag_overflow overflow;
    ag_ste ste;
} ag_scheme;

/* The words of the experiment file and the JSON, indexed by the enums above. */
extern const char *const ag_granularity_words[AG_GRANULARITIES];
extern const char *const ag_amax_words[AG_AMAX_MODES];
extern const char *const ag_channel_words[AG_CHANNELS];    /* "none", "up" */
extern const char *const ag_e8m0_words[AG_E8M0_RULES];     /* "floor", "rceil", "even" */
extern const char *const ag_scale_words[AG_SCALE_FORMATS]; /* "fp32", "absmax", "e8m0", ... */
extern const char *const ag_outer_words[AG_OUTER_SCALES];  /* "none", "tensor", "row" */
extern const char *const ag_select_words[AG_SELECTS]; /* "amax", "4/6", "mse", "eden", "quest" */
extern const char *const ag_error_words[AG_BLOCK_ERRORS]; /* "mae", "mse" */
extern const char *const ag_rounding_words[AG_ROUNDINGS];
extern const char *const ag_signs_words[AG_SIGNS];    /* "fixed", "step" */
extern const char *const ag_sr_words[AG_SR_VARIANTS]; /* "floor", "half", "nearest" */
extern const char *const ag_overflow_words[AG_OVERFLOWS];
extern const char *const ag_ste_words[AG_STES];

/* The scheme of a plain format name: per tensor, current amax, nearest-even, saturating; without a
 * scale where E = 8 or the format is fp16. Normalise it when all is set: then BF16 becomes null,
 * with is_bf16. */
ag_scheme ag_scheme_plain(const ag_format *format);

/* BF16 as a format, for tensors whose values are not BF16's already. Normalising would make it
 * null.
 */
ag_scheme ag_scheme_bf16(void);

/* Sets granularity and block by name, letter case ignored: tensor, row, col, <R>x<C> or b<R>x<C>,
 * mx, nv, nv16x16; and what goes with it unless said otherwise: a power-of-two scale for blocks,
 * for mx rceil (floor where E = 0). AG_ERR_INPUT when there is no such granularity. */
ag_status ag_scheme_set_granularity(ag_scheme *scheme, const char *word);

/* Sets how scales of blocks are stored, by name: e8m0floor, e8m0rceil, e8m0even; e4m3, ue5m3, e5m2,
 * each with or without +t for a scale of the tensor; fp32, pow2, absmax; and takes back what
 * another such word had set. AG_ERR_INPUT for any other word, and where the granularity has its
 * own. */
ag_status ag_scheme_set_scale(ag_scheme *scheme, const char *word);

/* Resolves FORMAT[/granularity[/scale[/rounding[/hadamard]]]], letter case ignored, checked and
 * normalised. scale: amax, windowed, delayed, each with or without +pow2, none, or that of blocks
 * as ag_scheme_set_scale has it. AG_ERR_INPUT. */
ag_status ag_scheme_parse(ag_scheme *scheme, const char *name);

/* The text of a static scale: "50", "0.5*sqrt(fan_in)", "1/sqrt(tokens)"; and back, setting amax
 * none with it. AG_ERR_INPUT. */
enum { AG_STATIC_TEXT = 48 };
void ag_static_write(char text[AG_STATIC_TEXT], const ag_scheme *scheme);
ag_status ag_static_parse(ag_scheme *scheme, const char *text);

/* S under amax none: 1, or the static scale of a layer; `size` is that which the scheme names. */
float ag_static_scale(const ag_scheme *scheme, size_t size);

/* The factor of eden's largest value. */
float ag_scheme_sigma(const ag_scheme *scheme);

/* How its scales are stored, whatever the granularity: E8M0 for mx, E4M3 for nv. */
ag_scale_format ag_scheme_scales(const ag_scheme *scheme);

/* Whether that is an 8-bit float; and whose scale it is relative to (nv: the tensor's). */
bool ag_scheme_has_float8_scales(const ag_scheme *scheme);
ag_outer_scale ag_scheme_outer(const ag_scheme *scheme);

/* Whether products read values of the format as they are, and their epilogue brings back the
 * scales: granularity tensor, or row. */
bool ag_scheme_is_scaled_after(const ag_scheme *scheme);

/* Whether each row of the product's has a factor of its own: granularity row, or outer row. */
bool ag_scheme_has_row_factors(const ag_scheme *scheme);

/* Whether `select` adds up errors: 4/6 and mse. */
bool ag_scheme_adds_errors(const ag_scheme *scheme);

/* The largest block scale that the scale of the tensor makes room for: what is said, else the
 * format's largest value, or 256 under 4/6, whose larger scale is 1.5 times the smaller. */
float ag_scheme_top(const ag_scheme *scheme);

/* The format of 8-bit float scales; `scale` is one of them. */
ag_format ag_scale_format_of(ag_scale_format scale);

/* Elements share scales in blocks: granularity block, mx or nv. */
bool ag_scheme_has_blocks(const ag_scheme *scheme);

/* Whether there may be several scales: but for one of the tensor, which all its channels share as
 * they are. */
bool ag_scheme_has_groups(const ag_scheme *scheme);

/* Makes equal what means the same: zeroes the fields that the scheme's other fields leave without
 * effect. Every scheme in a run is normalised, so runs that mean the same get the same id. */
void ag_scheme_normalise(ag_scheme *scheme);

/* Field by field, but for is_bf16: null is null. */
bool ag_scheme_equal(const ag_scheme *a, const ag_scheme *b);

/* Whether amaxes of earlier steps matter. */
bool ag_scheme_keeps_history(const ag_scheme *scheme);

/* AG_ERR_INPUT, with what is meant to be used instead, for a scheme that contradicts itself. */
ag_status ag_scheme_check(const ag_scheme *scheme);

enum { AG_SCHEME_TEXT = 512 }; /* bytes that hold the description of any scheme */

/* One line for people: "e4m3fn, per tensor, delayed amax (16), stochastic". Cut to `size`. */
void ag_scheme_describe(char *text, size_t size, const ag_scheme *scheme);

#endif
