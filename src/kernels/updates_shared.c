/* Updates of weights, element by element, cut into pieces for the threads of the pool. */
#include "base/pool.h"
#include "kernels_internal.h"

/* The arrays of one update, by what most of them are, and the constants of its kind. */
typedef struct update {
    float *w, *m, *v;
    const float *grad;   /* or u, or the weights as they are stored */
    const float *before; /* or the weights as they were wanted */
    const float *root;   /* v where it is only read, or NULL */
    const ag_adamw_step *adamw;
    const ag_spacing *spacing;
    const ag_sgd_step *sgd;
    const ag_lion_step *lion;
    const ag_momentum_step *momentum;
    const ag_eco_step *eco;
    float rate, decay;
} update;

static void adamw_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    float *w = u->w + begin;
    float *m = u->m + begin;
    float *v = u->v + begin;
    if (u->spacing == NULL)
        ag_adamw_fast(w, m, v, u->grad + begin, end - begin, u->adamw);
    else
        ag_manifold_adamw_fast(w, m, v, u->grad + begin, end - begin, u->adamw, u->spacing);
}

void ag_adamw_shared(float *restrict w, float *restrict m, float *restrict v,
                     const float *restrict grad, size_t count, const ag_adamw_step *step)
{
    update u = {.w = w, .m = m, .v = v, .grad = grad, .adamw = step};
    ag_pool_share(count, AG_PIECE, adamw_piece, &u);
}

void ag_manifold_adamw_shared(float *restrict w, float *restrict m, float *restrict v,
                              const float *restrict grad, size_t count, const ag_adamw_step *step,
                              const ag_spacing *spacing)
{
    update u = {.w = w, .m = m, .v = v, .grad = grad, .adamw = step, .spacing = spacing};
    ag_pool_share(count, AG_PIECE, adamw_piece, &u);
}

static void sgd_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    ag_sgd_fast(u->w + begin, u->v + begin, u->grad + begin, end - begin, u->sgd);
}

void ag_sgd_shared(float *restrict w, float *restrict v, const float *restrict grad, size_t count,
                   const ag_sgd_step *step)
{
    update u = {.w = w, .v = v, .grad = grad, .sgd = step};
    ag_pool_share(count, AG_PIECE, sgd_piece, &u);
}

static void lion_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    ag_lion_fast(u->w + begin, u->m + begin, u->grad + begin, end - begin, u->lion);
}

void ag_lion_shared(float *restrict w, float *restrict m, const float *restrict grad, size_t count,
                    const ag_lion_step *step)
{
    update u = {.w = w, .m = m, .grad = grad, .lion = step};
    ag_pool_share(count, AG_PIECE, lion_piece, &u);
}

static void momentum_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    ag_momentum_fast(u->w + begin, u->m + begin, u->grad + begin, end - begin, u->momentum);
}

void ag_momentum_shared(float *restrict u, float *restrict m, const float *restrict grad,
                        size_t count, const ag_momentum_step *step)
{
    update all = {.w = u, .m = m, .grad = grad, .momentum = step};
    ag_pool_share(count, AG_PIECE, momentum_piece, &all);
}

static void descend_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    ag_descend_fast(u->w + begin, u->grad + begin, end - begin, u->rate, u->decay);
}

void ag_descend_shared(float *restrict w, const float *restrict u, size_t count, float rate,
                       float decay)
{
    update all = {.w = w, .grad = u, .rate = rate, .decay = decay};
    ag_pool_share(count, AG_PIECE, descend_piece, &all);
}

static void kahan_step_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    ag_kahan_step_fast(u->w + begin, u->m + begin, u->before + begin, end - begin, u->decay);
}

void ag_kahan_step_shared(float *restrict w, float *restrict c, const float *restrict before,
                          size_t count, float decay)
{
    update all = {.w = w, .m = c, .before = before, .decay = decay};
    ag_pool_share(count, AG_PIECE, kahan_step_piece, &all);
}

static void kahan_keep_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    ag_kahan_keep_fast(u->m + begin, u->grad + begin, u->before + begin, end - begin);
}

void ag_kahan_keep_shared(float *restrict c, const float *restrict w, const float *restrict before,
                          size_t count)
{
    update all = {.m = c, .grad = w, .before = before};
    ag_pool_share(count, AG_PIECE, kahan_keep_piece, &all);
}

static void eco_piece(void *context, size_t begin, size_t end)
{
    const update *u = context;
    const float *v = u->root != NULL ? u->root + begin : NULL;
    ag_eco_fast(u->m + begin, v, u->before + begin, u->grad + begin, end - begin, u->eco);
}

void ag_eco_shared(float *restrict m, const float *restrict v, const float *restrict wanted,
                   const float *restrict w, size_t count, const ag_eco_step *step)
{
    update all = {.m = m, .root = v, .before = wanted, .grad = w, .eco = step};
    ag_pool_share(count, AG_PIECE, eco_piece, &all);
}
