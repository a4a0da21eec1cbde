/* Accumulators: how a matrix product adds up its terms, where that is not the float32 chain in
 * segments of products/products.h. A plain struct: it flows from the experiment file through the
 * run's id into the training step. The arithmetic is that of products/accumulate.h.
 *
 *   chain   c = R(fma(a_k, b_k, c)): one product a step, rounded to a register's format
 *   block   K exact products and c, each cut to F bits below the largest exponent among them, are
 *           added exactly and rounded once: what tensor cores of NVIDIA do
 *
 * Sources of the named ones: MMA-Sim (c785138), MATLAB-tensor-core (b12b5a7) and its results of
 * real cards. */
#ifndef AG_NUMERICS_ACCUMULATOR_H
#define AG_NUMERICS_ACCUMULATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* The number format of an accumulator: its values are multiples of 2^(max(e, emin) - mantissa), e
 * their exponent; beyond `max` lies Inf. */
typedef struct ag_register {
    char name[24]; /* canonical: that of a format, or e<E>m<M> with more than 16 bits (IEEE) */
    int mantissa;
    int emin;
    float max;
} ag_register;

typedef enum ag_accumulator_kind {
    AG_ACCUMULATE_SEGMENTS, /* the default; all else is 0 */
    AG_ACCUMULATE_CHAIN,
    AG_ACCUMULATE_BLOCK,
    AG_ACCUMULATE_NVFP4,     /* blocks whose terms are groups of 16 products with one scale */
    AG_ACCUMULATE_MI300,     /* the products' sum is aligned with c, toward -Inf */
    AG_ACCUMULATE_MI300_FP8, /* the same of two sums, of the even and the odd products */
    AG_ACCUMULATE_KINDS
} ag_accumulator_kind;

enum { AG_NO_FLOOR = -1000, AG_MOST_TERMS = 256 };

typedef struct ag_accumulator {
    ag_accumulator_kind kind;
    int terms;        /* K, products per step */
    int fraction;     /* F; 0 of a chain */
    int floor;        /* Emin, the least exponent to which terms are aligned, or AG_NO_FLOOR */
    bool toward_zero; /* c is rounded to `into` so; else to nearest even */
    ag_register into;
    int promote;       /* products after which c is added to an outer accumulator; 0: never */
    ag_register outer; /* rounded to nearest even; all 0 without promote */
} ag_accumulator;

/* One that has a name. */
typedef struct ag_accumulator_model {
    const char *name;
    const char *alias;       /* or NULL */
    const char *operands[5]; /* names of the formats that it multiplies, as many as there are */
    bool mixed;              /* of two formats, too */
    const char *what;        /* for people */
    ag_accumulator_kind kind;
    int terms, fraction, floor;
    const char *into;
    bool toward_zero;
    int promote;
} ag_accumulator_model;

/* The named models, in the order of listings. Borrowed. */
const ag_accumulator_model *ag_accumulator_list(size_t *count);

/* The model of a name or alias, letter case ignored; NULL: none. */
const ag_accumulator_model *ag_accumulator_find(const char *name);

/* Whether the hardware behind a model multiplies operands of these formats (canonical names).
 * AG_ERR_INPUT with what it takes otherwise. */
ag_status ag_accumulator_takes(const ag_accumulator_model *model, const char *a, const char *b);

/* Resolves a model's name, a format's (the chain in that format), or the canonical text.
 * AG_ERR_INPUT lists what is known, or says what is wrong. */
ag_status ag_accumulator_parse(ag_accumulator *accumulator, const char *text);

/* A register by its format's name, letter case ignored. AG_ERR_INPUT. */
ag_status ag_register_parse(ag_register *number, const char *name);

/* AG_ERR_INPUT for members out of range or that contradict each other. */
ag_status ag_accumulator_check(const ag_accumulator *accumulator);

/* Makes equal what means the same. */
void ag_accumulator_normalise(ag_accumulator *accumulator);

bool ag_accumulator_equal(const ag_accumulator *a, const ag_accumulator *b);

enum { AG_ACCUMULATOR_TEXT = 160 };

/* The canonical text, equal for those that mean the same: "terms=1,into=bf16,round=nearest",
 * "terms=32,fraction=13,floor=-133,into=e8m13,round=zero,promote=128,outer=fp32",
 * "model=nvfp4,terms=64,..."; "default". */
void ag_accumulator_write(char text[AG_ACCUMULATOR_TEXT], const ag_accumulator *accumulator);

/* The name of an equal model, else the canonical text. */
void ag_accumulator_describe(char text[AG_ACCUMULATOR_TEXT], const ag_accumulator *accumulator);

#endif
