/* Newton-Schulz iterations towards the orthogonal factor U V^T of X = U S V^T. Each maps every
 * singular value s to a s + b s^3 + c s^5, whose coefficients drive them from (0, 1] to about 1 in
 * five iterations rather than converge. With r the smaller side and X [r, c] the matrix, or its
 * transpose where it is tall:
 *
 *   X = X / (|X| + 1e-7)
 *   5 times:   G = X X^T;   X = a X + (b G + (c G) G) X
 *
 * that is 5 (2 r^2 c + r^3) multiply-adds, less the half of G that mirrors the other. Nothing is
 * transposed in memory: a tall matrix is read across. In bf16 each result is rounded, as those of a
 * tensor of that type are in PyTorch. */
#include "muon.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "numerics/quantize.h"

enum { ITERATIONS = 5 };

static const float s_a = 3.4445f;
static const float s_b = -4.7750f;
static const float s_c = 2.0315f;

void ag_muon_lay_out(ag_muon_space *space, const ag_model_spec *model,
                     const ag_tensor_table *tensors, ag_layout *layout)
{
    size_t tensor = 0;
    size_t part = 0;
    size_t side = 0;
    for (size_t i = 0; i < tensors->count; i++) {
        size_t rows[AG_MOST_PARTS];
        size_t parts = ag_tensor_parts(rows, model, &tensors->rows[i]);
        size_t cols = tensors->rows[i].dims[1];
        tensor = ag_larger(tensor, parts > 0 ? tensors->rows[i].count : 0);
        for (size_t j = 0; j < parts; j++) {
            part = ag_larger(part, rows[j] * cols);
            side = ag_larger(side, rows[j] < cols ? rows[j] : cols);
        }
    }
    space->update = ag_layout_floats(layout, tensor);
    space->product = ag_layout_floats(layout, part);
    space->gram = ag_layout_floats(layout, side * side);
    space->scaled = ag_layout_floats(layout, side * side);
    space->square = ag_layout_floats(layout, side * side);
}

/* One matrix on its way. */
typedef struct iteration {
    const ag_kernels *k;
    const ag_muon_space *space;
    float *x;
    size_t rows, cols;
    size_t side; /* the smaller of both */
    bool bf16;
} iteration;

static void round_to(const iteration *it, float *x, size_t count)
{
    if (it->bf16)
        it->k->round_bf16(x, x, count);
}

static float rounded(const iteration *it, float x)
{
    return it->bf16 ? ag_round_bf16(x) : x;
}

/* [M, K] times [N, K]^T into rows of N. */
static ag_product product_of(const iteration *it, float *c, ag_words a, ag_words b, size_t M,
                             size_t N, size_t K)
{
    ag_product product = {.c = c, .c_step = N, .a = a, .b = b, .M = M, .N = N, .K = K};
    product.finish.bf16 = it->bf16;
    return product;
}

static void multiply(const iteration *it, float *c, ag_words a, ag_words b, size_t M, size_t N,
                     size_t K)
{
    ag_product product = product_of(it, c, a, b, M, N, K);
    it->k->update_product(&product);
}

/* gram = X X^T: a chain of products is the same to the last bit in either order of the factors. */
static void fill_gram(const iteration *it, float *gram)
{
    size_t r = it->side;
    bool tall = it->rows > it->cols;
    ag_words x = tall ? ag_floats_across(it->x, it->cols) : ag_floats_along(it->x, it->cols);
    ag_product product = product_of(it, gram, x, x, r, r, tall ? it->rows : it->cols);
    product.triangle = AG_TRIANGLE_C_LOWER;
    it->k->update_product(&product);
    for (size_t row = 0; row < r; row++) {
        for (size_t col = row + 1; col < r; col++)
            gram[row * r + col] = gram[col * r + row];
    }
}

/* x *= factor */
static void scale(const iteration *it, float *x, size_t count, float factor)
{
    it->k->amplify(x, count, factor);
    round_to(it, x, count);
}

/* y += x */
static void add(const iteration *it, float *y, const float *x, size_t count)
{
    it->k->add(y, x, count);
    round_to(it, y, count);
}

static void normalise(const iteration *it)
{
    size_t count = it->rows * it->cols;
    round_to(it, it->x, count);
    float norm = rounded(it, (float)sqrt(it->k->sum_squares(it->x, count)));
    norm = rounded(it, norm + 1e-7f);
    for (size_t i = 0; i < count; i++)
        it->x[i] /= norm;
    round_to(it, it->x, count);
}

/* square = b G + (c G) G */
static void fill_square(const iteration *it)
{
    const ag_muon_space *s = it->space;
    size_t r = it->side;
    fill_gram(it, s->gram);
    memcpy(s->scaled, s->gram, r * r * sizeof *s->gram);
    scale(it, s->scaled, r * r, s_c);
    /* its rows are its columns */
    multiply(it, s->square, ag_floats_along(s->scaled, r), ag_floats_along(s->gram, r), r, r, r);
    scale(it, s->gram, r * r, s_b);
    add(it, s->square, s->gram, r * r);
}

/* X = a X + square X; of a tall matrix, X = a X + X square^T. */
static void iterate(const iteration *it)
{
    const ag_muon_space *s = it->space;
    size_t r = it->side;
    size_t count = it->rows * it->cols;
    fill_square(it);
    ag_words square = ag_floats_along(s->square, r);
    if (it->rows > it->cols)
        multiply(it, s->product, ag_floats_along(it->x, r), square, it->rows, r, r);
    else
        multiply(it, s->product, square, ag_floats_across(it->x, it->cols), r, it->cols, r);
    scale(it, it->x, count, s_a);
    add(it, it->x, s->product, count);
}

void ag_muon_orthogonalise(float *u, size_t rows, size_t cols, ag_muon_ns precision,
                           const ag_muon_space *space, const ag_kernels *k)
{
    iteration it = {.k = k,
                    .space = space,
                    .x = u,
                    .rows = rows,
                    .cols = cols,
                    .side = rows < cols ? rows : cols,
                    .bf16 = precision == AG_MUON_NS_BF16};
    normalise(&it);
    for (int i = 0; i < ITERATIONS; i++)
        iterate(&it);
}

/* match_rms gives the update the size that AdamW's usually has, 0.2 an element (Liu et al., arXiv
 * 2502.16982). */
double ag_muon_factor(ag_muon_scale scale_by, size_t rows, size_t cols)
{
    double height = (double)rows;
    double width = (double)cols;
    if (scale_by == AG_MUON_ORIGINAL)
        return sqrt(fmax(1.0, height / width));
    return 0.2 * sqrt(fmax(height, width));
}
