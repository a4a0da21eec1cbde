/* Every gradient of the tiny model against central differences of a forward pass that is written
 * here from the paper's formulas, in double precision. */
#include "optimizer.h"
#include "tiny.h"

enum { B = 3, T = 8, C = 8, H = 2, D = C / H, V = TINY_VOCAB, L = 2, N = B * T };

typedef struct plain {
    tiny *t;
    double w[4096]; /* all parameters, by the tensor table's offsets */
} plain;

static const double *param(const plain *p, ag_tensor_id id, size_t block)
{
    const ag_tensor *tensor = ag_tensor_find(&p->t->trainer.state.tensors, id, block);
    return tensor == NULL ? NULL : p->w + tensor->offset;
}

static void norm(const plain *p, double *out, const double *x, ag_tensor_id id, size_t block)
{
    const double *weight = param(p, id, block);
    const double *bias = param(p, id + 1, block);
    for (size_t n = 0; n < N; n++) {
        double mean = 0.0;
        double var = 0.0;
        for (size_t c = 0; c < C; c++)
            mean += x[n * C + c] / C;
        for (size_t c = 0; c < C; c++)
            var += (x[n * C + c] - mean) * (x[n * C + c] - mean) / C;
        for (size_t c = 0; c < C; c++)
            out[n * C + c] = (x[n * C + c] - mean) / sqrt(var + 1e-5) * weight[c] +
                             (bias == NULL ? 0.0 : bias[c]);
    }
}

static void linear(double *out, const double *x, const double *weight, const double *bias,
                   size_t in, size_t outputs)
{
    for (size_t n = 0; n < N; n++) {
        for (size_t o = 0; o < outputs; o++) {
            double sum = bias == NULL ? 0.0 : bias[o];
            for (size_t i = 0; i < in; i++)
                sum += x[n * in + i] * weight[o * in + i];
            out[n * outputs + o] = sum;
        }
    }
}

/* One query's output of one head. */
static void attend(double *out, const double *qkv, size_t sequence, size_t t, size_t h)
{
    const double *q = qkv + (sequence * T + t) * 3 * C + h * D;
    double total = 0.0;
    double sums[D] = {0.0};
    for (size_t s = 0; s <= t; s++) {
        const double *k = qkv + (sequence * T + s) * 3 * C + C + h * D;
        double score = 0.0;
        for (size_t d = 0; d < D; d++)
            score += q[d] * k[d];
        double weight = exp(score / sqrt(D));
        total += weight;
        for (size_t d = 0; d < D; d++)
            sums[d] += weight * k[C + d];
    }
    for (size_t d = 0; d < D; d++)
        out[(sequence * T + t) * C + h * D + d] = sums[d] / total;
}

static void add(double *x, const double *y)
{
    for (size_t i = 0; i < (size_t)N * C; i++)
        x[i] += y[i];
}

static void plain_block(const plain *p, double *x, size_t block)
{
    double a[N * C];
    double b[N * C];
    double qkv[N * 3 * C];
    double hidden[N * 4 * C];
    norm(p, a, x, AG_T_LN_1_W, block);
    linear(qkv, a, param(p, AG_T_C_ATTN_W, block), param(p, AG_T_C_ATTN_B, block), C, 3 * C);
    for (size_t i = 0; i < (size_t)N * H; i++)
        attend(b, qkv, i / H / T, i / H % T, i % H);
    linear(a, b, param(p, AG_T_ATTN_PROJ_W, block), param(p, AG_T_ATTN_PROJ_B, block), C, C);
    add(x, a);
    norm(p, a, x, AG_T_LN_2_W, block);
    linear(hidden, a, param(p, AG_T_C_FC_W, block), param(p, AG_T_C_FC_B, block), C, 4 * C);
    for (size_t i = 0; i < (size_t)N * 4 * C; i++)
        hidden[i] *= 0.5 * (1.0 + erf(hidden[i] / sqrt(2.0)));
    linear(a, hidden, param(p, AG_T_MLP_PROJ_W, block), param(p, AG_T_MLP_PROJ_B, block), 4 * C, C);
    add(x, a);
}

static double plain_loss(const plain *p)
{
    const ag_tokens *tokens = &p->t->trainer.tokens;
    const double *wte = param(p, AG_T_WTE, 0);
    const double *wpe = param(p, AG_T_WPE, 0);
    const double *head = p->t->run.model.tie_weights ? wte : param(p, AG_T_LM_HEAD_W, 0);
    double x[N * C];
    double last[N * C];
    double logits[N * V];
    for (size_t i = 0; i < (size_t)N * C; i++)
        x[i] = wte[(size_t)tokens->inputs[i / C] * C + i % C] + wpe[i / C % T * C + i % C];
    for (size_t block = 0; block < L; block++)
        plain_block(p, x, block);
    norm(p, last, x, AG_T_LN_F_W, 0);
    linear(logits, last, head, NULL, C, V);
    double loss = 0.0;
    for (size_t n = 0; n < N; n++) {
        double total = 0.0;
        for (size_t v = 0; v < V; v++)
            total += exp(logits[n * V + v]);
        loss += log(total) - logits[n * V + (size_t)tokens->targets[n]];
    }
    return loss / N;
}

/* The float32 gradient of a tensor is off by some 100 roundings of 2^-24 of the size of its larger
 * elements (paths of about 30 operations with sums of at most 32 terms); the differences, with
 * h = 1e-4, by h^2 and 1e-16 / h: less than 1e-8. */
static void check_tensor(plain *p, const ag_tensor *tensor)
{
    static const double h = 1e-4;
    const float *grad = p->t->trainer.model.grads + tensor->offset;
    float largest = ag_amax(grad, tensor->count);
    assert_true(largest > 0.0f);
    for (size_t i = 0; i < tensor->count; i++) {
        double *w = &p->w[tensor->offset + i];
        double at = *w;
        *w = at + h;
        double above = plain_loss(p);
        *w = at - h;
        double below = plain_loss(p);
        *w = at;
        double expected = (above - below) / (2.0 * h);
        if (fabs((double)grad[i] - expected) > 1e-5 * (double)largest + 1e-8)
            fail_msg("%s[%zu]: %.9g, differences give %.9g", tensor->name, i, (double)grad[i],
                     expected);
    }
}

static void check_model(bool tied, bool bias, const ag_kernels *k)
{
    static tiny t;
    static plain p;
    tiny_make(&t);
    t.run.compute = AG_COMPUTE_FP32;
    t.run.model.tie_weights = tied;
    t.run.model.bias = bias;
    tiny_start_from(&t, k, NULL);
    ag_trainer *trainer = &t.trainer;
    size_t total = trainer->state.tensors.total;
    assert_true(total <= sizeof p.w / sizeof p.w[0]);
    for (size_t i = 0; i < total; i++) /* away from zeros, ones and the small initial weights */
        trainer->state.weights[i] += 0.4f * tiny_noise(9, i);
    p.t = &t;
    for (size_t i = 0; i < total; i++)
        p.w[i] = (double)trainer->state.weights[i];

    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, B, 0);
    ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, &t.corpus, &t.run, 0, 0);
    ag_model_forward(&trainer->model, &trainer->tokens, &pass);
    ag_model_backward(&trainer->model, &trainer->tokens, &pass);
    double loss = 0.0;
    for (size_t n = 0; n < N; n++)
        loss += (double)trainer->model.losses[n] / N;
    assert_true(fabs(loss - plain_loss(&p)) < 1e-6);
    for (size_t i = 0; i < trainer->state.tensors.count; i++)
        check_tensor(&p, &trainer->state.tensors.rows[i]);
    tiny_end(&t);
}

/* The mean loss of the trainer's tokens with its own float32 forward pass. */
static double own_loss(ag_trainer *trainer, const ag_pass *pass)
{
    double loss = 0.0;
    ag_model_end_step(&trainer->model); /* the weights have changed */
    ag_model_forward(&trainer->model, &trainer->tokens, pass);
    ag_model_losses(&trainer->model, &trainer->tokens, pass);
    for (size_t n = 0; n < N; n++)
        loss += (double)trainer->model.losses[n] / N;
    return loss;
}

/* The slope of own_loss along a tensor's gradient g is |g|. */
static void check_slope(ag_trainer *trainer, const ag_tensor *tensor, const ag_pass *pass)
{
    static const double h = 5e-3;
    float *w = trainer->state.weights + tensor->offset;
    const float *g = trainer->model.grads + tensor->offset;
    float before[512];
    double losses[2];
    double norm = ag_grad_norm(g, tensor->count, trainer->k);
    assert_true(tensor->count <= 512);
    memcpy(before, w, tensor->count * sizeof *w);
    for (int side = 0; side < 2; side++) {
        double step = (side == 0 ? h : -h) / norm;
        for (size_t i = 0; i < tensor->count; i++)
            w[i] = (float)((double)before[i] + step * (double)g[i]);
        losses[side] = own_loss(trainer, pass);
    }
    memcpy(w, before, tensor->count * sizeof *w);
    double slope = (losses[0] - losses[1]) / (2.0 * h);
    if (fabs(slope - norm) > 1e-3 * norm + 5e-5)
        fail_msg("%s: |g| = %.7g, the loss has slope %.7g", tensor->name, norm, slope);
}

/* Dropout masks are fixed by (key, site, step, index), so the loss is still a smooth function of
 * the weights. Differences over h = 5e-3 are off by h^2 / 6 of a third derivative, some 1e-4 of
 * the slope, and by float32 losses, 1e-7 / h; a mask that differs between the two directions, or is
 * left out of one, by the part of the dropped elements: a quarter. */
static void test_dropout(void **state)
{
    (void)state;
    static tiny t;
    tiny_make(&t);
    t.run.compute = AG_COMPUTE_FP32;
    t.run.model.dropout = 0.25;
    tiny_start(&t);
    ag_trainer *trainer = &t.trainer;
    for (size_t i = 0; i < trainer->state.tensors.total; i++)
        trainer->state.weights[i] += 0.4f * tiny_noise(9, i);
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, B, 0);
    ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, &t.corpus, &t.run, 0, 0);
    ag_model_forward(&trainer->model, &trainer->tokens, &pass);
    ag_model_backward(&trainer->model, &trainer->tokens, &pass);
    for (size_t i = 0; i < trainer->state.tensors.count; i++)
        check_slope(trainer, &trainer->state.tensors.rows[i], &pass);

    double with = own_loss(trainer, &pass);
    pass.dropout = 0.0f;
    assert_true(fabs(with - own_loss(trainer, &pass)) > 1e-3);
    tiny_end(&t);
}

static void test_tied_with_biases(void **state)
{
    (void)state;
    check_model(true, true, &ag_kernels_plain);
    check_model(true, true, &ag_kernels_fast);
}

static void test_untied_without_biases(void **state)
{
    (void)state;
    check_model(false, false, &ag_kernels_fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tied_with_biases),
        cmocka_unit_test(test_untied_without_biases),
        cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
