/* What the files of products share. */
#ifndef AG_PRODUCTS_INTERNAL_H
#define AG_PRODUCTS_INTERNAL_H

#include "products/products.h"

#define INLINE static inline __attribute__((always_inline))

/* Loops over the rows and vectors of a tile must vanish, or its sums go through memory. */
#ifdef __clang__
#define EACH _Pragma("clang loop unroll(full)")
#else
#define EACH _Pragma("GCC unroll 16")
#pragma GCC optimize("no-version-loops-for-strides")
#endif

/* A float32, or two BF16 elements, the earlier k in the upper half. */
typedef uint32_t word __attribute__((may_alias));

enum { AG_BLOCK_ROWS = 1152 }; /* of a; 4 bytes each are no multiple of 4 KiB */

/* Scratch of a thread: it is the thread's alone, as its stack is, and larger than some stacks. */
struct ag_room {
    word a[AG_BLOCK_ROWS * AG_SEGMENT] __attribute__((aligned(64)));
    word panel[AG_SEGMENT * 64] __attribute__((aligned(64)));
};
extern _Thread_local struct ag_room ag_room;

/* Rows [row, row + rows) x columns [col, col + cols) of the product, by one thread. */
typedef void ag_engine_fn(float *c, size_t stride, const ag_product_spec *spec, size_t row,
                          size_t rows, size_t col, size_t cols);

ag_engine_fn ag_scalar_product, ag_avx2_product, ag_avx512_product, ag_neon_product,
    ag_pairs_product;

enum { AG_CHAINS = 16 };

/* The engine's instruction alone, `rounds` times in each of as many chains as fit the registers and
 * hide its latency; the chains begin with `starts`. Returns how many multiply-adds that were. Their
 * results keep compilers from leaving them out. */
typedef size_t ag_spin_fn(float sums[AG_CHAINS], const word starts[AG_CHAINS], size_t rounds);

ag_spin_fn ag_scalar_spin, ag_avx2_spin, ag_avx512_spin, ag_neon_spin, ag_pairs_spin;

/* Whether VDPBF16PS on this CPU is what the pairs engine takes it for. */
bool ag_pairs_probe(void);

#endif
