/* Moving a weight along the ladder of its format's values in whole rungs. The codes of magnitudes
 * number the values without a gap, subnormal and normal alike, so that the next value up is the
 * next code: a step of n rungs is an addition of n to a signed code, clamped at either end. No
 * branch, so that loops over it can be vectorised. */
#ifndef AG_KERNELS_RUNGS_H
#define AG_KERNELS_RUNGS_H

#include "quantize_grid.h"

/* The ladder of a format, and what is constant in a step. */
typedef struct rungs {
    grid g;
    float scale;
    float inverse;     /* 1 / scale, exact */
    uint32_t mantissa; /* 2^M */
    uint32_t end;      /* bits from which on E = 0 overflows whatever the mantissa */
    uint32_t max_code;
    float rate; /* rungs per unit of velocity */
    float decay;
    float clip;
} rungs;

static inline rungs rungs_of(const ag_grid_step *step)
{
    const ag_format *format = step->format;
    const grid g = grid_of(format, AG_OVERFLOW_SATURATE);
    return (rungs){
        .g = g,
        .scale = step->scale,
        .inverse = 1 / step->scale,
        .mantissa = 1u << format->mantissa,
        .end = format->exponent > 0 ? UINT32_MAX : g.subnormal_end,
        .max_code = format->max_code,
        .rate = step->rungs_per_velocity,
        .decay = step->decay,
        .clip = step->rung_clip,
    };
}

/* The code nearest to a magnitude, ties to the even one. As nearest_normal and the plain quantiser
 * (numerics/quantize.c) do it, but the result is the code itself. Beyond the largest value: its
 * code. */
INLINE uint32_t rungs_nearest(uint32_t magnitude, const rungs *r)
{
    uint32_t half = (1u << r->g.cut >> 1) - 1;
    uint32_t rebased = magnitude - r->g.smallest_code;
    uint32_t normal = (rebased + half + (rebased >> r->g.cut & 1)) >> r->g.cut;

    uint32_t field = magnitude >> 23;
    uint32_t significand = (magnitude & AG_MANTISSA_BITS) | (field > 0 ? 0x800000u : 0);
    int32_t t = r->g.subnormal_shift - (int32_t)(field > 0 ? field : 1);
    t = t < 1 ? 1 : t;   /* a normal number, whose result here is not used */
    t = t > 25 ? 25 : t; /* below half of the smallest step: 0, as from 25 on */
    uint32_t rest = (1u << (t - 1)) - 1;
    uint32_t subnormal = (significand + rest + (significand >> t & 1)) >> t;

    uint32_t code = magnitude >= r->g.normal_from ? normal : subnormal;
    code = magnitude >= r->end ? r->max_code : code;
    return code > r->max_code ? r->max_code : code;
}

INLINE float rungs_value(uint32_t code, const rungs *r)
{
    float subnormal = (float)(int32_t)code * r->g.step;
    float normal = ag_bits_float((code << r->g.cut) + r->g.smallest_code);
    return code >= r->mantissa && r->g.normal_from != UINT32_MAX ? normal : subnormal;
}

/* |w| / spacing(w): how many rungs of the present size lie between the weight and 0. Decay is told
 * in rungs so: w * decay / spacing(w). */
INLINE uint32_t rungs_to_zero(uint32_t code, const rungs *r)
{
    bool normal = code >= r->mantissa && r->g.normal_from != UINT32_MAX;
    return normal ? (code & (r->mantissa - 1)) | r->mantissa : code;
}

/* |u| rungs as a whole number, rounded up with the probability of the part behind the point: so a
 * step far below one rung moves one weight in many, and right on average. */
INLINE uint32_t rungs_whole(float u, uint32_t random, const rungs *r)
{
    float size = fabsf(u);
    size = size < r->clip ? size : r->clip;
    uint32_t whole = (uint32_t)(int32_t)size;
    uint32_t rest = (uint32_t)((size - (float)(int32_t)whole) * 0x1p32f);
    return whole + (rest + random < rest);
}

/* The weight that lies where the step leads from w. */
INLINE float rungs_move(float w, float velocity, uint32_t random, const rungs *r)
{
    uint32_t bits = ag_float_bits(w * r->scale);
    uint32_t code = rungs_nearest(bits & AG_MAGNITUDE_BITS, r);
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
