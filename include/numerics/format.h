/* Number formats: what a name means, exactly.
 *
 * A format is a sign, E exponent bits, M mantissa bits, a bias and a kind; intN is E = 0. A name
 * is resolved to a descriptor once; everything else works on descriptors.
 * Sources: OCP OFP8 1.0, OCP MX 1.0, the ml_dtypes names. */
#ifndef AG_NUMERICS_FORMAT_H
#define AG_NUMERICS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum ag_kind {
    AG_KIND_IEEE, /* the top exponent is Inf and NaN */
    AG_KIND_FN,   /* no Inf, one NaN: all ones */
    AG_KIND_F,    /* every code is finite */
    AG_KIND_FNUZ, /* no Inf, no -0, NaN is the code of -0; the default bias is one more */
    AG_KIND_P,    /* as fnuz, but the largest code is Inf: P3109's binary<K>p<P>se */
    AG_KINDS
} ag_kind;

struct ag_code_table;

typedef struct ag_format {
    char name[24]; /* the resolved name: "e4m3fn", "e4m3b11fnuz", "int8", "bf16", "fp32" */
    int bits;      /* 1 + exponent + mantissa */
    int exponent;  /* E */
    int mantissa;  /* M */
    int bias;      /* value of a normal number = 2^(e - bias) * 1.m */
    ag_kind kind;
    int emin;          /* exponent of the smallest normal number, 1 - bias */
    int emax;          /* floor(log2(max)) */
    uint32_t max_code; /* the largest finite magnitude, as a code without its sign */
    uint32_t max_bits; /* the same as the bits of a float32 */
    float max;
    float min_normal;    /* 0 when there are none (E = 0) */
    float min_subnormal; /* 0 when there are none (M = 0) */
    bool has_inf;
    bool has_nan;
    bool has_negative_zero;
    const struct ag_code_table *table; /* its values, where it is a list (numerics/code_table.h):
                                          then max is what scales take for the largest,
                                          min_subnormal the smallest magnitude, emin and emax their
                                          exponents, mantissa that of the longest value, kind F, the
                                          rest 0; else NULL */
} ag_format;

/* Resolves an element format's name, letter case ignored: fp32, fp16, bf16, e<E>m<M>[b<bias>]
 * [ieee|fn|f|fnuz|p], int<N>, a name of ml_dtypes, or P3109's binary<K>p<P>s<e|f>. Fails with
 * AG_ERR_INPUT and a message that says what is wrong and the nearest known name. `none` is not an
 * element format. */
ag_status ag_format_parse(ag_format *format, const char *name);

/* The float32 value of a code: sign in the top bit of format->bits, also for intN, whose codes are
 * sign and magnitude. NaN codes give 0x7fc00000,
 * Inf codes a signed Inf. `code` must be below 2^bits. */
float ag_format_decode(const ag_format *format, uint32_t code);

/* The code of a value that the format can represent exactly, Inf and NaN included, as ml_dtypes
 * encodes it. AG_ERR_INPUT when the format has no code for the value. */
ag_status ag_format_encode(uint32_t *code, const ag_format *format, float value);

/* Whether every value of the format is a whole number of its smallest steps, at most 127 of them: a
 * signed byte, a "code", then holds it exactly. So it is for intN up to 8 bits and for narrow
 * formats such as E2M1. */
bool ag_format_has_codes(const ag_format *format);

/* The largest value of such a format in its smallest steps. */
int ag_format_most_code(const ag_format *format);

/* The `index`-th other name of a canonical one, or NULL when there are no more. Borrowed. */
const char *ag_format_alias(const char *canonical, size_t index);

/* "ieee", "fn", "f", "fnuz" or "p"; of a format also "table". */
const char *ag_kind_name(ag_kind kind);
const char *ag_format_kind_name(const ag_format *format);

/* The formats that `altgrad formats` lists, in its order: canonical names. Borrowed. */
const char *const *ag_format_known_names(size_t *count);

#endif
