/* The largest magnitudes of groups, in loops over neighbours in memory whatever the groups' shape:
 * a group of 16 or 32 elements in one row is a vector or two, and many are taken side by side; all
 * others go in tiles of columns, which first find the largest of each column over the rows of the
 * group. Magnitudes are compared as bits, so that a maximum is one of integers and a NaN, when it
 * counts, is the largest of all. A maximum is the same in any order. */
#include "quantize_grid.h"

/* Columns of a tile, whose maxima stay in the nearest cache; groups that are taken side by side;
 * elements of a group that are worth a loop of its own. */
enum { TILE = 256, GROUPS = 16, LONG = 64 };

INLINE uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The bits of |x|, or 0 above `limit`: AG_INFINITE_BITS passes NaN over, UINT32_MAX lets it count.
 * By a mask: a condition would keep a maximum from vectors. */
INLINE uint32_t counted(float x, uint32_t limit)
{
    uint32_t magnitude = ag_float_bits(x) & AG_MAGNITUDE_BITS;
    return magnitude & (0u - (uint32_t)(magnitude <= limit));
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

/* Every NaN is AG_NAN_BITS, as in ag_groups_amax. */
INLINE float amax_of_bits(uint32_t bits)
{
    return ag_bits_float(bits > AG_INFINITE_BITS ? AG_NAN_BITS : bits);
}

INLINE uint32_t run_amax(const uint32_t *largest, size_t n)
{
    uint32_t result = 0;
    for (size_t c = 0; c < n; c++)
        result = larger(result, largest[c]);
    return result;
}

/* amax [count] of groups in one row, of a literal width of 16 or 32. The maxima of GROUPS groups
 * are reduced after all of them are there, so that none waits for the one before. */
INLINE void row_amaxes(float *amax, const float *x, size_t count, size_t width, uint32_t limit)
{
    for (size_t i = 0; i < count; i += GROUPS) {
        uint32_t largest[GROUPS][16];
        size_t some = ag_smaller(GROUPS, count - i);
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

/* amax [across] of longer groups in one row. */
INLINE void line_amaxes(float *amax, const float *x, size_t cols, size_t width, uint32_t limit)
{
    for (size_t begin = 0; begin < cols; begin += width) {
        const size_t n = ag_smaller(width, cols - begin);
        uint32_t largest = 0;
        for (size_t i = 0; i < n; i++)
            largest = larger(largest, counted(x[begin + i], limit));
        *amax++ = amax_of_bits(largest);
    }
}

/* From maxima of columns to those of groups. A group may have begun in an earlier tile, whose
 * maximum stands in amax already, and may go on in the next. */
INLINE void fold_parts(float *amax, const uint32_t *largest, size_t first, size_t n, size_t width)
{
    for (size_t c = 0; c < n;) {
        float *group = &amax[(first + c) / width];
        size_t run = ag_smaller(n - c, width - (first + c) % width);
        uint32_t result = run_amax(largest + c, run);
        uint32_t before = (first + c) % width == 0 ? 0 : ag_float_bits(*group);
        *group = amax_of_bits(result > before ? result : before);
        c += run;
    }
}

/* The first `columns`, whole groups, of the rows [x, x + height * cols) of one row of groups. */
INLINE void groups_in_tiles(float *amax, const float *x, const ag_groups *groups, size_t height,
                            size_t columns, uint32_t limit)
{
    uint32_t largest[TILE];
    for (size_t c = 0; c < columns; c += TILE) {
        size_t n = ag_smaller(TILE, columns - c);
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
        size_t height = ag_smaller(groups->height, groups->rows - row);
        if (height == 1 && groups->width == 32 && cols % 32 == 0)
            row_amaxes(amax, x + row * cols, cols / 32, 32, limit);
        else if (height == 1 && groups->width == 16 && cols % 16 == 0)
            row_amaxes(amax, x + row * cols, cols / 16, 16, limit);
        else if (height == 1 && groups->width >= LONG)
            line_amaxes(amax, x + row * cols, cols, groups->width, limit);
        else
            groups_in_tiles(amax, x + row * cols, groups, height, cols, limit);
    }
}

void ag_groups_amax_fast(float *amax, const float *x, const ag_groups *groups, bool keep_nan)
{
    const ag_groups line = ag_groups_unrolled(groups);
    groups_amax(amax, x, &line, keep_nan ? UINT32_MAX : AG_INFINITE_BITS);
}

AG_CLONES void ag_columns_amax_fast(float *amax, const float *x, const ag_groups *groups,
                                    size_t columns, bool keep_nan)
{
    groups_in_tiles(amax, x, groups, groups->rows, columns,
                    keep_nan ? UINT32_MAX : AG_INFINITE_BITS);
}
