/* Sharpness: the eigenvalue of largest magnitude of the loss's Hessian, by power iteration.
 *
 *   v <- Hv / |Hv|      Hv = (grad(w + h v) - grad(w - h v)) / 2h,  h = 2^-12 |w|
 *
 * The loss is the mean cross-entropy of the step's first micro-batch, with nothing rounded and
 * nothing dropped. Smaller h would leave too few bits of the difference to float32, larger ones
 * show the third derivative; at this one the eigenvalue is good to about 4e-4. */
#include <math.h>
#include <string.h>

#include "base/philox.h"
#include "data/batch.h"
#include "observer.h"

enum { ITERATIONS = 20 };

static const double s_step = 0x1p-12;

/* Where the gradient is taken, and along what. */
typedef struct search {
    ag_trainer *trainer;
    size_t count;
    const float *w; /* the weights of the step */
    float *v;
    float *ahead; /* the gradient at w + h v */
    double h;
} search;

static double norm_of(const float *x, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* v becomes a unit vector; false where it has no direction. */
static bool normalise(float *v, size_t count)
{
    double norm = norm_of(v, count);
    for (size_t i = 0; norm > 0.0 && i < count; i++)
        v[i] = (float)((double)v[i] / norm);
    return norm > 0.0;
}

/* Leaves the gradient at w + distance * v in model.grads. */
static void differentiate(const search *s, double distance)
{
    ag_trainer *trainer = s->trainer;
    ag_model *model = &trainer->model;
    float *weights = trainer->state.weights;
    for (size_t i = 0; i < s->count; i++)
        weights[i] = (float)((double)s->w[i] + distance * (double)s->v[i]);
    ag_pass pass =
        ag_trainer_pass(trainer, AG_MODE_SHADOW, (size_t)trainer->run->train.batch_size, 0);
    pass.dropout = 0.0f;
    pass.loss_scale = (float)(1.0 / (double)(pass.B * model->T));
    ag_model_clear_gradients(model);
    ag_model_forward(model, &trainer->tokens, &pass);
    ag_model_backward(model, &trainer->tokens, &pass);
}

/* v becomes Hv; what v, a unit vector, was told of it. */
static ag_sharpness multiply(const search *s)
{
    const float *behind = s->trainer->model.grads;
    double rayleigh = 0.0;
    double squares = 0.0;
    differentiate(s, s->h);
    memcpy(s->ahead, behind, s->count * sizeof *s->ahead);
    differentiate(s, -s->h);
    for (size_t i = 0; i < s->count; i++) {
        s->ahead[i] = (float)(((double)s->ahead[i] - (double)behind[i]) / (2.0 * s->h));
        rayleigh += (double)s->v[i] * (double)s->ahead[i];
    }
    for (size_t i = 0; i < s->count; i++) {
        double rest = (double)s->ahead[i] - rayleigh * (double)s->v[i];
        squares += rest * rest;
        s->v[i] = s->ahead[i];
    }
    return (ag_sharpness){rayleigh, sqrt(squares)};
}

ag_sharpness ag_observe_curvature(ag_trainer *trainer, float *v, float *room, const float *weights)
{
    ag_model *model = &trainer->model;
    ag_sharpness found = {0};
    search s = {trainer, trainer->state.tensors.total, weights, v, room, 0.0};
    const float z_loss = model->logits_form.z_loss;
    s.h = s_step * norm_of(weights, s.count);
    model->logits_form.z_loss = 0.0f;
    for (int i = 0; i < ITERATIONS && normalise(v, s.count); i++)
        found = multiply(&s);
    model->logits_form.z_loss = z_loss;
    memcpy(trainer->state.weights, weights, s.count * sizeof *weights);
    return found;
}

/* Uniform in [-1/2, 1/2): the same direction at every step. */
static void begin(float *v, size_t count, int64_t seed)
{
    uint64_t key = ag_stream_key((uint64_t)seed, AG_STREAM_SHARPNESS);
    for (size_t i = 0; i < count; i++) {
        ag_philox_block block = ag_philox(key, (uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), 0, 0);
        v[i] = (float)((double)block.word[i % 4] * 0x1p-32 - 0.5);
    }
}

void ag_observe_sharpness(ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    begin(observer->direction, trainer->state.tensors.total, trainer->run->seed);
    ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, trainer->corpus, trainer->run,
                   trainer->state.step, 0);
    observer->sharpness =
        ag_observe_curvature(trainer, observer->direction, observer->ahead, observer->before);
}

static const ag_metric s_sharpness[] = {
    {"sharpness", "1", "eigenvalue of largest magnitude of the loss's Hessian",          false},
    {"residual",  "1", "|Hv - sharpness v| of the unit vector v that it was found with", false},
};

static void fill_sharpness(double *row, const ag_trainer *trainer, size_t run)
{
    (void)run;
    row[0] = trainer->observer->sharpness.eigenvalue;
    row[1] = trainer->observer->sharpness.residual;
}

const ag_sampler ag_sampler_sharpness = {AG_BEFORE_UPDATE, "diagnostics/sharpness", s_sharpness,
                                         sizeof s_sharpness / sizeof s_sharpness[0],
                                         fill_sharpness};
