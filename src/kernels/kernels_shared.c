/* The fast kernels with their work shared among the threads of the pool (base/pool.h): each piece
 * is a call of the fast kernel on some of the elements or rows.
 *
 * The bits are those of one thread, whatever their number, because no sum is ever cut: maxima are
 * the same in any order; sums along a row stay within one piece; sums over rows are shared by
 * columns, so that each keeps its order; the sum of squares is defined in blocks of fixed size.
 * Random words follow from an element's index.
 *
 * A kernel here is a struct for its arguments, a piece that takes them apart, and the call. */
#include "kernels_internal.h"

#include <string.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/pool.h"

/* --- maxima: the bits of magnitudes are ordered as their values are, NaN above all */

typedef struct rounding {
    float *out; /* NULL: the amax alone */
    const float *x;
    atomic_uint largest;
} rounding;

static void round_piece(void *context, size_t begin, size_t end)
{
    rounding *r = context;
    size_t count = end - begin;
    float amax = r->out != NULL ? ag_round_bf16_fast(r->out + begin, r->x + begin, count)
                                : ag_amax_fast(r->x + begin, count);
    ag_raise_to(&r->largest, ag_float_bits(amax));
}

float ag_amax_shared(const float *x, size_t count)
{
    rounding r = {.x = x};
    ag_pool_share(count, AG_PIECE, round_piece, &r);
    return ag_bits_float(atomic_load(&r.largest));
}

float ag_round_bf16_shared(float *out, const float *x, size_t count)
{
    rounding r = {.out = out, .x = x};
    ag_pool_share(count, AG_PIECE, round_piece, &r);
    return ag_bits_float(atomic_load(&r.largest));
}

typedef struct pairing {
    float *out;
    const float *x;
    size_t cols;
    const ag_pairs *pairs;
    atomic_uint largest;     /* of what is rounded, NaN left out, and */
    atomic_uint least, most; /* the range of pairs */
} pairing;

/* Rounds some rows and packs them while they lie in the near caches. */
static void pair_piece(void *context, size_t begin, size_t end)
{
    pairing *p = context;
    float *out = p->out + begin * p->cols;
    float amax = ag_round_bf16_fast(out, p->x + begin * p->cols, (end - begin) * p->cols);
    ag_range range = ag_pairs_of_rows(p->pairs, p->out, p->cols, begin, end);
    ag_raise_to(&p->largest, ag_float_bits(amax));
    ag_lower_to(&p->least, range.least);
    ag_raise_to(&p->most, range.most);
}

float ag_round_pairs_shared(float *out, const float *x, size_t rows, size_t cols, ag_pairs *pairs)
{
    const ag_range none = ag_no_range();
    pairing p = {.out = out, .x = x, .cols = cols, .pairs = pairs};
    atomic_store(&p.least, none.least);
    atomic_store(&p.most, none.most);
    ag_pool_share(rows, (ag_rows_of_piece(cols) + 1) / 2 * 2, pair_piece, &p);
    pairs->range = (ag_range){atomic_load(&p.least), atomic_load(&p.most)};
    return ag_bits_float(atomic_load(&p.largest));
}

/* --- operands */

typedef struct quantising {
    float *out;
    const float *x;
    const ag_format *format;
    float scale;
    ag_overflow overflow;
    const ag_rounding_site *where; /* NULL: to nearest */
    uint64_t first;
} quantising;

static void quantize_piece(void *context, size_t begin, size_t end)
{
    const quantising *q = context;
    float *out = q->out + begin;
    const float *x = q->x + begin;
    if (q->where == NULL)
        ag_quantize_fast(out, x, end - begin, q->format, q->scale, q->overflow);
    else
        ag_quantize_stochastic_fast(out, x, end - begin, q->format, q->scale, q->overflow, q->where,
                                    q->first + begin);
}

void ag_quantize_shared(float *out, const float *x, size_t count, const ag_format *format,
                        float scale, ag_overflow overflow)
{
    quantising q = {out, x, format, scale, overflow, NULL, 0};
    ag_pool_share(count, AG_PIECE, quantize_piece, &q);
}

void ag_quantize_stochastic_shared(float *out, const float *x, size_t count,
                                   const ag_format *format, float scale, ag_overflow overflow,
                                   const ag_rounding_site *where, uint64_t first)
{
    quantising q = {out, x, format, scale, overflow, where, first};
    ag_pool_share(count, AG_PIECE, quantize_piece, &q);
}

typedef struct grouping {
    float *out;
    const float *x;
    const ag_groups *groups;
    bool keep_nan;
    const ag_scales *scales;
    const ag_scheme *scheme;
    const ag_rounding_site *where;
    uint64_t first;
} grouping;

/* Whether all rows are one row of groups, which threads share otherwise. */
static bool is_tall(const ag_groups *groups)
{
    return groups->down == 1 && groups->height > 1;
}

static void amax_piece(void *context, size_t begin, size_t end)
{
    const grouping *g = context;
    ag_groups some = ag_groups_some(g->groups, begin, end);
    ag_groups_amax_fast(g->out + begin * some.across, g->x + begin * some.height * some.cols, &some,
                        g->keep_nan);
}

/* Tall groups: each thread finds the maxima of its own rows, which its core has made, and the
 * largest of these is that of all. A part of the groups at a time, so that the room is small. */
enum { TALL_GROUPS = 1024, TALL_PIECES = 16 };

typedef struct tall {
    const float *x; /* from the part's first column on */
    const ag_groups *groups;
    size_t columns;             /* of the part */
    size_t height;              /* of a piece */
    float (*amax)[TALL_GROUPS]; /* of each piece */
    bool keep_nan;
} tall;

static void tall_piece(void *context, size_t begin, size_t end)
{
    const tall *t = context;
    ag_groups some = *t->groups;
    some.rows = end - begin;
    ag_columns_amax_fast(t->amax[begin / t->height], t->x + begin * some.cols, &some, t->columns,
                         t->keep_nan);
}

static void raise_all(float *amax, const float *other, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ag_float_bits(other[i]) > ag_float_bits(amax[i]))
            amax[i] = other[i];
}

static void tall_amax(float *amax, const float *x, const ag_groups *groups, bool keep_nan)
{
    float room[TALL_PIECES][TALL_GROUPS];
    const size_t threads = ag_smaller((size_t)ag_pool_threads(), TALL_PIECES);
    tall t = {.groups = groups, .height = ag_pieces(groups->rows, threads), .amax = room};
    t.keep_nan = keep_nan;
    for (size_t first = 0; first < groups->across; first += TALL_GROUPS) {
        const size_t count = ag_smaller(TALL_GROUPS, groups->across - first);
        const size_t column = first * groups->width;
        t.x = x + column;
        t.columns = ag_smaller(count * groups->width, groups->cols - column);
        ag_pool_share(groups->rows, t.height, tall_piece, &t);
        memcpy(amax + first, room[0], count * sizeof *amax);
        for (size_t i = 1; i < ag_pieces(groups->rows, t.height); i++)
            raise_all(amax + first, room[i], count);
    }
}

void ag_groups_amax_shared(float *amax, const float *x, const ag_groups *groups, bool keep_nan)
{
    grouping g = {.out = amax, .x = x, .groups = groups, .keep_nan = keep_nan};
    if (is_tall(groups))
        tall_amax(amax, x, groups, keep_nan);
    else
        ag_pool_share(groups->down, ag_rows_of_piece(groups->height * groups->cols), amax_piece,
                      &g);
}

static size_t rows_at_once(const ag_groups *groups)
{
    return is_tall(groups) ? 1 : groups->height;
}

static void quantize_groups_piece(void *context, size_t begin, size_t end)
{
    const grouping *g = context;
    const size_t height = rows_at_once(g->groups);
    ag_groups some = ag_groups_rows(g->groups, begin * height, end * height);
    size_t at = begin * height * some.cols;
    size_t scale = begin * height / some.height * some.across;
    ag_scales scales = *g->scales;
    scales.scale += scale;
    scales.after += scale;
    ag_quantize_groups_fast(g->out + at, g->x + at, &some, &scales, g->scheme, g->where,
                            g->first + at);
}

void ag_quantize_groups_shared(float *out, const float *x, const ag_groups *groups,
                               const ag_scales *scales, const ag_scheme *scheme,
                               const ag_rounding_site *where, uint64_t first)
{
    grouping g = {.out = out,
                  .x = x,
                  .groups = groups,
                  .scales = scales,
                  .scheme = scheme,
                  .where = where,
                  .first = first};
    const size_t height = rows_at_once(groups);
    ag_pool_share(ag_pieces(groups->rows, height), ag_rows_of_piece(height * groups->cols),
                  quantize_groups_piece, &g);
}

/* --- results */

typedef struct result {
    float *y;
    const float *product; /* NULL: an epilogue in place */
    const float *bias;
    size_t width;
    ag_factor a, b;
    bool bf16;
} result;

static void result_piece(void *context, size_t begin, size_t end)
{
    const result *r = context;
    float *y = r->y + begin * r->width;
    ag_factor a = {r->a.all, r->a.each != NULL ? r->a.each + begin : NULL};
    if (r->product == NULL)
        ag_epilogue_fast(y, r->bias, end - begin, r->width, a, r->b, r->bf16);
    else
        ag_accumulate_fast(y, r->product + begin * r->width, end - begin, r->width, a, r->b);
}

void ag_epilogue_shared(float *y, const float *bias, size_t N, size_t OC, ag_factor a, ag_factor b,
                        bool bf16)
{
    result r = {y, NULL, bias, OC, a, b, bf16};
    ag_pool_share(N, ag_rows_of_piece(OC), result_piece, &r);
}

void ag_accumulate_shared(float *restrict grad, const float *restrict product, size_t OC, size_t C,
                          ag_factor a, ag_factor b)
{
    result r = {grad, product, NULL, C, a, b, false};
    ag_pool_share(OC, ag_rows_of_piece(C), result_piece, &r);
}

/* --- norms */

typedef struct norm {
    float *out;
    float *new_mean, *new_rstd; /* forward */
    const float *mean, *rstd;   /* backward */
    const float *x;
    const ag_norm_form *form;
    const ag_norm_grads *grads;
    const float *dout;
    size_t N, C;
} norm;

static void norm_piece(void *context, size_t begin, size_t end)
{
    const norm *n = context;
    size_t at = begin * n->C;
    ag_norm_forward_fast(n->out + at, n->new_mean + begin, n->new_rstd + begin, n->x + at, n->form,
                         end - begin, n->C);
}

void ag_norm_forward_shared(float *restrict out, float *restrict mean, float *restrict rstd,
                            const float *restrict x, const ag_norm_form *form, size_t N, size_t C)
{
    norm n = {.out = out, .new_mean = mean, .new_rstd = rstd, .x = x, .form = form, .C = C};
    ag_pool_share(N, ag_rows_of_piece(C), norm_piece, &n);
}

static void norm_dx_piece(void *context, size_t begin, size_t end)
{
    const norm *n = context;
    size_t at = begin * n->C;
    ag_norm_dx_fast(n->grads->dx + at, n->dout + at, n->x + at, n->form, n->mean + begin,
                    n->rstd + begin, end - begin, n->C);
}

static void norm_gains_piece(void *context, size_t begin, size_t end)
{
    const norm *n = context;
    ag_norm_gains_fast(n->grads, n->dout, n->x, n->mean, n->rstd, n->N, n->C,
                       (ag_columns){begin, end});
}

/* One thread reads the rows once; several take the input's gradient by rows, the gains by columns.
 */
void ag_norm_backward_shared(const ag_norm_grads *grads, const float *restrict dout,
                             const float *restrict x, const ag_norm_form *form,
                             const float *restrict mean, const float *restrict rstd, size_t N,
                             size_t C)
{
    if (ag_pool_threads() == 1) {
        ag_norm_backward_fast(grads, dout, x, form, mean, rstd, N, C);
        return;
    }
    norm n = {.grads = grads, .dout = dout, .x = x, .form = form, .N = N, .C = C};
    n.mean = mean;
    n.rstd = rstd;
    ag_pool_share(N, ag_rows_of_piece(C), norm_dx_piece, &n);
    ag_pool_share(C, 64, norm_gains_piece, &n);
}

/* --- elements alone */

typedef struct elements {
    float *out;
    const float *a, *b;
    bool tanh_form;
    float p;
    uint64_t key, first;
    uint32_t place, step;
} elements;

static void gelu_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_gelu_forward_fast(e->out + begin, e->a + begin, end - begin, e->tanh_form);
}

void ag_gelu_forward_shared(float *restrict out, const float *restrict x, size_t count,
                            bool tanh_form)
{
    elements e = {.out = out, .a = x, .tanh_form = tanh_form};
    ag_pool_share(count, AG_PIECE, gelu_piece, &e);
}

static void gelu_backward_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_gelu_backward_fast(e->out + begin, e->a + begin, e->b + begin, end - begin, e->tanh_form);
}

void ag_gelu_backward_shared(float *dx, const float *dout, const float *restrict x, size_t count,
                             bool tanh_form)
{
    elements e = {.out = dx, .a = dout, .b = x, .tanh_form = tanh_form};
    ag_pool_share(count, AG_PIECE, gelu_backward_piece, &e);
}

static void dropout_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_dropout_fast(e->out + begin, end - begin, e->p, e->key, e->place, e->step, e->first + begin);
}

void ag_dropout_shared(float *x, size_t count, float p, uint64_t key, uint32_t place, uint32_t step,
                       uint64_t first)
{
    elements e = {.out = x, .p = p, .key = key, .first = first, .place = place, .step = step};
    ag_pool_share(count, AG_PIECE, dropout_piece, &e);
}

static void add_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_add_fast(e->out + begin, e->a + begin, end - begin);
}

void ag_add_shared(float *restrict y, const float *restrict x, size_t count)
{
    elements e = {.out = y, .a = x};
    ag_pool_share(count, AG_PIECE, add_piece, &e);
}

static void duplicate_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_duplicate_fast(e->out + begin, e->a + begin, end - begin);
}

void ag_duplicate_shared(float *restrict y, const float *restrict x, size_t count)
{
    elements e = {.out = y, .a = x};
    ag_pool_share(count, AG_PIECE, duplicate_piece, &e);
}

/* --- rows of probabilities */

typedef struct rows {
    float *x;
    float *losses;
    const float *probs;
    const float *logits;
    const int32_t *targets;
    size_t width;
    float scale;
} rows;

static void softmax_piece(void *context, size_t begin, size_t end)
{
    const rows *r = context;
    ag_causal_softmax_fast(r->x + begin * r->width * r->width, end - begin, r->width, r->scale);
}

void ag_causal_softmax_shared(float *scores, size_t M, size_t T, float scale)
{
    rows r = {.x = scores, .width = T, .scale = scale};
    ag_pool_share(M, ag_rows_of_piece(T * T), softmax_piece, &r);
}

static void softmax_backward_piece(void *context, size_t begin, size_t end)
{
    const rows *r = context;
    size_t at = begin * r->width * r->width;
    ag_causal_softmax_backward_fast(r->x + at, r->probs + at, end - begin, r->width, r->scale);
}

void ag_causal_softmax_backward_shared(float *restrict dp, const float *restrict probs, size_t M,
                                       size_t T, float scale)
{
    rows r = {.x = dp, .probs = probs, .width = T, .scale = scale};
    ag_pool_share(M, ag_rows_of_piece(T * T), softmax_backward_piece, &r);
}

static void cross_entropy_piece(void *context, size_t begin, size_t end)
{
    const rows *r = context;
    ag_cross_entropy_fast(r->x + begin * r->width, r->losses + begin, r->targets + begin,
                          end - begin, r->width, r->scale);
}

void ag_cross_entropy_shared(float *restrict logits, float *restrict losses, const int32_t *targets,
                             size_t N, size_t V, float scale)
{
    rows r = {.x = logits, .losses = losses, .targets = targets, .width = V, .scale = scale};
    ag_pool_share(N, ag_rows_of_piece(V), cross_entropy_piece, &r);
}

static void loss_piece(void *context, size_t begin, size_t end)
{
    const rows *r = context;
    ag_cross_entropy_loss_fast(r->losses + begin, r->logits + begin * r->width, r->targets + begin,
                               end - begin, r->width);
}

void ag_cross_entropy_loss_shared(float *restrict losses, const float *restrict logits,
                                  const int32_t *targets, size_t N, size_t V)
{
    rows r = {.logits = logits, .losses = losses, .targets = targets, .width = V};
    ag_pool_share(N, ag_rows_of_piece(V), loss_piece, &r);
}

/* --- the step's end */

/* Blocks whose sums are kept at a time, 2 KiB of stack. */
enum { BLOCKS = 256 };

typedef struct squares {
    const float *x;
    double sum[BLOCKS];
} squares;

static void squares_piece(void *context, size_t begin, size_t end)
{
    squares *s = context;
    s->sum[begin / AG_SQUARES_BLOCK] = ag_sum_squares_fast(s->x + begin, end - begin);
}

/* The sums of blocks are added in the order of the blocks, whichever thread made them. */
double ag_sum_squares_shared(const float *x, size_t count)
{
    double sum = 0;
    const size_t most = (size_t)BLOCKS * AG_SQUARES_BLOCK;
    for (size_t at = 0; at < count; at += most) {
        size_t n = ag_smaller(most, count - at);
        squares s = {.x = x + at};
        ag_pool_share(n, AG_SQUARES_BLOCK, squares_piece, &s);
        for (size_t block = 0; block * AG_SQUARES_BLOCK < n; block++)
            sum += s.sum[block];
    }
    return sum;
}
