/* The Hadamard transform of 16 rows at a time (numerics/groups.h), in tiles of 16 columns: 16
 * vectors of 16 floats are the registers of AVX-512, so that all four steps happen between one load
 * and one store. Each column has the additions of the plain version in the same order, hence its
 * bits. */
#include "quantize_grid.h"

#include <string.h>

enum { TILE = 16 };
typedef float vec __attribute__((vector_size(TILE * sizeof(float))));

/* The butterfly of Sylvester's matrix: sums and differences at distance 1, 2, 4, 8. Unrolled, since
 * `run` must be registers. */
INLINE void transform(vec run[AG_HADAMARD])
{
#pragma GCC unroll 4
    for (size_t distance = 1; distance < AG_HADAMARD; distance *= 2) {
#pragma GCC unroll 16
        for (size_t i = 0; i < AG_HADAMARD; i++) {
            if ((i & distance) != 0)
                continue;
            vec sum = run[i] + run[i + distance];
            run[i + distance] = run[i] - run[i + distance];
            run[i] = sum;
        }
    }
}

/* The first n columns; a literal n makes vectors. */
INLINE void transform_tile(float *out, const float *x, size_t cols, size_t n)
{
    vec run[AG_HADAMARD] = {{0}};
#pragma GCC unroll 16
    for (size_t i = 0; i < AG_HADAMARD; i++) {
        memcpy(&run[i], x + i * cols, n * sizeof *x);
        run[i] *= ag_hadamard_signs[i];
    }
    transform(run);
#pragma GCC unroll 16
    for (size_t i = 0; i < AG_HADAMARD; i++) {
        run[i] *= 0.25f;
        memcpy(out + i * cols, &run[i], n * sizeof *out);
    }
}

AG_CLONES static void transform_rows(float *out, const float *x, size_t cols)
{
    size_t c = 0;
    for (; c + TILE <= cols; c += TILE)
        transform_tile(out + c, x + c, cols, TILE);
    if (c < cols)
        transform_tile(out + c, x + c, cols, cols - c);
}

void ag_hadamard_fast(float *out, const float *x, size_t rows, size_t cols)
{
    size_t whole = rows - rows % AG_HADAMARD;
    for (size_t row = 0; row < whole; row += AG_HADAMARD)
        transform_rows(out + row * cols, x + row * cols, cols);
    memmove(out + whole * cols, x + whole * cols, (rows - whole) * cols * sizeof *out);
}
