/* What attention looks at: its largest logit, and the entropy of its probabilities. */
#include <math.h>

#include "base/maths.h"
#include "base/pool.h"
#include "observer.h"

/* Queries or keys as the product reads them: row t of a head begins at x + t * step. */
typedef struct rows {
    const float *x;
    size_t step;
    ag_factor factor;
} rows;

/* The attention of a block in a pass. */
typedef struct work {
    const ag_model *model;
    ag_block *block;
    ag_head_seen *heads;
    bool quantised;
} work;

/* Of one matrix of q or k, [T, D]. */
/* As the product of scores read them, with the factor that undoes their scale. */
static rows quantised_rows(const work *w, const ag_site_operands *tensor, size_t matrix)
{
    ag_stack_operand stack = ag_site_operand(tensor, 0);
    ag_operand operand = ag_stack_operand_at(&stack, matrix, w->model->T, w->model->D);
    return (rows){operand.values, w->model->D, operand.factor};
}

/* Of q (part 0) or k (part 1), of the query head i of all sequences. */
static rows rows_of(const work *w, int part, size_t i)
{
    const ag_model *model = w->model;
    const size_t H = model->H;
    const size_t group = part == 0 ? 1 : H / model->K;
    const size_t head = i % H / group;
    if (w->quantised)
        return quantised_rows(w, part == 0 ? w->block->attention.q : w->block->attention.k,
                              i / group);
    const float *sequence = w->block->qkv + i / H * model->T * model->W;
    const size_t column = (part == 0 ? head : H + head) * model->D;
    return (rows){sequence + column, model->W, {.all = 1.0f}};
}

/* NaN, once met, stays. */
static double larger(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

/* In double, and by its definition: the kernels keep no scores that could be looked at. */
static double logit_max(const work *w, size_t head)
{
    const rows q = rows_of(w, 0, head);
    const rows k = rows_of(w, 1, head);
    double most = -INFINITY;
    for (size_t t = 0; t < w->model->T; t++) {
        for (size_t u = 0; u <= t; u++) {
            double sum = 0.0;
            for (size_t d = 0; d < w->model->D; d++)
                sum += (double)q.x[t * q.step + d] * (double)k.x[u * k.step + d];
            most = larger(most, sum * (double)ag_factor_at(&q.factor, t) *
                                    (double)ag_factor_at(&k.factor, u));
        }
    }
    return most * (double)w->model->attn_scale;
}

/* Sum over the rows t of -sum p ln p; what lies above the diagonal is no probability. */
static double entropy(const float *probs, size_t T)
{
    double sum = 0.0;
    for (size_t t = 0; t < T; t++) {
        for (size_t u = 0; u <= t; u++) {
            double p = (double)probs[t * T + u];
            sum -= p > 0.0 ? p * ag_ln(p) : p; /* of 0 nothing; NaN stays */
        }
    }
    return sum;
}

static void see_heads(void *context, size_t begin, size_t end)
{
    const work *w = context;
    const size_t T = w->model->T;
    for (size_t i = begin; i < end; i++)
        w->heads[i] = (ag_head_seen){logit_max(w, i), entropy(w->block->probs + i * T * T, T)};
}

/* Heads are shared among threads, but added up here in their order: any number of threads gives the
 * same sum. */
void ag_observe_attention(ag_observer *observer, ag_model *model, size_t block, const ag_pass *pass)
{
    ag_block *of = &model->blocks[block];
    ag_attn_seen *seen = &observer->attn[block];
    work w = {model, of, observer->heads, of->attention.q != NULL};
    ag_pool_share(pass->B * model->H, 1, see_heads, &w);
    seen->sequences += (double)pass->B;
    for (size_t i = 0; i < pass->B * model->H; i++) {
        seen->logit_max = larger(seen->logit_max, observer->heads[i].logit_max);
        seen->entropy[i % model->H] += observer->heads[i].entropy;
    }
}

static const ag_metric s_attn[] = {
    {"attn_logit_max",   "1",
     "largest scale * q k before softcap and mask, over sequences, heads and allowed positions",      false},
    {"attn_entropy",     "nats", "mean entropy of a row of attention's probabilities before dropout",
     false                                                                                                 },
    {"attn_entropy_min", "nats", "the same, of the head where it is smallest",                        false},
};

static void fill_attn(double *row, const ag_trainer *trainer, size_t block)
{
    const ag_attn_seen *seen = &trainer->observer->attn[block];
    const size_t H = trainer->model.H;
    const double count = seen->sequences * (double)trainer->model.T;
    double sum = 0.0;
    double least = INFINITY;
    for (size_t h = 0; h < H; h++) {
        sum += seen->entropy[h];
        least = -larger(-least, -seen->entropy[h]);
    }
    row[0] = seen->logit_max;
    row[1] = sum / count / (double)H;
    row[2] = least / count;
}

const ag_sampler ag_sampler_attn = {AG_BEFORE_UPDATE, "diagnostics/attn", s_attn,
                                    sizeof s_attn / sizeof s_attn[0], fill_attn};
