/* The fast kernels of blocks.inc with their work shared among the threads of the pool, as
 * kernels_shared.c does it. */
#include "base/pool.h"
#include "kernels_internal.h"

/* --- rows */

typedef struct turn {
    ag_heads out, x;
    size_t heads;
    const ag_rotation *rotation;
} turn;

static void rotate_piece(void *context, size_t begin, size_t end)
{
    const turn *t = context;
    ag_rotate_rows_fast(t->out, t->x, begin, end, t->heads, t->rotation);
}

void ag_rotate_shared(ag_heads out, ag_heads x, size_t N, size_t heads, const ag_rotation *rotation)
{
    turn t = {out, x, heads, rotation};
    ag_pool_share(N, ag_rows_of_piece(heads * rotation->D), rotate_piece, &t);
}

typedef struct logits {
    float *z;
    const int32_t *targets;
    const ag_logits_form *form;
    size_t V;
    float scale;
} logits;

static void logits_backward_piece(void *context, size_t begin, size_t end)
{
    const logits *l = context;
    ag_logits_backward_fast(l->z + begin * l->V, l->targets + begin, end - begin, l->V, l->scale,
                            l->form);
}

void ag_logits_backward_shared(float *restrict z, const int32_t *targets, size_t N, size_t V,
                               float scale, const ag_logits_form *form)
{
    logits l = {z, targets, form, V, scale};
    ag_pool_share(N, ag_rows_of_piece(V), logits_backward_piece, &l);
}

/* --- swiglu */

typedef struct gated {
    float *out;
    const float *dout;
    ag_gated d, in;
    size_t F;
} gated;

static ag_gated gated_from(const ag_gated *x, size_t row)
{
    return (ag_gated){x->gate + row * x->step, x->up + row * x->step, x->step};
}

static void swiglu_piece(void *context, size_t begin, size_t end)
{
    const gated *g = context;
    ag_gated in = gated_from(&g->in, begin);
    ag_swiglu_forward_fast(g->out + begin * g->F, &in, end - begin, g->F);
}

void ag_swiglu_forward_shared(float *restrict out, const ag_gated *in, size_t N, size_t F)
{
    gated g = {.out = out, .in = *in, .F = F};
    ag_pool_share(N, ag_rows_of_piece(F), swiglu_piece, &g);
}

static void swiglu_backward_piece(void *context, size_t begin, size_t end)
{
    const gated *g = context;
    ag_gated d = gated_from(&g->d, begin);
    ag_gated in = gated_from(&g->in, begin);
    ag_swiglu_backward_fast(&d, g->dout + begin * g->F, &in, end - begin, g->F);
}

void ag_swiglu_backward_shared(const ag_gated *d, const float *dout, const ag_gated *in, size_t N,
                               size_t F)
{
    gated g = {.dout = dout, .d = *d, .in = *in, .F = F};
    ag_pool_share(N, ag_rows_of_piece(F), swiglu_backward_piece, &g);
}

/* --- capped scores */

typedef struct capped {
    float *scores;
    const float *from; /* what they were, backward, */
    float *ds;         /* and their gradient */
    size_t T;
    float scale, cap;
} capped;

static void cap_piece(void *context, size_t begin, size_t end)
{
    const capped *c = context;
    size_t at = begin * c->T * c->T;
    if (c->ds == NULL)
        ag_cap_scores_fast(c->scores + at, end - begin, c->T, c->scale, c->cap);
    else
        ag_cap_scores_backward_fast(c->ds + at, c->from + at, end - begin, c->T, c->scale, c->cap);
}

void ag_cap_scores_shared(float *scores, size_t M, size_t T, float scale, float cap)
{
    capped c = {.scores = scores, .T = T, .scale = scale, .cap = cap};
    ag_pool_share(M, ag_rows_of_piece(T * T), cap_piece, &c);
}

void ag_cap_scores_backward_shared(float *restrict ds, const float *restrict scores, size_t M,
                                   size_t T, float scale, float cap)
{
    capped c = {.from = scores, .ds = ds, .T = T, .scale = scale, .cap = cap};
    ag_pool_share(M, ag_rows_of_piece(T * T), cap_piece, &c);
}

/* --- elements alone */

typedef struct elements {
    float *out;
    const float *a, *b;
    const ag_logits_form *form;
    float p, q;
} elements;

static void relu2_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_relu2_forward_fast(e->out + begin, e->a + begin, end - begin);
}

void ag_relu2_forward_shared(float *restrict out, const float *restrict x, size_t count)
{
    elements e = {.out = out, .a = x};
    ag_pool_share(count, AG_PIECE, relu2_piece, &e);
}

static void relu2_backward_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_relu2_backward_fast(e->out + begin, e->a + begin, e->b + begin, end - begin);
}

void ag_relu2_backward_shared(float *dx, const float *dout, const float *restrict x, size_t count)
{
    elements e = {.out = dx, .a = dout, .b = x};
    ag_pool_share(count, AG_PIECE, relu2_backward_piece, &e);
}

static void scale_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_amplify_fast(e->out + begin, end - begin, e->p);
}

void ag_amplify_shared(float *x, size_t count, float factor)
{
    elements e = {.out = x, .p = factor};
    ag_pool_share(count, AG_PIECE, scale_piece, &e);
}

static void blend_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_blend_fast(e->out + begin, e->a + begin, end - begin, e->p, e->q);
}

void ag_blend_shared(float *restrict y, const float *restrict x, size_t count, float a, float b)
{
    elements e = {.out = y, .a = x, .p = a, .q = b};
    ag_pool_share(count, AG_PIECE, blend_piece, &e);
}

static void logits_piece(void *context, size_t begin, size_t end)
{
    const elements *e = context;
    ag_logits_forward_fast(e->out + begin, end - begin, e->form);
}

void ag_logits_forward_shared(float *y, size_t count, const ag_logits_form *form)
{
    elements e = {.out = y, .form = form};
    ag_pool_share(count, AG_PIECE, logits_piece, &e);
}
