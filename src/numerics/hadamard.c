/* The random Hadamard transform: the definition, one run at a time. Random signs make it unlikely
 * that a pattern in the data becomes one large value; both operands of a product need the same. The
 * fixed signs of 16 are Transformer Engine's. */
#include <string.h>

#include "base/philox.h"
#include "numerics/groups.h"

static const float s_engine_signs[AG_LEAST_HADAMARD] = {1,  1,  1,  -1, 1,  -1, -1, -1,
                                                        -1, -1, -1, 1,  -1, 1,  -1, -1};

static void draw_signs(ag_turn *turn, ag_philox_block words)
{
    for (size_t i = 0; i < turn->size; i++)
        turn->signs[i] = (words.word[i / 32] >> i % 32 & 1) != 0 ? -1.0f : 1.0f;
}

/* 1 / sqrt(size), rounded to float32. */
static float factor_of(size_t size)
{
    return size == 16 ? 0.25f : size == 32 ? 0x1.6a09e6p-3f : size == 64 ? 0.125f : 0x1.6a09e6p-4f;
}

ag_turn ag_turn_of(const ag_scheme *scheme, const ag_rounding_site *where)
{
    ag_turn turn = {.size = (size_t)scheme->hadamard,
                    .factor = factor_of((size_t)scheme->hadamard)};
    if (scheme->signs == AG_SIGNS_STEP) {
        uint32_t use = AG_USE_SIGNS | (where->use & AG_USE_EVALUATION);
        draw_signs(&turn, ag_philox(where->key, 0, use << 24, where->turn, where->step));
    } else if (turn.size > AG_LEAST_HADAMARD) {
        draw_signs(&turn, ag_philox(0, 0, 0, 0, (uint32_t)turn.size));
    } else {
        memcpy(turn.signs, s_engine_signs, sizeof s_engine_signs);
    }
    return turn;
}

/* Butterflies of distance 1, 2, 4, ..: the matrix that has (-1)^(common one bits of i and j) in row
 * i, column j, times the factor. */
static void transform(float *run, const ag_turn *turn)
{
    for (size_t i = 0; i < turn->size && !turn->back; i++)
        run[i] *= turn->signs[i];
    for (size_t distance = 1; distance < turn->size; distance *= 2) {
        for (size_t i = 0; i < turn->size; i++) {
            if ((i & distance) != 0)
                continue;
            float sum = run[i] + run[i + distance];
            float difference = run[i] - run[i + distance];
            run[i] = sum;
            run[i + distance] = difference;
        }
    }
    for (size_t i = 0; i < turn->size; i++)
        run[i] *= turn->back ? turn->factor * turn->signs[i] : turn->factor;
}

void ag_hadamard(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                 const ag_turn *turn)
{
    size_t lines = sum == AG_SUM_COLS ? rows : cols;
    size_t length = sum == AG_SUM_COLS ? cols : rows;
    size_t line_step = sum == AG_SUM_COLS ? cols : 1;
    size_t step = sum == AG_SUM_COLS ? 1 : cols;
    if (out != x)
        memcpy(out, x, rows * cols * sizeof *out);
    for (size_t line = 0; line < lines; line++) {
        for (size_t begin = 0; begin + turn->size <= length; begin += turn->size) {
            float run[AG_MOST_HADAMARD] = {0};
            float *at = out + line * line_step + begin * step;
            for (size_t i = 0; i < turn->size; i++)
                run[i] = at[i * step];
            transform(run, turn);
            for (size_t i = 0; i < turn->size; i++)
                at[i * step] = run[i];
        }
    }
}
