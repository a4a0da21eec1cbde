/* The largest magnitudes of groups: by rows where a group is a vector or two of one row, else in
 * tiles of columns, so that loops run over neighbours whatever the groups' shape. */
#include "quantize_grid.h"

enum { TILE = 256, GROUPS = 16 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

INLINE uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The bits of |x|, 0 above `limit`. */
INLINE uint32_t counted(float x, uint32_t limit)
{
    uint32_t magnitude = ag_float_bits(x) & ~SIGN;
    return magnitude > limit ? 0 : magnitude;
}

/* largest [n]: of each column over `height` rows, as bits; those above `limit` are passed over. */
INLINE void column_amaxes(uint32_t *largest, const float *x, size_t n, size_t height, size_t cols,
                          uint32_t limit)
{
    for (size_t c = 0; c < n; c++)
        largest[c] = counted(x[c], limit);
    for (size_t row = 1; row < height; row++) {
        for (size_t c = 0; c < n; c++)
            largest[c] = larger(largest[c], counted(x[row * cols + c], limit));
    }
}

INLINE float amax_of_bits(uint32_t bits)
{
    return ag_bits_float(bits > INFINITE ? NOT_A_NUMBER : bits);
}

INLINE uint32_t run_amax(const uint32_t *largest, size_t n)
{
    uint32_t result = 0;
    for (size_t c = 0; c < n; c++)
        result = larger(result, largest[c]);
    return result;
}

/* amax [count] of groups in one row, of a literal width of 16 or 32. */
INLINE void row_amaxes(float *amax, const float *x, size_t count, size_t width, uint32_t limit)
{
    for (size_t i = 0; i < count; i += GROUPS) {
        uint32_t largest[GROUPS][16];
        size_t some = smaller(GROUPS, count - i);
        for (size_t j = 0; j < some; j++) {
            const float *group = x + (i + j) * width;
            for (size_t lane = 0; lane < 16; lane++)
                largest[j][lane] =
                    larger(counted(group[lane], limit), counted(group[width - 16 + lane], limit));
        }
        for (size_t j = 0; j < some; j++)
            amax[i + j] = amax_of_bits(run_amax(largest[j], 16));
    }
}

/* Groups that end within the tile, or go on in the next. */
INLINE void fold_parts(float *amax, const uint32_t *largest, size_t first, size_t n, size_t width)
{
    for (size_t c = 0; c < n;) {
        float *group = &amax[(first + c) / width];
        size_t run = smaller(n - c, width - (first + c) % width);
        uint32_t result = run_amax(largest + c, run);
        uint32_t before = (first + c) % width == 0 ? 0 : ag_float_bits(*group);
        *group = amax_of_bits(result > before ? result : before);
        c += run;
    }
}

/* The rows [x, x + height * cols) of one row of groups. */
INLINE void groups_in_tiles(float *amax, const float *x, const ag_groups *groups, size_t height,
                            uint32_t limit)
{
    uint32_t largest[TILE];
    for (size_t c = 0; c < groups->cols; c += TILE) {
        size_t n = smaller(TILE, groups->cols - c);
        column_amaxes(largest, x + c, n, height, groups->cols, limit);
        if (groups->width == 1)
            for (size_t i = 0; i < n; i++)
                amax[c + i] = amax_of_bits(largest[i]);
        else
            fold_parts(amax, largest, c, n, groups->width);
    }
}

AG_CLONES static void groups_amax(float *amax, const float *x, const ag_groups *groups,
                                  uint32_t limit)
{
    const size_t cols = groups->cols;
    for (size_t i = 0; i < groups->down; i++, amax += groups->across) {
        size_t row = i * groups->height;
        size_t height = smaller(groups->height, groups->rows - row);
        if (height == 1 && groups->width == 32 && cols % 32 == 0)
            row_amaxes(amax, x + row * cols, cols / 32, 32, limit);
        else if (height == 1 && groups->width == 16 && cols % 16 == 0)
            row_amaxes(amax, x + row * cols, cols / 16, 16, limit);
        else
            groups_in_tiles(amax, x + row * cols, groups, height, limit);
    }
}

void ag_groups_amax_fast(float *amax, const float *x, const ag_groups *groups, bool keep_nan)
{
    const ag_groups line = ag_groups_unrolled(groups);
    groups_amax(amax, x, &line, keep_nan ? UINT32_MAX : INFINITE);
}
