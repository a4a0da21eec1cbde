/* The arithmetic of a training step as pure functions on arrays: no allocation, no output, no
 * state. Each exists twice with one signature: a plain version, one thread and one value after the
 * other, and a fast one. Both give the same bits (but for singular values); every sum has a fixed
 * order that depends on shapes alone.
 *
 * Most plain versions read as their formula. They are not the last judge, though: many are the same
 * loop as the fast version, compiled for fewer vectors, and some share their arithmetic with it.
 * That judge is arithmetic in double, from outside: tests/kernels/test_kernel_values.c.
 *
 * Shapes: B sequences, T tokens, N = B * T, C channels, OC output channels, H heads, V symbols.
 * Arrays are row-major float32, do not overlap unless said, and hold `count` elements where no
 * shape is given. `+=` marks what is accumulated into. Most types of kernels are in headers of
 * their own: layer_kernels.h, attention_kernels.h, rounding.h, updates.h. */
#ifndef AG_KERNELS_KERNELS_H
#define AG_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/attention_kernels.h"
#include "kernels/kernel_list.h"
#include "kernels/layer_kernels.h"
#include "kernels/rounding.h"
#include "kernels/updates.h"
#include "products/accumulate.h"
#include "products/products.h"

/* --- matrix products: products/products.h */

typedef void ag_product_fn(const ag_product *product);

/* As ag_pairs_along and ag_pairs_across. */
typedef ag_range ag_pairs_along_fn(uint32_t *words, const float *x, size_t rows, size_t K);
typedef ag_range ag_pairs_across_fn(uint32_t *words, const float *x, size_t rows, size_t K);
typedef ag_range ag_pairs_range_fn(const float *x, size_t count);

/* As ag_product_accumulated of products/accumulate.h. */
typedef void ag_product_accumulated_fn(float *c, size_t c_step, size_t M, size_t N, size_t K,
                                       const ag_summands *a, const ag_summands *b,
                                       const ag_accumulator *accumulator);

/* --- for diagnostics */

/* values [min(M, N)]: the singular values of a [M, N] in falling order, computed in double; scratch
 * [ag_singular_scratch] is free for use. False where an element is not finite, or the iteration
 * does not converge. The last bits are the library's. */
typedef bool ag_singular_values_fn(double *restrict values, double *restrict scratch,
                                   const float *restrict a, size_t M, size_t N);

/* Doubles of scratch that either version needs. */
size_t ag_singular_scratch(size_t M, size_t N);

/* --- the gradient's norm */

/* Sum of squares in double: blocks of 65,536 elements, added in order, each in 64 interleaved
 * partial sums. */
typedef double ag_sum_squares_fn(const float *x, size_t count);

/* --- the tables */

/* A table of kernels: a member for each row of the list, ag_NAME_fn *NAME. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member is declared */
#define AG_KERNEL_MEMBER(name, plain, fast) ag_##name##_fn *name;
typedef struct ag_kernels {
    const char *name; /* "plain", "fast" */
    AG_KERNEL_LIST(AG_KERNEL_MEMBER)
} ag_kernels;
#undef AG_KERNEL_MEMBER

extern const ag_kernels ag_kernels_plain;
extern const ag_kernels ag_kernels_fast;

/* Groups and scales of a matrix under a scheme, by its current amaxes. `scales` brings the arrays.
 * `where`: as in ag_scales_select. */
ag_groups ag_matrix_scale(const ag_kernels *k, ag_scales *scales, const float *x,
                          const ag_matrix *matrix, const ag_scheme *scheme,
                          const ag_rounding_site *where);

/* What the singular values of ag_kernels_fast come from: "OpenBLAS 0.3.21", or "no LAPACK". Their
 * last bits differ from one to the other; nothing else depends on it. Borrowed. */
const char *ag_kernels_lapack(void);

/* A product of floats by OpenBLAS's sgemm on `threads` threads: a yardstick, with bits of its own.
 * False where none is built in. */
bool ag_blas_product(const ag_product *product, int threads);

/* Which of its kernel sets OpenBLAS chose here, "Haswell"; they differ in speed. NULL without one.
 * Borrowed. */
const char *ag_blas_set(void);

/* Chooses the engine of products, as ag_products_init, and holds the BLAS library, if there is one,
 * to one thread. Call it once, first. */
ag_status ag_kernels_init(void);

#endif
