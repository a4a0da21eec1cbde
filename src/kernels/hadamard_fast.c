/* The Hadamard transform of 16 rows at a time, in tiles of columns. */
#include "quantize_grid.h"

#include <string.h>

enum { TILE = 64 };

INLINE void sum_and_difference(float *a, float *b)
{
    for (size_t c = 0; c < TILE; c++) {
        float sum = a[c] + b[c];
        float difference = a[c] - b[c];
        a[c] = sum;
        b[c] = difference;
    }
}

INLINE void transform_tile(float run[AG_HADAMARD][TILE])
{
    for (size_t distance = 1; distance < AG_HADAMARD; distance *= 2) {
        for (size_t i = 0; i < AG_HADAMARD; i++) {
            if ((i & distance) == 0)
                sum_and_difference(run[i], run[i + distance]);
        }
    }
}

AG_CLONES static void transform_rows(float *out, const float *x, size_t cols)
{
    float run[AG_HADAMARD][TILE] = {{0}};
    for (size_t c = 0; c < cols; c += TILE) {
        size_t n = cols - c < TILE ? cols - c : TILE;
        for (size_t i = 0; i < AG_HADAMARD; i++)
            for (size_t j = 0; j < n; j++)
                run[i][j] = x[i * cols + c + j] * ag_hadamard_signs[i];
        transform_tile(run);
        for (size_t i = 0; i < AG_HADAMARD; i++)
            for (size_t j = 0; j < n; j++)
                out[i * cols + c + j] = run[i][j] * 0.25f;
    }
}

void ag_hadamard_fast(float *out, const float *x, size_t rows, size_t cols)
{
    size_t whole = rows - rows % AG_HADAMARD;
    for (size_t row = 0; row < whole; row += AG_HADAMARD)
        transform_rows(out + row * cols, x + row * cols, cols);
    memmove(out + whole * cols, x + whole * cols, (rows - whole) * cols * sizeof *out);
}
