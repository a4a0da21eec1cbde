/* The Hadamard transform of 16 rows at a time, in tiles of 16 columns that stay in registers. */
#include "quantize_grid.h"

#include <string.h>

enum { TILE = 16 };
typedef float vec __attribute__((vector_size(TILE * sizeof(float))));

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
