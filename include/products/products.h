/* Matrix products whose every element is defined to the bit.
 *
 * The summed axis is cut into segments of 512 elements, the last one shorter. A segment is a chain
 * of fused multiply-adds in float32 from +0, in rising k, each rounded once to nearest even; the
 * segments' sums are added in order:
 *
 *   s_j = 0;  for the k of segment j, rising: s_j = fma(a[m,k], b[n,k], s_j)
 *   c[m,n] = s_0;  c[m,n] = fl(c[m,n] + s_j), j = 1, 2, ...
 *
 * Subnormal numbers are kept. No other partial sums are ever added to each other, so no bit depends
 * on the processor, its vectors, tiles, blocks, threads or the compiler; only the sign and payload
 * of a NaN are open. The error is at most about (512 + K / 512) 2^-24 sum |a b|. 512 is part of the
 * definition, which is part of the numerics version.
 *
 * Blocks of small integers: where the elements of both operands are integers times the scale of
 * their block, in blocks of the same length along the sum (MXFP4, MXINT8, NVFP4 ...), a block's sum
 * is exact in any order, and one rounding per block is left, as in block-scaled tensor cores. With
 * the integers' sum S_j, and the blocks' scales sa, sb of a row of a and of b,
 *
 *   c = +0;  c = fma(S_j, fl(sa_j sb_j), c), j = 0, 1, ...
 *
 * Where scales are powers of two or those of NVFP4, operands hold integers times scales, S_j sa sb
 * is exact, and blocks take the place of segments (ag_product_spec.block). Elsewhere operands hold
 * the integers alone (ag_product_of_blocks). */
#ifndef AG_PRODUCTS_PRODUCTS_H
#define AG_PRODUCTS_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AG_SEGMENT = 512 };

/* An operand: element k of its row i is at[i * row_step + k * k_step]. Borrowed. */
typedef struct ag_view {
    const float *at;
    size_t row_step;
    size_t k_step;
} ag_view;

/* What is known of the operands' values. A pair of BF16 elements takes one instruction on CPUs that
 * have it, with the same bits: see ag_pairs_are_exact. */
typedef enum ag_product_kind {
    AG_PRODUCT_FLOAT, /* any float32 */
    AG_PRODUCT_BF16   /* all are BF16 values, and ag_pairs_are_exact says yes */
} ag_product_kind;

typedef struct ag_product_spec {
    size_t M, N, K;
    ag_view a; /* M rows */
    ag_view b; /* N rows */
    ag_product_kind kind;
    size_t first; /* place of k = 0 in its segment, where what comes before is zero; below 512 */
    size_t block; /* 0, or the length of blocks that take the place of segments: a power of two from
                     2 to 512, and first is 0 */

    /* Called when rows [row, row + rows) x columns [col, col + cols) of c are complete, while they
     * are still near; once for every element. NULL: nobody. */
    void (*finish)(const void *context, size_t row, size_t rows, size_t col, size_t cols);
    const void *context;
} ag_product_spec;

/* c [M, N], rows `stride` apart, = a b^T by the definition above. K = 0 gives +0. Shared among the
 * threads of the pool. */
void ag_product(float *c, size_t stride, const ag_product_spec *spec);

/* The product of integers in blocks of spec->block elements (any length up to 1,024) whose scales
 * are a_scales [blocks, M] and b_scales [blocks, N]; spec->first is 0. sums [M, N] is free for use.
 * Slow: each block is a product of its own. */
void ag_product_of_blocks(float *c, float *sums, const ag_product_spec *spec, const float *a_scales,
                          const float *b_scales);

/* The same, as the definition reads. */
void ag_product_ref(float *c, size_t stride, const ag_product_spec *spec);

/* The exponent field of the smallest nonzero magnitude of x [count]: 255 where all are zero, 0
 * where one is subnormal. */
int ag_smallest_exponent(const float *x, size_t count);

/* Whether pairs give the chain's bits for operands of these smallest exponent fields. VDPBF16PS
 * takes subnormal inputs and results for zero. Every product of two nonzero operands, and so every
 * partial sum, is a multiple of 2^(ea + eb - 2 (127 + 7)); where that is at least 2^-126, none can
 * be subnormal. */
static inline bool ag_pairs_are_exact(int ea, int eb)
{
    return ea > 0 && eb > 0 && ea + eb >= 2 * (127 + 7) - 126;
}

/* Chooses the engine for this CPU, once, before the first product: the fastest whose probe gives
 * the defined bits. `name` asks for one of "scalar", "avx2", "avx512", "neon", "pairs" (float32 and
 * pairs); NULL: what the environment's ALTGRAD_PRODUCTS names, else the best. False where this CPU
 * or build has no such engine; the best is taken then. */
bool ag_products_init(const char *name);

/* The engine at work: "pairs (AVX-512 BF16)", "AVX-512", "AVX2", "NEON", "scalar". Borrowed. */
const char *ag_products_engine(void);

/* Whether it has an instruction for pairs of BF16 elements. */
bool ag_products_have_pairs(void);

/* Multiply-adds a second of the instruction that such products take, alone and without memory, on
 * all threads of the pool: no product is faster. Measured, which takes some ten milliseconds. */
double ag_products_peak(ag_product_kind kind);

#endif
