/* A scheme says how one operand of one matrix product is quantised. A plain struct: it flows from
 * the experiment file through the run's id into the training step. */
#ifndef AG_NUMERICS_SCHEME_H
#define AG_NUMERICS_SCHEME_H

#include <stdbool.h>

#include "numerics/format.h"

typedef enum ag_granularity {
    AG_GRANULARITY_TENSOR, /* one scale a tensor */
    AG_GRANULARITY_ROW,    /* one a row */
    AG_GRANULARITY_COL,    /* one a column */
    AG_GRANULARITY_BLOCK,  /* float32 scales of block_rows x block_cols */
    AG_GRANULARITY_MX,     /* E8M0 scales of 32 along the contraction */
    AG_GRANULARITY_NV,     /* NVFP4: E4M3 scales of 16 and one float32 scale */
    AG_GRANULARITIES
} ag_granularity;

typedef enum ag_amax_mode {
    AG_AMAX_NONE,     /* the scale is 1 */
    AG_AMAX_CURRENT,  /* the amax of the very tensor */
    AG_AMAX_WINDOWED, /* the largest of the last `history` amaxes, the current one included */
    AG_AMAX_DELAYED,  /* the largest of the last `history` amaxes before this step */
    AG_AMAX_MODES
} ag_amax_mode;

typedef enum ag_rounding { AG_ROUND_NEAREST, AG_ROUND_STOCHASTIC, AG_ROUNDINGS } ag_rounding;
typedef enum ag_overflow { AG_OVERFLOW_SATURATE, AG_OVERFLOW_SPECIAL, AG_OVERFLOWS } ag_overflow;
typedef enum ag_ste { AG_STE_IDENTITY, AG_STE_CLIP, AG_STES } ag_ste;

typedef struct ag_scheme {
    bool quantised; /* false: null, the operand stays BF16 and all below is zero */
    ag_format format;
    ag_granularity granularity;
    int block_rows;
    int block_cols;
    ag_amax_mode amax;
    int history; /* amaxes kept; 0 unless windowed or delayed */
    int margin;  /* the scale is divided by 2^margin */
    bool pow2;   /* the scale is rounded down to a power of two */
    ag_rounding rounding;
    ag_overflow overflow;
    ag_ste ste;
} ag_scheme;

/* The words of the experiment file and the JSON, indexed by the enums above. */
extern const char *const ag_granularity_words[AG_GRANULARITIES];
extern const char *const ag_amax_words[AG_AMAX_MODES];
extern const char *const ag_rounding_words[AG_ROUNDINGS];
extern const char *const ag_overflow_words[AG_OVERFLOWS];
extern const char *const ag_ste_words[AG_STES];

/* The tensors of a linear layer that are quantised. Each is an operand of two products:
 *   weight       fprop, dgrad        input        fprop, wgrad        grad_output  dgrad, wgrad
 * so use 0 is its first product and use 1 its second. */
typedef enum ag_role { AG_ROLE_WEIGHT, AG_ROLE_INPUT, AG_ROLE_GRAD_OUTPUT, AG_ROLES } ag_role;
enum { AG_USES = 2 };

extern const char *const ag_role_words[AG_ROLES]; /* "weight", "input", "grad_output" */

/* "weight.fprop", "weight.dgrad", "input.fprop", "input.wgrad", ... */
extern const char *const ag_use_words[AG_ROLES][AG_USES];

/* How one layer's three products are quantised. Where both uses of a role are equal, the tensor is
 * quantised once (with use 0) and the copy serves both products. */
typedef struct ag_layer_precision {
    ag_scheme scheme[AG_ROLES][AG_USES];
} ag_layer_precision;

/* The scheme of a plain format name: per tensor, current amax, nearest-even, saturating; without a
 * scale where E = 8 or the format is fp16. Normalise it when all is set: then BF16 becomes null. */
ag_scheme ag_scheme_plain(const ag_format *format);

/* Makes equal what means the same: zeroes the fields that the scheme's other fields leave without
 * effect. Every scheme in a run is normalised, so runs that mean the same get the same id. */
void ag_scheme_normalise(ag_scheme *scheme);

/* Field by field. */
bool ag_scheme_equal(const ag_scheme *a, const ag_scheme *b);

/* AG_ERR_INPUT, with what is meant to be used instead, for a scheme that this version cannot run
 * or that contradicts itself. */
ag_status ag_scheme_check(const ag_scheme *scheme);

/* One line for people: "e4m3fn, per tensor, delayed amax (16), stochastic". Cut to `size`. */
void ag_scheme_describe(char *text, size_t size, const ag_scheme *scheme);

#endif
