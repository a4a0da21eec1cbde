/* Kernels around a matrix product: its operands rounded and quantised before, its result scaled
 * after. */
#ifndef AG_KERNELS_ROUNDING_H
#define AG_KERNELS_ROUNDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numerics/groups.h"
#include "numerics/quantize.h"
#include "numerics/scheme.h"
#include "products/products.h"

/* The largest |x|, as ag_amax. */
typedef float ag_amax_fn(const float *x, size_t count);

/* out = BF16(x), nearest-even; returns the amax of out (NaN ignored). out may be x. */
typedef float ag_round_bf16_fn(float *out, const float *x, size_t count);

/* The same of a matrix [rows, cols], with its pairs: no product has to read it for packing. */
typedef float ag_round_pairs_fn(float *out, const float *x, size_t rows, size_t cols,
                                ag_pairs *pairs);

/* --- one scale */

/* out = Q(x * scale) * 2^-emax: grid values shifted below 2 in magnitude, so that products cannot
 * overflow float32 (no shift where E = 8). Nearest-even. out may be x. */
typedef void ag_quantize_fn(float *out, const float *x, size_t count, const ag_format *format,
                            float scale, ag_overflow overflow);

/* The shift of ag_quantize_fn, 2^-emax or 1: a product's factor is that of the scale divided by it.
 */
float ag_operand_shift(const ag_format *format);

/* The same with stochastic rounding; x[0] has the global index `first`. */
typedef void ag_quantize_stochastic_fn(float *out, const float *x, size_t count,
                                       const ag_format *format, float scale, ag_overflow overflow,
                                       const ag_rounding_site *where, uint64_t first);

/* --- scales of groups (numerics/groups.h) */

/* As ag_hadamard, ag_groups_amax, ag_scales_set and ag_scales_select. */
typedef void ag_hadamard_fn(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                            const ag_turn *turn);
typedef void ag_groups_amax_fn(float *amax, const float *x, const ag_groups *groups, bool keep_nan);
typedef void ag_scales_set_fn(ag_scales *scales, const ag_scheme *scheme, size_t count);
typedef void ag_scales_select_fn(ag_scales *scales, const ag_scheme *scheme, const float *x,
                                 const ag_groups *groups, const ag_matrix *matrix,
                                 const ag_rounding_site *where);

/* out = Q(x * scale) * after, each element with those of its group, rounded as the scheme says.
 * `first` is the global index of x[0] and `where` may be NULL unless rounding is stochastic. out
 * may be x. */
typedef void ag_quantize_groups_fn(float *out, const float *x, const ag_groups *groups,
                                   const ag_scales *scales, const ag_scheme *scheme,
                                   const ag_rounding_site *where, uint64_t first);

/* Where the codes of a matrix go: words of `along` or `across` (products/products.h), whose units
 * have the order of the product's blocks: [rows, blocks] along, [blocks, rows] across. */
typedef struct ag_codes {
    uint32_t *words;
    float *units; /* what a code of 1 is worth, without the scales' factor */
} ag_codes;

/* The same values as codes, for a format of small integers (ag_format_has_codes) in groups of which
 * the blocks along the sum are. out[sum]: for a product that sums along the rows of x or across
 * them, or for both; words NULL: not wanted. A row's block with a value that is not finite has
 * codes of 0, and NaN for its unit. */
typedef void ag_quantize_codes_fn(const ag_codes out[2], const float *x, const ag_groups *groups,
                                  const ag_scales *scales, const ag_scheme *scheme,
                                  const ag_rounding_site *where, uint64_t first);

/* --- results */

/* y [N, OC] = fl(fl(y * a) * b) + bias [OC] (NULL: none), then BF16 where `bf16`. */
typedef void ag_epilogue_fn(float *y, const float *bias, size_t N, size_t OC, ag_factor a,
                            ag_factor b, bool bf16);

/* grad [OC, C] += fl(fl(product * a) * b) */
typedef void ag_accumulate_fn(float *restrict grad, const float *restrict product, size_t OC,
                              size_t C, ag_factor a, ag_factor b);

#endif
