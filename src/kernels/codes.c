/* What both ways to make codes share: the shape of codes in memory, the unit of each block, and
 * what becomes of a block with a value that is not finite.
 *
 * A code is a value as a small signed integer, in units of the block's scale times the format's
 * smallest step. Integers have no Inf and no NaN: a block that holds one has codes of 0 and the
 * unit NaN, so that every product with it is NaN, as it is with floats. */
#include "codes.h"

#include <float.h>
#include <math.h>

/* A product sums along the columns of its operand as stored, or along the rows (`across`), where
 * words hold four neighbours of a column. Either way the last block may be shorter than the others.
 */
ag_code_shape ag_code_shape_of(const ag_scheme *scheme, const ag_groups *groups, ag_sum sum)
{
    bool across = sum == AG_SUM_ROWS;
    ag_code_shape s = {.across = across};
    s.rows = across ? groups->cols : groups->rows;
    s.K = across ? groups->rows : groups->cols;
    s.block = across ? groups->height : groups->width;
    if (ag_scheme_is_scaled_after(scheme))
        s.block = ag_code_block(s.block);
    s.blocks = ag_pieces(s.K, s.block);
    s.depth = ag_words_of(AG_WORD_CODES, s.block);
    s.row_words = ag_code_words(s.K, s.block);
    return s;
}

/* One unit per block and row of the operand, in the order in which the product meets the blocks. A
 * group may be wider than one row of the operand, or longer than a block: its unit is then written
 * for each of them. */
AG_CLONES void ag_codes_set_units(const ag_codes *out, const ag_code_shape *s,
                                  const ag_groups *groups, const ag_scales *scales, float step)
{
    const size_t lines = s->across ? s->blocks : s->rows;
    const size_t count = s->across ? s->rows : s->blocks;
    const size_t line_height = s->across ? s->block : 1; /* of a unit, in elements of the matrix */
    const size_t unit_width = s->across ? 1 : s->block;
    float *restrict units = out->units;
    if (groups->height == line_height && groups->width == unit_width) { /* one for one */
        for (size_t i = 0; i < lines * count; i++)
            units[i] = step * scales->after[i];
        return;
    }
    for (size_t i = 0; i < lines; i++, units += count) {
        const float *after = scales->after + i * line_height / groups->height * groups->across;
        for (size_t j = 0; j < count; j++)
            units[j] = step * after[j * unit_width / groups->width];
    }
}

/* Whether no code, however large, is worth more than a float holds. A negated comparison, because
 * NaN must count as beyond. */
AG_CLONES static bool are_finite(const float *units, size_t count, float most_code)
{
    int beyond = 0;
    for (size_t i = 0; i < count; i++)
        beyond |= !(units[i] * most_code <= FLT_MAX);
    return beyond == 0;
}

/* Whether the four codes that are really there are finite in their unit: a large unit may hold
 * small codes. */
static bool word_is_finite(uint32_t word, float unit)
{
    bool finite = true;
    for (size_t i = 0; i < 4; i++)
        finite &= isfinite((float)((int)(word >> 8 * i & 0xff) - 128) * unit);
    return finite;
}

/* One block, which begins with `words`, its words `step` apart. */
static void clear_if_bad(uint32_t *words, size_t step, size_t depth, float *unit)
{
    bool finite = true;
    for (size_t i = 0; i < depth; i++)
        finite &= word_is_finite(words[i * step], *unit);
    if (finite)
        return;
    for (size_t i = 0; i < depth; i++)
        words[i * step] = AG_NO_CODES;
    *unit = NAN;
}

void ag_codes_clear_bad(const ag_codes *out, const ag_code_shape *s, const ag_format *format)
{
    if (are_finite(out->units, s->rows * s->blocks, (float)ag_format_most_code(format)))
        return;
    for (size_t row = 0; row < s->rows; row++) {
        for (size_t j = 0; j < s->blocks; j++) {
            size_t i = j * s->depth;
            size_t depth = ag_words_of(AG_WORD_CODES, ag_block_length(s->K, s->block, j));
            if (s->across)
                clear_if_bad(out->words + i * s->rows + row, s->rows, depth,
                             out->units + j * s->rows + row);
            else
                clear_if_bad(out->words + row * s->row_words + i, 1, depth,
                             out->units + row * s->blocks + j);
        }
    }
}
