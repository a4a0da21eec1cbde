/* Products of normal pairs on any processor. A product of two BF16 values has at most 16
 * significant bits and is exact in float32, so multiplying, then adding, rounds as a fused
 * multiply-add does: no fmaf is needed, and compilers make vectors of it. */
#include "lanes.h"

enum { LANES = 4, ROWS = 3, PER_WORD = 2 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;

INLINE lanes multiply_add(lanes sum, words a, words b)
{
    const words upper = (words){0} + 0xffff0000u;
    sum += (lanes)(a & upper) * (lanes)(b & upper);
    return sum + (lanes)(a << 16) * (lanes)(b << 16);
}

#define MULTIPLY_ADD multiply_add
#include "product.inc"

/* Only where no product overflows: fma could still come back from one of 2^128 or more by adding a
 * sum of the other sign, a rounded product could not. */
void ag_pairs_portable(const ag_product *p)
{
    uint32_t exponents = (p->a.range.most >> 23) + (p->b.range.most >> 23);
    bool finite = exponents <= 2 * 126 + 128; /* |a b| < 2^128 */
    if (finite)
        multiply(p);
    else
        ag_floats_portable(p);
}
