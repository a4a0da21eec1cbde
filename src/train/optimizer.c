/* Gradient clipping by global norm, and the optimizers over the tensor table. Two of them follow
 * the grid that a tensor's weights are quantised on; tensors without one, that is norms, biases,
 * embeddings and layers whose weights stay in BF16, are updated by AdamW or SGD.
 *
 * manifold_adamw: the gradient is multiplied by S / S_max before it enters the moments, where
 * S(w) = 2^(floor(log2 |w s|) - M) / s is the distance from w to the next value of its format, s
 * the scale of this step's forward pass, that of its group where groups have scales, and S_max the
 * largest S of the tensor. Without S_max, S being 1e-3 or less, eps would weigh more. Adam divides
 * by the gradient's size, so a factor that stays the same cancels: it acts while a weight passes
 * from one power of two to another, and on gradients so small that eps counts.
 *
 * grid: w lies on the values of its format, divided by a scale that is chosen before the first step
 * and never changes, so that the forward pass reads w as it is. SGD counted in rungs, steps from
 * one value to the next: lr v / S_max of them, and decay. So the weight moves by lr v S / S_max on
 * average. */
#include <math.h>
#include <string.h>

#include "base/maths.h"
#include "muon.h"
#include "optimizer.h"
#include "run/optimizers.h"
#include "run/streams.h"

double ag_grad_norm(const float *grads, size_t count, const ag_kernels *k)
{
    return sqrt(k->sum_squares(grads, count));
}

/* limit / (norm + 1e-6), as torch.nn.utils.clip_grad_norm_. */
double ag_clip_factor(double norm, double limit)
{
    double factor = limit / (norm + 1e-6);
    return limit > 0.0 && factor < 1.0 ? factor : 1.0;
}

/* What one tensor's update reads and writes. */
typedef struct part {
    const ag_kernels *k;
    const ag_optimizer_spec *spec;
    const ag_update *update;
    const ag_tensor *tensor;
    const ag_tensor_grid *grid;
    ag_grid_groups *own; /* scratch, */
    ag_muon_space *muon; /* too */
    const ag_model_spec *model;
    size_t count;
    float *w;
    float *m;
    float *v;        /* Adam only */
    float *lost;     /* kahan only */
    float *unstored; /* scratch where weights are stored */
    const float *grad;
    double lr;   /* with the tensor's factor */
    float decay; /* lr without it * weight decay, 0 for tensors that are not decayed */
    uint32_t step;
    double t; /* of Adam */
} part;

typedef void update_fn(const part *p);

/* --- AdamW */

static ag_adamw_step adamw_step(const part *p)
{
    return (ag_adamw_step){
        .lr = (float)p->lr,
        .beta1 = (float)p->spec->betas[0],
        .beta2 = (float)p->spec->betas[1],
        .fresh1 = (float)(1.0 - p->spec->betas[0]),
        .fresh2 = (float)(1.0 - p->spec->betas[1]),
        .eps = (float)p->spec->eps,
        .decay = p->decay,
        .correction1 = (float)(1.0 - ag_pow(p->spec->betas[0], p->t)),
        .correction2 = (float)(1.0 - ag_pow(p->spec->betas[1], p->t)),
        .grad_scale = (float)p->update->grad_scale,
    };
}

static void adamw(const part *p)
{
    ag_adamw_step step = adamw_step(p);
    p->k->adamw(p->w, p->m, p->v, p->grad, p->count, &step);
}

/* The exponent e of the binade that y lies in, as ag_spacing counts it. */
static int binade(const ag_format *format, float y)
{
    return ilogb(ag_grid_spacing(format, y)) + format->mantissa;
}

static ag_spacing spacing_of(const ag_format *format, float scale, double unit)
{
    return (ag_spacing){
        .scale = scale,
        .lowest = binade(format, 0.0f),
        .highest = binade(format, format->max),
        .unit = (float)unit,
    };
}

static void manifold_tensor(const part *p)
{
    const ag_format *format = &p->grid->scheme->format;
    float scale = p->grid->scale->value;
    double unit = ldexp(1.0, -binade(format, p->k->amax(p->w, p->count) * scale));
    ag_adamw_step step = adamw_step(p);
    ag_spacing spacing = spacing_of(format, scale, unit);
    p->k->manifold_adamw(p->w, p->m, p->v, p->grad, p->count, &step, &spacing);
}

/* What a step of 1 between the format's values is in the weights of a group; 0 where every weight
 * becomes 0, whatever it is. */
static double group_step(const ag_grid_groups *own, size_t group)
{
    bool is_zero = own->amaxes[group] == 0.0f;
    return is_zero
               ? 0.0
               : (double)own->scales.after[group] * (double)ag_scales_factor(&own->scales, group);
}

static double coarsest_of(const part *p, size_t n_groups)
{
    double coarsest = 0.0;
    for (size_t i = 0; i < n_groups; i++) {
        float largest = p->own->amaxes[i] * p->own->scales.scale[i];
        double spacing = ag_grid_spacing(&p->grid->scheme->format, largest);
        coarsest = fmax(coarsest, spacing * group_step(p->own, i));
    }
    return coarsest;
}

/* One row's elements of one group. Where all become 0, the factor is 1, so that they can leave. */
static void manifold_run(const part *p, const ag_adamw_step *step, size_t at, size_t count,
                         size_t group, double coarsest)
{
    const ag_format *format = &p->grid->scheme->format;
    double grain = ldexp(group_step(p->own, group), -format->mantissa);
    ag_spacing spacing = {.unit = 1.0f};
    if (grain != 0.0)
        spacing = spacing_of(format, p->own->scales.scale[group], grain / coarsest);
    p->k->manifold_adamw(p->w + at, p->m + at, p->v + at, p->grad + at, count, step, &spacing);
}

static void manifold_groups(const part *p)
{
    const ag_scheme *scheme = p->grid->scheme;
    ag_matrix matrix = {.rows = p->tensor->dims[0], .cols = p->tensor->dims[1]};
    ag_groups groups = ag_matrix_scale(p->k, &p->own->scales, p->w, &matrix, scheme, NULL);
    ag_adamw_step step = adamw_step(p);
    p->k->groups_amax(p->own->amaxes, p->w, &groups, false);
    double coarsest = coarsest_of(p, ag_groups_count(&groups));
    for (size_t row = 0; row < groups.rows; row++) {
        for (size_t col = 0; col < groups.cols; col += groups.width) {
            size_t left = groups.cols - col;
            size_t count = left < groups.width ? left : groups.width;
            size_t group = ag_groups_at(&groups, row, col);
            manifold_run(p, &step, row * groups.cols + col, count, group, coarsest);
        }
    }
}

static void manifold_adamw(const part *p)
{
    if (p->grid->scheme->granularity == AG_GRANULARITY_TENSOR)
        manifold_tensor(p);
    else
        manifold_groups(p);
}

/* --- SGD */

static void sgd(const part *p)
{
    ag_sgd_step step = {
        .lr = (float)p->lr,
        .momentum = (float)p->spec->momentum,
        .decay = p->decay,
        .grad_scale = (float)p->update->grad_scale,
    };
    p->k->sgd(p->w, p->m, p->grad, p->count, &step);
}

static void grid(const part *p)
{
    const ag_format *format = &p->grid->scheme->format;
    float scale = p->grid->scale->value;
    double coarsest = ag_grid_spacing(format, p->k->amax(p->w, p->count) * scale) / (double)scale;
    ag_grid_step step = {
        .format = format,
        .scale = scale,
        .momentum = (float)p->spec->momentum,
        .grad_scale = (float)p->update->grad_scale,
        .rungs_per_velocity = (float)fmin(p->lr / coarsest, 0x1p127),
        .decay = p->decay,
        .rung_clip = (float)p->spec->rung_clip,
    };
    ag_rounding_site where = {.key = p->update->rounding_key,
                              .place = p->grid->place,
                              .use = AG_USE_OPTIMIZER,
                              .step = p->step};
    p->k->grid(p->w, p->m, p->grad, p->count, &step, &where);
}

/* --- Lion */

static void lion(const part *p)
{
    ag_lion_step step = {
        .lr = (float)p->lr,
        .beta1 = (float)p->spec->betas[0],
        .fresh1 = (float)(1.0 - p->spec->betas[0]),
        .beta2 = (float)p->spec->betas[1],
        .fresh2 = (float)(1.0 - p->spec->betas[1]),
        .decay = p->decay,
        .grad_scale = (float)p->update->grad_scale,
    };
    p->k->lion(p->w, p->m, p->grad, p->count, &step);
}

/* --- Muon */

/* Part by part, so that fused layers move as separate ones would. */
static void muon(const part *p)
{
    size_t rows[AG_MOST_PARTS];
    size_t parts = ag_tensor_parts(rows, p->model, p->tensor);
    size_t cols = p->tensor->dims[1];
    float *u = p->muon->update;
    ag_momentum_step step = {
        .momentum = (float)p->spec->muon_momentum,
        .fresh = (float)(1.0 - p->spec->muon_momentum),
        .nesterov = p->spec->muon_nesterov,
        .grad_scale = (float)p->update->grad_scale,
    };
    p->k->momentum(u, p->m, p->grad, p->count, &step);
    for (size_t i = 0, at = 0; i < parts; at += rows[i++] * cols) {
        double scale = ag_muon_factor((ag_muon_scale)p->spec->muon_scale, rows[i], cols);
        ag_muon_orthogonalise(u + at, rows[i], cols, (ag_muon_ns)p->spec->muon_ns, p->muon, p->k);
        p->k->descend(p->w + at, u + at, rows[i] * cols, (float)(p->lr * scale), p->decay);
    }
}

/* --- weights without a master */

static void store(const part *p)
{
    ag_stack stack = {1, p->tensor->dims[0], p->tensor->dims[1], 0};
    ag_site_store(p->grid->store, p->w, &stack, p->update->pass);
}

/* The step alone first: every update is w - decay w - step, and taken from zero leaves -step. */
static void store_kahan(part *p, update_fn *move)
{
    float decay = p->decay;
    memcpy(p->unstored, p->w, p->count * sizeof *p->w);
    memset(p->w, 0, p->count * sizeof *p->w);
    p->decay = 0.0f;
    move(p);
    p->decay = decay;
    p->k->kahan_step(p->w, p->lost, p->unstored, p->count, decay);
    store(p);
    p->k->kahan_keep(p->lost, p->w, p->unstored, p->count);
}

/* What of the momentum's next step makes up for one unit lost in this one; 0 where the momentum is
 * not kept. */
static double eco_factor(const part *p)
{
    bool has_v = ag_optimizers[p->spec->type].has_variance;
    double beta = has_v ? p->spec->betas[0] : p->spec->momentum;
    double grown = has_v ? 1.0 - ag_pow(beta, p->t) : 1.0;
    return beta > 0.0 && p->lr > 0.0 ? grown / p->lr * (1.0 - 1.0 / beta) : 0.0;
}

static void store_eco(part *p, update_fn *move)
{
    ag_eco_step step = {
        .factor = (float)eco_factor(p),
        .correction2 = (float)(1.0 - ag_pow(p->spec->betas[1], p->t)),
        .eps = (float)p->spec->eps,
    };
    move(p);
    memcpy(p->unstored, p->w, p->count * sizeof *p->w);
    store(p);
    if (step.factor != 0.0f)
        p->k->eco(p->m, p->v, p->unstored, p->w, p->count, &step);
}

static void move_and_store(part *p, update_fn *move)
{
    switch ((ag_store_error)p->spec->store_error) {
    case AG_STORE_ERROR_KAHAN:
        store_kahan(p, move);
        break;
    case AG_STORE_ERROR_ECO:
        store_eco(p, move);
        break;
    case AG_STORE_ERROR_DROP:
        move(p);
        store(p);
        break;
    }
}

/* Rounded to nearest, by whatever rule later steps round, and seen by no observer. */
static void store_first(float *w, const ag_tensor *tensor, const ag_site_operands *how)
{
    ag_stack stack = {1, tensor->dims[0], tensor->dims[1], 0};
    ag_pass pass = {.mode = AG_MODE_TRAIN, .B = 1};
    ag_site_operands nearest = *how;
    ag_scheme scheme = *how->operands[0].scheme;
    scheme.rounding = AG_ROUND_NEAREST;
    nearest.operands[0].scheme = &scheme;
    ag_site_store(&nearest, w, &stack, &pass);
}

void ag_optimizer_begin(ag_train_state *state, const ag_optimizer_spec *spec, const bool *goes_on,
                        const ag_kernels *k)
{
    for (size_t i = 0; i < state->tensors.count; i++) {
        const ag_tensor *tensor = &state->tensors.rows[i];
        if (state->grids[i].store != NULL && (goes_on == NULL || !goes_on[i]))
            store_first(state->weights + tensor->offset, tensor, state->grids[i].store);
    }
    for (size_t i = 0; ag_optimizers[spec->type].fixes_scale && i < state->tensors.count; i++) {
        const ag_tensor *tensor = &state->tensors.rows[i];
        const ag_tensor_grid *on = &state->grids[i];
        if (on->scheme == NULL || on->scheme->amax == AG_AMAX_NONE ||
            (goes_on != NULL && goes_on[i]))
            continue;
        float amax = k->amax(state->weights + tensor->offset, tensor->count);
        on->scale->value =
            ag_scale_from_amax(&on->scheme->format, amax, (int)spec->headroom, true, 1.0f);
    }
}

/* --- all tensors */

/* By ag_optimizer_type: for tensors without a grid, and for those with one. */
static update_fn *const s_updates[AG_OPTIMIZERS][2] = {
    [AG_OPTIMIZER_ADAMW] = {adamw, adamw         },
    [AG_OPTIMIZER_SGD] = {sgd,   sgd           },
    [AG_OPTIMIZER_MANIFOLD_ADAMW] = {adamw, manifold_adamw},
    [AG_OPTIMIZER_GRID] = {sgd,   grid          },
    [AG_OPTIMIZER_LION] = {lion,  lion          },
    [AG_OPTIMIZER_MUON] = {muon,  muon          },
};

/* Sets how fast the tensor moves; returns what moves it. */
static update_fn *begin_tensor(part *p)
{
    size_t rows[AG_MOST_PARTS];
    bool by_adamw = ag_optimizers[p->spec->type].orthogonalises &&
                    ag_tensor_parts(rows, p->model, p->tensor) == 0;
    double peak = by_adamw ? ag_schedule_adamw_peak(p->spec) : p->spec->lr;
    double lr = by_adamw ? p->update->adamw_lr : p->update->lr;
    p->lr = lr * p->tensor->lr_factor;
    p->decay = p->tensor->decayed ? (float)ag_schedule_decay(p->spec, lr, peak) : 0.0f;
    return by_adamw ? adamw : s_updates[p->spec->type][p->grid->scheme != NULL];
}

void ag_optimizer_step(ag_train_state *state, const ag_optimizer_spec *spec,
                       const ag_update *update, const ag_kernels *k)
{
    part p = {.k = k,
              .spec = spec,
              .update = update,
              .own = &state->groups,
              .muon = &state->muon,
              .unstored = state->unstored,
              .model = state->model};
    p.t = (double)++state->updates;
    p.step = (uint32_t)state->step;
    for (size_t i = 0; i < state->tensors.count; i++) {
        const ag_tensor *tensor = &state->tensors.rows[i];
        p.tensor = tensor;
        p.grid = &state->grids[i];
        p.count = tensor->count;
        p.w = state->weights + tensor->offset;
        p.m = state->m + tensor->offset;
        p.v = state->n_v > 0 ? state->v + tensor->offset : NULL;
        p.grad = update->grads + tensor->offset;
        p.lost = state->n_lost > 0 ? state->lost + tensor->offset : NULL;
        update_fn *move = begin_tensor(&p);
        if (p.grid->store != NULL)
            move_and_store(&p, move);
        else
            move(&p);
    }
}
