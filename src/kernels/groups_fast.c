/* Groups of elements in tiles of some columns: what is found for each column, or holds for it, is a
 * short array, so that loops run over neighbours whatever the groups' shape. */
#include "philox_lanes.h"
#include "quantize_grid.h"

enum { TILE = 256 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* --- amax */

/* largest [n]: of each column over `height` rows, as bits; those above `limit` are passed over. */
INLINE void column_amaxes(uint32_t *largest, const float *x, size_t n, size_t height, size_t cols,
                          uint32_t limit)
{
    for (size_t c = 0; c < n; c++)
        largest[c] = 0;
    for (size_t row = 0; row < height; row++) {
        for (size_t c = 0; c < n; c++) {
            uint32_t magnitude = ag_float_bits(x[row * cols + c]) & ~SIGN;
            magnitude = magnitude > limit ? 0 : magnitude;
            largest[c] = magnitude > largest[c] ? magnitude : largest[c];
        }
    }
}

INLINE uint32_t run_amax(const uint32_t *largest, size_t n)
{
    uint32_t result = 0;
    for (size_t c = 0; c < n; c++)
        result = largest[c] > result ? largest[c] : result;
    return result;
}

INLINE float amax_of_bits(uint32_t bits)
{
    return ag_bits_float(bits > INFINITE ? NOT_A_NUMBER : bits);
}

/* amax [n / width] of whole groups; a literal width makes vectors. */
INLINE void fold_whole(float *amax, const uint32_t *largest, size_t n, size_t width)
{
    for (size_t i = 0; i < n / width; i++)
        amax[i] = amax_of_bits(run_amax(largest + i * width, width));
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

/* Joins the tile's columns, which begin with column `first`, to groups. */
INLINE void fold_columns(float *amax, const uint32_t *largest, size_t first, size_t n, size_t width)
{
    if (width == 1)
        fold_whole(amax + first, largest, n, 1);
    else if (width == 16 && n % 16 == 0)
        fold_whole(amax + first / 16, largest, n, 16);
    else if (width == 32 && n % 32 == 0)
        fold_whole(amax + first / 32, largest, n, 32);
    else
        fold_parts(amax, largest, first, n, width);
}

AG_CLONES void ag_groups_amax_fast(float *amax, const float *x, const ag_groups *groups,
                                   bool keep_nan)
{
    const size_t cols = groups->cols;
    const uint32_t limit = keep_nan ? UINT32_MAX : INFINITE;
    uint32_t largest[TILE];
    for (size_t i = 0; i < groups->down; i++) {
        size_t row = i * groups->height;
        size_t height = smaller(groups->height, groups->rows - row);
        for (size_t c = 0; c < cols; c += TILE) {
            size_t n = smaller(TILE, cols - c);
            column_amaxes(largest, x + row * cols + c, n, height, cols, limit);
            fold_columns(amax + i * groups->across, largest, c, n, groups->width);
        }
    }
}

/* --- quantise */

/* What quantises some rows: constant for a matrix. */
typedef struct rounder {
    grid g;
    bool stochastic;
    philox_place place;
} rounder;

/* out [n] = Q(x * scale) * after, the element x[0] having the global index `index` */
INLINE void quantize_run(float *out, const float *x, size_t n, const float *scale,
                         const float *after, const rounder *r, uint64_t index)
{
    const grid g = r->g;
    if (!r->stochastic && has_integers(&g)) {
        for (size_t c = 0; c < n; c++)
            out[c] = nearest_integer(x[c] * scale[c], &g) * after[c];
    } else if (!r->stochastic) {
        for (size_t c = 0; c < n; c++)
            out[c] = nearest(x[c] * scale[c], &g) * after[c];
    } else {
        uint32_t words[TILE + PHILOX_WORDS];
        size_t skipped = index & 3; /* words of the first group that belong to earlier elements */
        for (size_t w = 0; w < skipped + n; w += PHILOX_WORDS)
            philox_lanes(words + w, &r->place, (index + w) >> 2);
        for (size_t c = 0; c < n; c++)
            out[c] = stochastic(x[c] * scale[c], words[skipped + c], &g) * after[c];
    }
}

/* each [n]: values [n / width], each `width` times; a literal width makes vectors. */
INLINE void spread_whole(float *each, const float *values, size_t n, size_t width)
{
    for (size_t i = 0; i < n / width; i++)
        for (size_t j = 0; j < width; j++)
            each[i * width + j] = values[i];
}

INLINE void spread_parts(float *each, const float *values, size_t first, size_t n, size_t width)
{
    for (size_t c = 0; c < n;) {
        size_t end = c + smaller(n - c, width - (first + c) % width);
        float value = values[(first + c) / width];
        for (; c < end; c++)
            each[c] = value;
    }
}

/* The groups' values for each of the tile's columns, which begin with column `first`. */
INLINE const float *spread(float *each, const float *values, size_t first, size_t n, size_t width)
{
    if (width == 1)
        return values + first;
    if (width == 16 && n % 16 == 0)
        spread_whole(each, values + first / 16, n, 16);
    else if (width == 32 && n % 32 == 0)
        spread_whole(each, values + first / 32, n, 32);
    else
        spread_parts(each, values, first, n, width);
    return each;
}

AG_CLONES static void quantize_tiles(float *out, const float *x, const ag_groups *groups,
                                     const ag_scales *scales, const rounder *r, uint64_t first)
{
    const size_t cols = groups->cols;
    float scale_room[TILE] = {0};
    float after_room[TILE] = {0};
    for (size_t i = 0; i < groups->down; i++) {
        size_t top = i * groups->height;
        size_t bottom = top + smaller(groups->height, groups->rows - top);
        for (size_t c = 0; c < cols; c += TILE) {
            size_t n = smaller(TILE, cols - c);
            const float *scale =
                spread(scale_room, scales->scale + i * groups->across, c, n, groups->width);
            const float *after =
                spread(after_room, scales->after + i * groups->across, c, n, groups->width);
            for (size_t at = top * cols + c; at < bottom * cols; at += cols)
                quantize_run(out + at, x + at, n, scale, after, r, first + at);
        }
    }
}

void ag_quantize_groups_fast(float *out, const float *x, const ag_groups *groups,
                             const ag_scales *scales, const ag_scheme *scheme,
                             const ag_rounding_site *where, uint64_t first)
{
    if (!grid_exists(&scheme->format)) {
        ag_quantize_groups_ref(out, x, groups, scales, scheme, where, first);
        return;
    }
    rounder r = {.g = grid_of(&scheme->format, scheme->overflow)};
    r.stochastic = scheme->rounding == AG_ROUND_STOCHASTIC;
    if (r.stochastic)
        r.place = (philox_place){where->key, where->use, where->site, where->step};
    quantize_tiles(out, x, groups, scales, &r, first);
}
