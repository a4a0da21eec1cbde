/* Moving a weight on the grid of its format in whole rungs, as integers: the codes of magnitudes
 * are numbered without a gap, so that a neighbour on the grid is a neighbour in code. No branch, so
 * that loops over it can be vectorised. */
#ifndef AG_KERNELS_RUNGS_H
#define AG_KERNELS_RUNGS_H

#include "float_maths.h"
#include "kernels/kernels.h"

#define RUNGS_INLINE static inline __attribute__((always_inline))

/* The grid of a format in float32 terms, and the step. */
typedef struct rungs {
    float scale;
    float inverse;        /* 1 / scale, exact */
    uint32_t cut;         /* mantissa bits that a normal number loses, 23 - M */
    uint32_t mantissa;    /* 2^M */
    uint32_t base;        /* subtracted from the bits, leaves the code: (127 - bias) << 23 */
    uint32_t normal_from; /* bits of the smallest normal number; all are subnormal if E = 0 */
    uint32_t end;         /* bits from which on E = 0 overflows whatever the mantissa */
    int32_t subnormal;    /* value = significand * 2^-t smallest steps, t = this - exponent field */
    uint32_t max_code;
    float smallest; /* one step of the subnormal numbers */
    float rate;     /* rungs per unit of velocity */
    float decay;
    float clip;
} rungs;

static inline rungs rungs_of(const ag_grid_step *step)
{
    const ag_format *format = step->format;
    uint32_t first = (uint32_t)(127 - format->bias) << 23;
    return (rungs){
        .scale = step->scale,
        .inverse = 1 / step->scale,
        .cut = (uint32_t)(23 - format->mantissa),
        .mantissa = 1u << format->mantissa,
        .base = first,
        .normal_from = format->exponent > 0 ? first + (1u << 23) : UINT32_MAX,
        .end = format->exponent > 0 ? UINT32_MAX : first + (2u << 23),
        .subnormal = 151 - format->bias - format->mantissa,
        .max_code = format->max_code,
        .smallest = ldexpf(1, 1 - format->bias - format->mantissa),
        .rate = step->rungs_per_velocity,
        .decay = step->decay,
        .clip = step->rung_clip,
    };
}

/* The code nearest to a magnitude, ties to the even one. */
RUNGS_INLINE uint32_t rungs_nearest(uint32_t magnitude, const rungs *r)
{
    uint32_t half = (1u << (r->cut - 1)) - 1;
    uint32_t rebased = magnitude - r->base;
    uint32_t normal = (rebased + half + (rebased >> r->cut & 1)) >> r->cut;

    uint32_t field = magnitude >> 23;
    uint32_t significand = (magnitude & 0x7fffffu) | (field > 0 ? 0x800000u : 0);
    int32_t t = r->subnormal - (int32_t)(field > 0 ? field : 1);
    t = t < 1 ? 1 : t; /* a normal number, whose result here is not used */
    t = t > 25 ? 25 : t;
    uint32_t rest = (1u << (t - 1)) - 1;
    uint32_t subnormal = (significand + rest + (significand >> t & 1)) >> t;

    uint32_t code = magnitude >= r->normal_from ? normal : subnormal;
    code = magnitude >= r->end ? r->max_code : code;
    return code > r->max_code ? r->max_code : code;
}

RUNGS_INLINE float rungs_value(uint32_t code, const rungs *r)
{
    float subnormal = (float)(int32_t)code * r->smallest;
    float normal = ag_bits_float((code << r->cut) + r->base);
    return code >= r->mantissa && r->normal_from != UINT32_MAX ? normal : subnormal;
}

/* |w| / spacing(w): how many rungs of the present size lie between the weight and 0 */
RUNGS_INLINE uint32_t rungs_to_zero(uint32_t code, const rungs *r)
{
    bool normal = code >= r->mantissa && r->normal_from != UINT32_MAX;
    return normal ? (code & (r->mantissa - 1)) | r->mantissa : code;
}

/* |u| rungs as a whole number, rounded up with the probability of the part behind the point. */
RUNGS_INLINE uint32_t rungs_whole(float u, uint32_t random, const rungs *r)
{
    float size = fabsf(u);
    size = size < r->clip ? size : r->clip;
    uint32_t whole = (uint32_t)(int32_t)size;
    uint32_t rest = (uint32_t)((size - (float)(int32_t)whole) * 0x1p32f);
    return whole + (rest + random < rest);
}

/* The weight that lies where the step leads from w. */
RUNGS_INLINE float rungs_move(float w, float velocity, uint32_t random, const rungs *r)
{
    uint32_t bits = ag_float_bits(w * r->scale);
    uint32_t code = rungs_nearest(bits & 0x7fffffffu, r);
    bool negative = bits >> 31 != 0;
    float to_zero = (float)(int32_t)rungs_to_zero(code, r);
    float u = r->rate * velocity + r->decay * (negative ? -to_zero : to_zero);
    int32_t steps = (int32_t)rungs_whole(u, random, r);
    int32_t rung = negative ? -(int32_t)code : (int32_t)code;
    rung -= u < 0 ? -steps : steps;
    int32_t size = rung < 0 ? -rung : rung;
    int32_t last = (int32_t)r->max_code;
    float value = rungs_value((uint32_t)(size > last ? last : size), r) * r->inverse;
    return rung < 0 ? -value : value;
}

#endif
