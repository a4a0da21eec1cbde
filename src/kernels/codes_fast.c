/* Codes in one pass over the matrix: a tile of a row is rounded to codes in words of 32 bits, which
 * vectors do best, and then narrowed to bytes. Along rows the bytes of a word are neighbours;
 * across, a word holds four rows of one column, so that four tiles are rounded and interleaved.
 * Nothing is ever stored as a float matrix: memory traffic is a quarter of that. */
#include <math.h>

#include "base/pool.h"
#include "codes.h"
#include "quantize_row.h"

/* A tile is as long as random words are made at a time; where rows have units in common, threads
 * share runs of them. */
enum { TILE = PHILOX_MOST, RUN = 64 };
_Static_assert(AG_SEGMENT % RUN == 0 && RUN % 4 == 0, "no two runs have rows of one word");

typedef struct coding {
    ag_codes out[2]; /* along rows and across them, or one */
    ag_code_shape shape[2];
    const float *x;
    ag_groups groups;
    ag_scales scales;
    const ag_scheme *scheme;
    rounder r;
    uint64_t first;
} coding;

static bool wants(const coding *c, ag_sum sum)
{
    return c->out[sum].words != NULL;
}

/* Columns [begin, end) of a row, a tile at most. */
typedef struct part {
    size_t row, begin, end;
} part;

static const float *scales_of(const coding *c, size_t row)
{
    return c->scales.scale + row / c->groups.height * c->groups.across;
}

/* codes [end - begin]: of Q(x * scale), each as code_byte has it. */
INLINE void round_part(uint32_t *codes, const coding *c, const grid *g, part p, way how)
{
    const size_t at = p.row * c->groups.cols + p.begin;
    uint32_t room[PHILOX_ROOM];
    run some = {.as_codes = true, .codes = codes, .x = c->x + at};
    some.scale = scales_of(c, p.row);
    if (how >= STOCHASTIC)
        some.words = ag_philox_words(room, &c->r.purpose, c->first + at, p.end - p.begin);
    quantize_columns(some, p.begin, p.end, c->groups.width, g, how);
}

/* A tile in which some value is not finite: the units of its blocks become NaN, perhaps by several
 * threads at once. Rare, so it may be slow. */
static void mark_bad(const coding *c, ag_sum sum, const uint32_t *codes, part p)
{
    const ag_code_shape *s = &c->shape[sum];
    float bad = NAN;
    for (size_t col = p.begin; col < p.end; col++) {
        size_t i = p.row * c->groups.cols + col;
        size_t unit = s->across ? ag_code_unit_at(s, col, p.row)
                                : ag_code_unit_at(s, i / s->K, i % s->K); /* rows may be unrolled */
        if (codes[col - p.begin] > UINT8_MAX)
            __atomic_store(&c->out[sum].units[unit], &bad, __ATOMIC_RELAXED);
    }
}

/* --- whole numbers (E = 0): no word per code in between */

/* Bytes of groups of `runs` runs, [width] each, at most 32; not 0 where one is not finite. */
INLINE uint32_t integers_along(uint8_t *restrict bytes, const float *restrict x,
                               const float *restrict scale, size_t groups, size_t runs,
                               size_t width, grid g)
{
    uint32_t lanes[32] = {0};
    uint32_t all = 0;
    for (size_t i = 0; i < groups; i++) {
        const float of_group = scale[i];
        for (size_t of = 0; of < runs; of++, x += width, bytes += width) {
            for (size_t j = 0; j < width; j++) {
                uint32_t code = integer_byte(x[j] * of_group, &g);
                lanes[j] |= code;
                bytes[j] = (uint8_t)code;
            }
        }
    }
    for (size_t j = 0; j < width; j++)
        all |= lanes[j];
    return all >> 8;
}

/* A row of whole groups of 16 or of some 32 elements; false where it is none, or is not finite. */
INLINE bool code_integers_along(uint32_t *words, const coding *c, const grid *g, size_t row)
{
    const size_t width = c->groups.width;
    const size_t groups = c->groups.across;
    const float *x = c->x + row * c->groups.cols;
    const float *scale = scales_of(c, row);
    if (c->groups.cols != groups * width)
        return false;
    if (width % 32 == 0)
        return integers_along((uint8_t *)words, x, scale, groups, width / 32, 32, *g) == 0;
    return width == 16 && integers_along((uint8_t *)words, x, scale, groups, 1, 16, *g) == 0;
}

/* A word of each column of four rows, whose scales are `step` apart, a literal: 0 where there is
 * one for all. Not 0 where a value is not finite. */
INLINE uint32_t integers_across(uint32_t *restrict words, const float *restrict x,
                                const float *restrict scale, size_t step, size_t cols,
                                const grid *g)
{
    uint32_t all = 0;
    for (size_t i = 0; i < cols; i++) {
        const float of_column = scale[i * step];
        uint32_t a = integer_byte(x[i] * of_column, g);
        uint32_t b = integer_byte(x[cols + i] * of_column, g);
        uint32_t c = integer_byte(x[2 * cols + i] * of_column, g);
        uint32_t d = integer_byte(x[3 * cols + i] * of_column, g);
        all |= a | b | c | d;
        words[i] = a | b << 8 | c << 16 | d << 24;
    }
    return all >> 8;
}

/* Rows row to row + 4 of blocks that are one column wide, or all; false where they are neither, or
 * a value is not finite. */
INLINE bool code_integers_across(uint32_t *words, const coding *c, const grid *g, size_t row)
{
    const size_t cols = c->groups.cols;
    const float *x = c->x + row * cols;
    if (c->groups.width == 1)
        return integers_across(words, x, scales_of(c, row), 1, cols, g) == 0;
    return c->groups.width == cols && integers_across(words, x, scales_of(c, row), 0, cols, g) == 0;
}

/* --- along rows */

/* Bytes of a run of values; not 0 where one is not finite. */
INLINE uint32_t narrow(uint8_t *restrict bytes, const uint32_t *restrict codes, size_t count)
{
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all |= codes[i];
        bytes[i] = (uint8_t)codes[i];
    }
    return all >> 8;
}

/* A tile of a row as bytes from `bytes` on, the row's first. Where blocks are whole words they
 * follow each other without a gap, and the tile is one run; else each block is a run, padded to a
 * word. */
INLINE void code_along(uint8_t *bytes, const coding *c, const grid *g, part p, way how)
{
    const size_t width = c->groups.width;
    const size_t in_block = 4 * ag_words_of(AG_WORD_CODES, width);
    uint32_t codes[TILE];
    uint32_t bad = 0;
    round_part(codes, c, g, p, how);
    for (size_t col = p.begin, next; col < p.end; col = next) {
        next = width == in_block ? p.end : (col / width + 1) * width;
        next = next < p.end ? next : p.end;
        bad |= narrow(bytes + col / width * in_block + col % width, codes + (col - p.begin),
                      next - col);
    }
    if (bad != 0)
        mark_bad(c, AG_SUM_COLS, codes, p);
}

/* Rows [begin, end). */
INLINE void code_rows(const coding *c, const grid *g, size_t begin, size_t end, way how)
{
    const size_t cols = c->groups.cols;
    const size_t words = ag_code_words(cols, c->groups.width);
    for (size_t row = begin; row < end; row++) {
        uint32_t *to = c->out[AG_SUM_COLS].words + row * words;
        for (size_t i = 0; 4 * words > cols && i < words; i++)
            to[i] = AG_NO_CODES; /* beyond the ends of blocks */
        if (how == PLAIN_INTEGER && code_integers_along(to, c, g, row))
            continue;
        for (size_t col = 0; col < cols; col += TILE)
            code_along((uint8_t *)to, c, g, (part){row, col, ag_smaller(col + TILE, cols)}, how);
    }
}

/* --- down columns */

/* A word of each column; one of a value that is not finite is of no use. */
INLINE uint32_t interleave(uint32_t *restrict words, uint32_t codes[4][TILE], size_t count)
{
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t a = codes[0][i];
        uint32_t b = codes[1][i];
        uint32_t c = codes[2][i];
        uint32_t d = codes[3][i];
        all |= a | b | c | d;
        words[i] = a | b << 8 | c << 16 | d << 24;
    }
    return all >> 8;
}

/* Up to four rows of a block, from row p.row on, as a row of words; where there are fewer, codes of
 * 0 fill the word. */
INLINE void code_across(uint32_t *words, const coding *c, const grid *g, part p, size_t rows,
                        way how)
{
    uint32_t codes[4][TILE];
    for (size_t i = 0; i < rows; i++)
        round_part(codes[i], c, g, (part){p.row + i, p.begin, p.end}, how);
    for (size_t i = rows; i < 4; i++)
        for (size_t j = 0; j < TILE; j++)
            codes[i][j] = 128;
    if (interleave(words + p.begin, codes, p.end - p.begin) == 0)
        return;
    for (size_t i = 0; i < rows; i++)
        mark_bad(c, AG_SUM_ROWS, codes[i], (part){p.row + i, p.begin, p.end});
}

/* Rows [begin, end), up to four of a block and from one of its words on. */
INLINE void code_columns(const coding *c, const grid *g, size_t begin, size_t end, way how)
{
    const size_t cols = c->groups.cols;
    const size_t word = ag_code_word_at(&c->shape[AG_SUM_ROWS], begin);
    uint32_t *words = c->out[AG_SUM_ROWS].words + word * cols;
    if (how == PLAIN_INTEGER && end == begin + 4 && code_integers_across(words, c, g, begin))
        return;
    for (size_t col = 0; col < cols; col += TILE)
        code_across(words, c, g, (part){begin, col, ag_smaller(col + TILE, cols)}, end - begin,
                    how);
}

/* --- a matrix */

/* Where a word of each column ends that begins at a row. */
INLINE size_t end_of_word(const ag_code_shape *s, size_t row)
{
    const size_t block = (row / s->block + 1) * s->block;
    return ag_smaller(ag_smaller(row + 4, block), s->K);
}

/* Rows [begin, end), which are read from memory once where they are wanted both ways. */
INLINE void code_matrix(const coding *c, size_t begin, size_t end, way how)
{
    const grid g = c->r.g;
    for (size_t row = begin, next; row < end; row = next) {
        next = wants(c, AG_SUM_ROWS) ? end_of_word(&c->shape[AG_SUM_ROWS], row) : end;
        if (wants(c, AG_SUM_COLS))
            code_rows(c, &g, row, next, how);
        if (wants(c, AG_SUM_ROWS))
            code_columns(c, &g, row, next, how);
    }
}

AG_CLONES static void code(const coding *c, size_t begin, size_t end)
{
#define CODE(name, function)                                                                       \
    case name:                                                                                     \
        code_matrix(c, begin, end, name);                                                          \
        break;
    switch (c->r.how) {
        WAYS(CODE)
    }
}

/* --- pieces. Random words follow from the elements' global index, so that no cut changes a bit. */

static void set_units(const coding *c)
{
    for (int sum = 0; sum < 2; sum++)
        if (wants(c, (ag_sum)sum))
            ag_codes_set_units(&c->out[sum], &c->shape[sum], &c->groups, &c->scales, c->r.g.step);
}

static void clear_bad(const coding *c)
{
    for (int sum = 0; sum < 2; sum++)
        if (wants(c, (ag_sum)sum))
            ag_codes_clear_bad(&c->out[sum], &c->shape[sum], &c->scheme->format);
}

/* Rows of the matrix that own their units: a row of groups, or of blocks down its columns. Where
 * there is one row of groups, each row of the matrix has units of its own, with the same scales. */
static size_t rows_of_units(const coding *c)
{
    const size_t along = c->groups.down > 1 ? c->groups.height : 1;
    return wants(c, AG_SUM_ROWS) ? c->shape[AG_SUM_ROWS].block : along;
}

/* Where the codes of such rows, from `row` on, go. */
static ag_codes codes_from(const coding *all, ag_sum sum, size_t row)
{
    const ag_code_shape *s = &all->shape[sum];
    ag_codes out = all->out[sum];
    if (!wants(all, sum))
        return out;
    out.words += s->across ? ag_code_word_at(s, row) * s->rows : row * s->row_words;
    out.units += s->across ? ag_code_unit_at(s, 0, row) : ag_code_unit_at(s, row, 0);
    return out;
}

/* Such rows [begin, end), as a matrix of their own. */
static void code_with_units(void *context, size_t begin, size_t end)
{
    const coding *all = context;
    const size_t height = rows_of_units(all);
    const size_t row = begin * height;
    const size_t scale = row / all->groups.height * all->groups.across;
    coding c = *all;
    c.groups = ag_groups_rows(&all->groups, row, end * height);
    c.x += row * c.groups.cols;
    c.first += row * c.groups.cols;
    c.scales.scale += scale;
    c.scales.after += scale;
    for (int sum = 0; sum < 2; sum++) {
        c.out[sum] = codes_from(all, (ag_sum)sum, row);
        c.shape[sum] = ag_code_shape_of(c.scheme, &c.groups, (ag_sum)sum);
    }
    set_units(&c);
    if (!wants(&c, AG_SUM_ROWS))
        c.groups = ag_groups_unrolled(&c.groups);
    code(&c, 0, c.groups.rows);
    clear_bad(&c);
}

/* RUN rows each, where few blocks are as long as the columns: they would be too few pieces. */
static void code_runs(void *context, size_t begin, size_t end)
{
    const coding *c = context;
    code(c, begin * RUN, ag_smaller(end * RUN, c->groups.rows));
}

static void share_rows(coding *c, size_t rows, ag_pool_body *body)
{
    ag_pool_share(ag_pieces(c->groups.rows, rows), ag_rows_of_piece(rows * c->groups.cols), body,
                  c);
}

void ag_quantize_codes_shared(const ag_codes out[2], const float *x, const ag_groups *groups,
                              const ag_scales *scales, const ag_scheme *scheme,
                              const ag_rounding_site *where, uint64_t first)
{
    const ag_rounding_site *random = scheme->rounding == AG_ROUND_STOCHASTIC ? where : NULL;
    if (!way_exists(&scheme->format, scheme->overflow, random)) {
        ag_quantize_codes_plain(out, x, groups, scales, scheme, where, first);
        return;
    }
    coding c = {.x = x, .groups = *groups, .scales = *scales, .scheme = scheme, .first = first};
    c.r = rounder_of_scheme(scheme, random);
    for (int sum = 0; sum < 2; sum++) {
        c.out[sum] = out[sum];
        c.shape[sum] = ag_code_shape_of(scheme, groups, (ag_sum)sum);
    }
    if (!wants(&c, AG_SUM_ROWS) || !ag_scheme_is_scaled_after(scheme)) {
        share_rows(&c, rows_of_units(&c), code_with_units);
        return;
    }
    set_units(&c);
    share_rows(&c, RUN, code_runs);
    clear_bad(&c);
}
