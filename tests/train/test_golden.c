/* A tiny GPT in float32 against PyTorch in float64 (reference.txt, made by reference.py): logits,
 * every gradient, the losses of ten AdamW steps and the weights after them. */
#include "optimizer.h"
#include "tiny.h"

enum { VALUES = 128, LINE = 16384 };

typedef struct sizes {
    int B, T, V, C, H, L, steps;
} sizes;

typedef struct golden {
    tiny t;
    FILE *file;
    sizes sizes;
    int number; /* of the case */
    char line[LINE];
} golden;

/* u - 0.5 of output i of splitmix64. */
static double centred(uint64_t *state)
{
    return (double)(ag_splitmix64(state) >> 40) * 0x1p-24 - 0.5;
}

static void next_line(golden *g)
{
    if (fgets(g->line, sizeof g->line, g->file) == NULL)
        fail_msg("reference.txt ends too early");
}

/* |actual - expected| <= relative * |expected| + absolute */
static void assert_near(const char *what, double actual, double expected, double relative,
                        double absolute)
{
    if (!(fabs(actual - expected) <= relative * fabs(expected) + absolute))
        fail_msg("%s: %.9g, PyTorch has %.9g", what, actual, expected);
}

static void set_weights(golden *g)
{
    const ag_tensor_table *tensors = &g->t.trainer.state.tensors;
    for (size_t k = 0; k < tensors->count; k++) {
        const ag_tensor *tensor = &tensors->rows[k];
        uint64_t state = 1000 * (uint64_t)g->number + k;
        double offset = tensor->init == AG_INIT_GAIN ? 1.0 : 0.0;
        float *w = g->t.trainer.state.weights + tensor->offset;
        for (size_t i = 0; i < tensor->count; i++)
            w[i] = (float)(offset + 0.5 * centred(&state));
    }
}

static void set_tokens(golden *g, int step)
{
    const sizes *s = &g->sizes;
    uint64_t state = 500 * (uint64_t)g->number + (uint64_t)step;
    for (int b = 0; b < s->B; b++) {
        for (int t = 0; t <= s->T; t++) {
            int32_t token = (int32_t)(ag_splitmix64(&state) % (uint64_t)s->V);
            if (t < s->T)
                g->t.trainer.tokens.inputs[b * s->T + t] = token;
            if (t > 0)
                g->t.trainer.tokens.targets[b * s->T + t - 1] = token;
        }
    }
}

static double mean_loss(const golden *g)
{
    int count = g->sizes.B * g->sizes.T;
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += (double)g->t.trainer.model.losses[i];
    return sum / count;
}

/* A float32 forward and backward of this depth (about 30 operations in a row, sums of at most 64
 * terms) stays within some 100 roundings of 2^-24, relative to the largest terms: 1e-5. */
static void check_logits(golden *g)
{
    next_line(g);
    char *rest = g->line + strlen("logits");
    const float *logits = g->t.trainer.model.logits;
    for (int i = 0; i < g->sizes.T * g->sizes.V; i++)
        assert_near("logits", (double)logits[i], strtod(rest, &rest), 1e-5, 1e-5);
}

/* Attention does not change when all keys move together, so the gradient of the keys' bias is zero
 * but for rounding errors, and Adam makes steps of up to lr = 1e-2 of those: ten of them move the
 * 16 elements by at most 0.4 of the tensor's norm of 1.15. */
static bool noise_moves(const char *name, const char *kind)
{
    return strcmp(kind, "final") == 0 && strstr(name, "c_attn.bias") != NULL;
}

/* Each tensor of `values` by its 2-norm and its product with a random vector; `relative` is of the
 * norm. */
static void check_tensors(golden *g, const char *kind, const float *values, double relative)
{
    const ag_tensor_table *tensors = &g->t.trainer.state.tensors;
    for (size_t k = 0; k < tensors->count; k++) {
        const ag_tensor *tensor = &tensors->rows[k];
        char word[16];
        char name[64];
        double expected_norm = 0.0;
        double expected_dot = 0.0;
        next_line(g);
        assert_int_equal(
            sscanf(g->line, "%15s %63s %lf %lf", word, name, &expected_norm, &expected_dot), 4);
        assert_string_equal(word, kind);
        assert_string_equal(name, tensor->name);
        double part = noise_moves(name, kind) ? 0.35 : relative;
        uint64_t state = 9000 + k;
        double squares = 0.0;
        double dot = 0.0;
        for (size_t i = 0; i < tensor->count; i++) {
            double value = (double)values[tensor->offset + i];
            squares += value * value;
            dot += value * centred(&state);
        }
        assert_near(name, sqrt(squares), expected_norm, part, 0.0);
        assert_near(name, dot, expected_dot, 0.0, part * expected_norm);
    }
}

/* Adam divides by the root of squared gradients, which are tiny in places, so rounding errors of
 * gradients grow over ten steps: 1e-4 of a weight tensor's norm, 1e-4 of a loss. */
static void check_step(golden *g, int step)
{
    ag_trainer *trainer = &g->t.trainer;
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, (size_t)g->sizes.B, 0);
    size_t count = trainer->state.tensors.total;
    set_tokens(g, step);
    memset(trainer->model.grads, 0, count * sizeof(float));
    ag_model_forward(&trainer->model, &trainer->tokens, &pass);
    if (step == 0)
        check_logits(g);
    ag_model_backward(&trainer->model, &trainer->tokens, &pass);
    if (step == 0)
        check_tensors(g, "grad", trainer->model.grads, 2e-5);

    double expected_loss = 0.0;
    double expected_norm = 0.0;
    next_line(g);
    assert_int_equal(
        sscanf(g->line, "step %*d loss %lf grad_norm %lf", &expected_loss, &expected_norm), 2);
    double norm = ag_grad_norm(trainer->model.grads, count, trainer->k);
    assert_near("loss", mean_loss(g), expected_loss, step == 0 ? 1e-6 : 1e-4, 0.0);
    assert_near("gradient norm", norm, expected_norm, step == 0 ? 1e-5 : 1e-3, 0.0);
    ag_update update = {.grads = trainer->model.grads,
                        .lr = g->t.run.optimizer.lr,
                        .grad_scale = ag_clip_factor(norm, 1.0)};
    ag_optimizer_step(&trainer->state, &g->t.run.optimizer, &update, trainer->k);
    ag_model_end_step(&trainer->model);
}

static void start_case(golden *g, const ag_optimizer_spec *optimizer)
{
    int bias = 0;
    int tied = 0;
    char gelu[8];
    next_line(g);
    assert_int_equal(
        sscanf(g->line, "case %d bias %d tied %d gelu %7s", &g->number, &bias, &tied, gelu), 4);
    tiny_make(&g->t);
    ag_run *run = &g->t.run;
    run->compute = AG_COMPUTE_FP32;
    run->optimizer = *optimizer;
    run->model.bias = bias != 0;
    run->model.tie_weights = tied != 0;
    run->model.gelu = strcmp(gelu, "tanh") == 0 ? AG_GELU_TANH : AG_GELU_EXACT;
    run->model.n_embd = g->sizes.C;
    run->model.n_head = g->sizes.H;
    run->model.block_size = g->sizes.T;
    run->train.batch_size = g->sizes.B;
    run->facts.vocab_size = g->sizes.V;
    assert_int_equal(run->model.n_layer, g->sizes.L);
}

static void run_case(golden *g, const ag_optimizer_spec *optimizer, const ag_kernels *k)
{
    start_case(g, optimizer);
    tiny_start_from(&g->t, k, NULL);
    set_weights(g);
    for (int step = 0; step < g->sizes.steps; step++)
        check_step(g, step);
    check_tensors(g, "final", g->t.trainer.state.weights, 1e-4);

    ag_trainer *trainer = &g->t.trainer;
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_EVALUATE, (size_t)g->sizes.B, 0);
    double expected = 0.0;
    next_line(g);
    assert_int_equal(sscanf(g->line, "loss_after %lf", &expected), 1);
    set_tokens(g, g->sizes.steps);
    ag_model_forward(&trainer->model, &trainer->tokens, &pass);
    ag_model_losses(&trainer->model, &trainer->tokens, &pass);
    assert_near("loss after", mean_loss(g), expected, 1e-4, 0.0);
    tiny_end(&g->t);
}

static void check_all(const ag_kernels *k)
{
    static golden s_golden; /* large */
    golden *g = &s_golden;
    sizes *s = &g->sizes;
    ag_optimizer_spec optimizer = {0};
    g->file = fopen("train/reference.txt", "r");
    assert_non_null(g->file);
    next_line(g);
    assert_int_equal(sscanf(g->line, "sizes B %d T %d V %d C %d H %d L %d steps %d", &s->B, &s->T,
                            &s->V, &s->C, &s->H, &s->L, &s->steps),
                     7);
    next_line(g);
    assert_int_equal(sscanf(g->line, "adamw lr %lf beta1 %lf beta2 %lf eps %lf decay %lf clip %lf",
                            &optimizer.lr, &optimizer.betas[0], &optimizer.betas[1], &optimizer.eps,
                            &optimizer.weight_decay, &optimizer.grad_clip),
                     6);
    run_case(g, &optimizer, k);
    run_case(g, &optimizer, k);
    fclose(g->file);
}

static void test_reference_kernels(void **state)
{
    (void)state;
    check_all(&ag_kernels_plain);
}

static void test_fast_kernels(void **state)
{
    (void)state;
    check_all(&ag_kernels_fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_kernels),
        cmocka_unit_test(test_fast_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
