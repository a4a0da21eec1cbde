/* The plain quantiser: it defines what is right, one value at a time, in integer arithmetic on the
 * float32 bits. The fast ones in kernels/ are held against it.
 *
 *   x  --(x * S)-->  y  --round to the format's grid-->  q        value = q * (1 / S)
 */
#ifndef AG_NUMERICS_QUANTIZE_H
#define AG_NUMERICS_QUANTIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numerics/format.h"
#include "numerics/scheme.h"

/* The float32 bits of what a magnitude beyond the largest becomes: max, Inf, or NaN where the
 * format has no Inf. Formats with neither always saturate. */
uint32_t ag_overflow_bits(const ag_format *format, ag_overflow overflow);

/* x rounded to the nearest value of the format, ties to the even code. NaN stays NaN. */
float ag_round_nearest(const ag_format *format, float x, ag_overflow overflow);

/* x rounded up or down with the probability that makes the mean right; `random` is 32 uniform
 * bits: away from zero when the discarded part, as a fraction of 2^32, plus random carries. */
float ag_round_stochastic(const ag_format *format, float x, uint32_t random, ag_overflow overflow);

/* Whether x, finite or Inf, rounds past the largest value of the format. */
bool ag_overflows_nearest(const ag_format *format, float x);

/* The same with the first `bits` of the random word alone; bits = 32 and AG_SR_FLOOR is
 * ag_round_stochastic. With f the discarded part and R those bits as a whole number, away from zero
 * when
 *
 *   floor     floor(f 2^bits) + R >= 2^bits
 *   half      floor(f 2^(bits + 1)) + 2R + 1 >= 2^(bits + 1)
 *   nearest   rne(f 2^bits) + R >= 2^bits
 */
float ag_round_few_bits(const ag_format *format, float x, uint32_t random, int bits,
                        ag_sr_variant variant, ag_overflow overflow);

/* The distance between the values of the format around x: 2^(floor(log2 |x|) - M) for normal
 * numbers, the smallest step below them, that at the largest value beyond it. NaN for NaN. */
double ag_grid_spacing(const ag_format *format, float x);

/* x rounded toward zero. */
float ag_round_toward_zero(const ag_format *format, float x, ag_overflow overflow);

/* float32 to BF16 and back, nearest-even. NaN becomes 0x7fc00000; overflow and Inf are Inf. */
float ag_round_bf16(float x);

/* What numerics adds to the use of a place, whose map is run/streams.h. */
enum {
    AG_USE_SCALE = 32,      /* where a block's scale is rounded */
    AG_USE_SIGNS = 64,      /* the signs of a rotation */
    AG_USE_EVALUATION = 128 /* in evaluation, which so has words of its own */
};

/* Where a random word of stochastic rounding belongs. */
typedef struct ag_rounding_site {
    uint64_t key;   /* ag_stream_key(seed, AG_STREAM_ROUNDING) */
    uint32_t place; /* the place and use of run/streams.h */
    uint32_t use;
    uint32_t step;
    uint32_t turn; /* the place of the signs of its rotation, drawn with this key and step */
    int bits;      /* of the scheme, as is the next */
    ag_sr_variant variant;
} ag_rounding_site;

/* The random word of the element with row-major index `element` of the global tensor. */
uint32_t ag_rounding_random(const ag_rounding_site *where, uint64_t element);

/* x rounded with the random word of an element, as `where` says. */
float ag_round_random(const ag_format *format, float x, const ag_rounding_site *where,
                      uint64_t element, ag_overflow overflow);
bool ag_overflows_random(const ag_format *format, float x, const ag_rounding_site *where,
                         uint64_t element);

/* The largest magnitude that an element has before it is rounded: a table's top under 8-bit float
 * scales; Inf: no limit, as formats saturate. */
float ag_scheme_limit(const ag_scheme *scheme);

/* Q(y) as a scheme has it: to nearest, or with the random word of the element; to nearest where
 * `where` is NULL. */
float ag_round_element(const ag_scheme *scheme, float y, const ag_rounding_site *where,
                       uint64_t element);

/* The largest |x|, NaN ignored, Inf counted; 0 for count = 0. */
float ag_amax(const float *x, size_t count);

/* The scale S (docs/numerics.md): fl(max / amax) * 2^-margin, pow2 rounds it down, clamped to
 * [2^-126, 2^126]. amax 0, Inf or NaN gives `otherwise` (1 under current scaling, the previous S
 * under delayed). */
float ag_scale_from_amax(const ag_format *format, float amax, int margin, bool pow2,
                         float otherwise);

/* out[i] = Q(x[i] * scale) * (1 / scale) for every element: the filter `altgrad quantize` and the
 * reference of the fast kernels. `first` is the global index of x[0], for stochastic rounding;
 * `where` may be NULL otherwise. out may be x. */
void ag_fake_quantize(float *out, const float *x, size_t count, const ag_scheme *scheme,
                      float scale, const ag_rounding_site *where, uint64_t first);

#endif
