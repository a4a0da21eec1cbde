/* Codes in one pass over the matrix: a tile of a row is rounded to codes in words of 32 bits, which
 * vectors do best, and then narrowed to bytes. Along rows the bytes of a word are neighbours;
 * across, a word holds four rows of one column, so that four tiles are rounded and interleaved.
 * Nothing is ever stored as a float matrix: memory traffic is a quarter of that. */
#include <math.h>

#include "base/pool.h"
#include "codes.h"
#include "quantize_row.h"

/* A tile is as long as random words are made at a time; a piece is the elements of one thread. */
enum { TILE = PHILOX_MOST, PIECE = 16384 };

typedef struct coding {
    ag_codes out;
    ag_code_shape shape;
    const float *x;
    ag_groups groups;
    ag_scales scales;
    const ag_scheme *scheme;
    rounder r;
    uint64_t first;
} coding;

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

/* A tile in which some value is not finite: the units of its blocks become NaN. Rare, so it may be
 * slow. */
static void mark_bad(const coding *c, const uint32_t *codes, part p)
{
    const ag_code_shape *s = &c->shape;
    for (size_t col = p.begin; col < p.end; col++) {
        size_t i = p.row * c->groups.cols + col;
        size_t unit = s->across ? ag_code_unit_at(s, col, p.row)
                                : ag_code_unit_at(s, i / s->K, i % s->K); /* rows may be unrolled */
        if (codes[col - p.begin] > UINT8_MAX)
            c->out.units[unit] = NAN;
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

/* A word of each column of four rows; not 0 where one is not finite. */
INLINE uint32_t integers_across(uint32_t *restrict words, const float *restrict x,
                                const float *restrict scale, size_t cols, const grid *g)
{
    uint32_t all = 0;
    for (size_t i = 0; i < cols; i++) {
        uint32_t a = integer_byte(x[i] * scale[i], g);
        uint32_t b = integer_byte(x[cols + i] * scale[i], g);
        uint32_t c = integer_byte(x[2 * cols + i] * scale[i], g);
        uint32_t d = integer_byte(x[3 * cols + i] * scale[i], g);
        all |= a | b | c | d;
        words[i] = a | b << 8 | c << 16 | d << 24;
    }
    return all >> 8;
}

/* Rows row to row + 4 of blocks that are one column wide; false where a value is not finite. */
INLINE bool code_integers_across(uint32_t *words, const coding *c, const grid *g, size_t row)
{
    const size_t cols = c->groups.cols;
    return c->groups.width == 1 &&
           integers_across(words, c->x + row * cols, scales_of(c, row), cols, g) == 0;
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
        mark_bad(c, codes, p);
}

INLINE void code_rows(const coding *c, const grid *g, way how)
{
    const size_t cols = c->groups.cols;
    const size_t words = ag_code_words(cols, c->groups.width);
    for (size_t row = 0; row < c->groups.rows; row++) {
        uint32_t *to = c->out.words + row * words;
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
        mark_bad(c, codes[i], (part){p.row + i, p.begin, p.end});
}

INLINE void code_columns(const coding *c, const grid *g, way how)
{
    const size_t cols = c->groups.cols;
    uint32_t *words = c->out.words;
    for (size_t first = 0; first < c->groups.rows; first += c->groups.height) {
        const size_t height = ag_smaller(c->groups.height, c->groups.rows - first);
        for (size_t k = 0; k < height; k += 4, words += cols) {
            if (how == PLAIN_INTEGER && k + 4 <= height &&
                code_integers_across(words, c, g, first + k))
                continue;
            for (size_t col = 0; col < cols; col += TILE)
                code_across(words, c, g, (part){first + k, col, ag_smaller(col + TILE, cols)},
                            ag_smaller(height - k, 4), how);
        }
    }
}

/* --- a matrix */

INLINE void code_matrix(const coding *c, way how)
{
    const grid g = c->r.g;
    if (c->shape.across)
        code_columns(c, &g, how);
    else
        code_rows(c, &g, how);
}

AG_CLONES static void code(const coding *c)
{
#define CODE(name, function)                                                                       \
    case name:                                                                                     \
        code_matrix(c, name);                                                                      \
        break;
    switch (c->r.how) {
        WAYS(CODE)
    }
}

/* Rows of the matrix that own their units: a row of groups, or of blocks down its columns. */
static size_t rows_of_units(const coding *c)
{
    return c->shape.across ? c->shape.block : c->groups.height;
}

/* Such rows [begin, end), as a matrix of their own. Random words follow from the elements' global
 * index, so that the cut into pieces changes no bit. */
static void code_piece(void *context, size_t begin, size_t end)
{
    const coding *all = context;
    const ag_code_shape whole = all->shape;
    const size_t height = rows_of_units(all);
    const size_t row = begin * height;
    const size_t scale = row / all->groups.height * all->groups.across;
    coding c = *all;
    c.groups = ag_groups_rows(&all->groups, row, end * height);
    c.x += row * c.groups.cols;
    c.first += row * c.groups.cols;
    c.scales.scale += scale;
    c.scales.after += scale;
    c.out.words += whole.across ? begin * whole.depth * whole.rows : row * whole.row_words;
    c.out.units += whole.across ? begin * whole.rows : row * whole.blocks;
    c.shape = ag_code_shape_of(c.scheme, &c.groups, whole.across ? AG_SUM_ROWS : AG_SUM_COLS);
    ag_codes_set_units(&c.out, &c.shape, &c.groups, &c.scales, c.r.g.step);
    if (!whole.across)
        c.groups = ag_groups_unrolled(&c.groups);
    code(&c);
    ag_codes_clear_bad(&c.out, &c.shape, &c.scheme->format);
}

void ag_quantize_codes_shared(const ag_codes *out, ag_sum sum, const float *x,
                              const ag_groups *groups, const ag_scales *scales,
                              const ag_scheme *scheme, const ag_rounding_site *where,
                              uint64_t first)
{
    const ag_rounding_site *random = scheme->rounding == AG_ROUND_STOCHASTIC ? where : NULL;
    if (!way_exists(&scheme->format, scheme->overflow, random)) {
        ag_quantize_codes_plain(out, sum, x, groups, scales, scheme, where, first);
        return;
    }
    coding c = {*out,          ag_code_shape_of(scheme, groups, sum), x, *groups, *scales, scheme,
                .first = first};
    c.r = rounder_of_scheme(scheme, random);
    const size_t height = rows_of_units(&c);
    const size_t width = height * groups->cols;
    ag_pool_share(ag_pieces(groups->rows, height), width < PIECE ? PIECE / width : 1, code_piece,
                  &c);
}
