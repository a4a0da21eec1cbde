/* The Hadamard transform (numerics/groups.h) in vectors of 16. Down the columns 16 columns go side
 * by side; along a row the first four steps are between the lanes of a vector, each a shuffle, a
 * change of signs and an addition, and the others between vectors. Each element has the additions
 * of the plain version in the same order, hence its bits. */
#include "base/pool.h"
#include "quantize_grid.h"

#include <string.h>

enum { LANES = 16 };
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

/* --- steps */

/* Sums and differences of vectors `distance` apart, from the first distance on. Unrolled, since
 * `run` must be registers as far as there are any. */
INLINE void between_vectors(vec *run, size_t count)
{
#pragma GCC unroll 8
    for (size_t distance = 1; distance < count; distance *= 2) {
#pragma GCC unroll 16
        for (size_t i = 0; i < count; i++) {
            if ((i & distance) != 0)
                continue;
            vec sum = run[i] + run[i + distance];
            run[i + distance] = run[i] - run[i + distance];
            run[i] = sum;
        }
    }
}

/* h_i + h_j in lanes without the distance's bit, h_i - h_j in those with it: the other lane plus
 * the own one, its sign changed. */
INLINE void between_lanes(vec *run)
{
    vec v = *run;
    const vec alternate1 = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
    const vec alternate2 = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
    const vec alternate4 = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1};
    const vec alternate8 = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
    v = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14) +
        v * alternate1;
    v = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13) +
        v * alternate2;
    v = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11) +
        v * alternate4;
    v = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7) +
        v * alternate8;
    *run = v;
}

/* --- runs down the columns */

/* The first n columns; a literal n makes vectors. */
INLINE void turn_tile(float *out, const float *x, size_t cols, size_t n, const ag_turn *turn,
                      size_t size)
{
    vec run[AG_MOST_HADAMARD];
    memset(run, 0, size * sizeof *run);
    for (size_t i = 0; i < size; i++) {
        memcpy(&run[i], x + i * cols, n * sizeof *x);
        run[i] *= turn->back ? 1.0f : turn->signs[i];
    }
    between_vectors(run, size);
    for (size_t i = 0; i < size; i++) {
        run[i] *= turn->back ? turn->factor * turn->signs[i] : turn->factor;
        memcpy(out + i * cols, &run[i], n * sizeof *out);
    }
}

INLINE void turn_columns(float *out, const float *x, size_t cols, const ag_turn *turn, size_t size)
{
    size_t c = 0;
    for (; c + LANES <= cols; c += LANES)
        turn_tile(out + c, x + c, cols, LANES, turn, size);
    if (c < cols)
        turn_tile(out + c, x + c, cols, cols - c, turn, size);
}

/* --- runs along a row */

INLINE void turn_run(float *out, const float *x, const ag_turn *turn, size_t size)
{
    vec run[AG_MOST_HADAMARD / LANES];
    vec signs[AG_MOST_HADAMARD / LANES];
    memcpy(run, x, size * sizeof *x);
    memcpy(signs, turn->signs, size * sizeof *turn->signs);
    for (size_t i = 0; i < size / LANES; i++) {
        run[i] = turn->back ? run[i] : run[i] * signs[i];
        between_lanes(&run[i]);
    }
    between_vectors(run, size / LANES);
    for (size_t i = 0; i < size / LANES; i++)
        run[i] = (turn->back ? run[i] * signs[i] : run[i]) * turn->factor;
    memcpy(out, run, size * sizeof *out);
}

/* --- all */

/* One row of runs: `rows` is that of a run down the columns, or 1. */
INLINE void turn_line(float *out, const float *x, size_t cols, ag_sum sum, const ag_turn *turn,
                      size_t size)
{
    if (sum == AG_SUM_ROWS)
        turn_columns(out, x, cols, turn, size);
    else
        for (size_t c = 0; c + size <= cols; c += size)
            turn_run(out + c, x + c, turn, size);
}

AG_CLONES static void turn_lines(float *out, const float *x, size_t lines, size_t cols, ag_sum sum,
                                 const ag_turn *turn)
{
    size_t step = sum == AG_SUM_ROWS ? turn->size * cols : cols;
    for (size_t line = 0; line < lines; line++, out += step, x += step) {
        if (turn->size == 16)
            turn_line(out, x, cols, sum, turn, 16);
        else if (turn->size == 32)
            turn_line(out, x, cols, sum, turn, 32);
        else if (turn->size == 64)
            turn_line(out, x, cols, sum, turn, 64);
        else
            turn_line(out, x, cols, sum, turn, 128);
    }
}

void ag_hadamard_fast(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                      const ag_turn *turn)
{
    size_t whole = sum == AG_SUM_ROWS ? rows - rows % turn->size : rows;
    size_t rest = sum == AG_SUM_COLS ? cols % turn->size : 0;
    turn_lines(out, x, sum == AG_SUM_ROWS ? whole / turn->size : rows, cols, sum, turn);
    if (out == x)
        return;
    memcpy(out + whole * cols, x + whole * cols, (rows - whole) * cols * sizeof *out);
    for (size_t row = 0; row < rows && rest > 0; row++)
        memcpy(out + (row + 1) * cols - rest, x + (row + 1) * cols - rest, rest * sizeof *out);
}

/* --- shared among threads, by rows of runs */

typedef struct turning {
    float *out;
    const float *x;
    size_t rows, cols;
    ag_sum sum;
    const ag_turn *turn;
    size_t height; /* rows of a piece's unit */
} turning;

static void hadamard_piece(void *context, size_t begin, size_t end)
{
    const turning *t = context;
    size_t first = begin * t->height;
    size_t rows = ag_smaller(end * t->height, t->rows) - first;
    ag_hadamard_fast(t->out + first * t->cols, t->x + first * t->cols, rows, t->cols, t->sum,
                     t->turn);
}

void ag_hadamard_shared(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                        const ag_turn *turn)
{
    size_t height = sum == AG_SUM_ROWS ? turn->size : 1;
    turning t = {out, x, rows, cols, sum, turn, height};
    ag_pool_share(ag_pieces(rows, height), ag_rows_of_piece(height * cols), hadamard_piece, &t);
}
