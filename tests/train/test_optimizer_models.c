/* Tiny models in float32 trained for some steps by each optimizer, fused layers by Muon, and both
 * parametrisations of widths by AdamW, against PyTorch in float64
 * (optimizer_models.txt): losses, gradient norms and the weights at the end. Weights and tokens are
 * those of test_models.c, tokens of step s from state 500 seed + s; step s has lr (1 - s / 20),
 * weights decay by 0.1 of it, gradients are clipped to the norm 1. Lion has three steps, and a seed
 * for which no sign is in doubt. */
#include "optimizer.h"
#include "tiny.h"

enum { LINE = 4096, B = 3, T = 8, V = 11, TOKENS = B * (T + 1) };

static FILE *s_file;
static char s_line[LINE];
static char s_name[256]; /* of the case, with its options */
static tiny s_t;         /* large */

static double centred(uint64_t *state)
{
    return (double)(ag_splitmix64(state) >> 40) * 0x1p-24 - 0.5;
}

static bool next_line(void)
{
    return fgets(s_line, sizeof s_line, s_file) != NULL;
}

static void assert_near(const char *what, double actual, double expected, double bound)
{
    if (!(fabs(actual - expected) <= bound))
        fail_msg("%s, %s: %.12g, expected %.12g +- %.2g", s_name, what, actual, expected, bound);
}

static void set(const char *section, const char *word, const char *value)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", section, word);
    assert_non_null(ag_param_find(key));
    assert_ok(ag_param_set(&s_t.run, ag_param_find(key), value, NULL));
}

/* "optimizer O lr L adamw_lr A rule=R key=value ..." */
static void set_options(char *options)
{
    static const char *const named[][2] = {
        {"optimizer", "type"    },
        {"lr",        "lr"      },
        {"adamw_lr",  "adamw_lr"}
    };
    for (char *word = strtok(options, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        char *value = strchr(word, '=');
        if (value != NULL) {
            *value = '\0';
            if (strcmp(word, "rule") == 0)
                set("optimizer", "muon_scale", value + 1);
            else
                set("model", word, value + 1);
            continue;
        }
        for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
            if (strcmp(named[i][0], word) == 0)
                value = strtok(NULL, " \n"), set("optimizer", named[i][1], value);
        }
    }
}

/* "model NAME seed S ..." */
static uint64_t start_case(const ag_kernels *k)
{
    unsigned long long seed = 0;
    int used = 0;
    tiny_make(&s_t);
    ag_run *run = &s_t.run;
    run->compute = AG_COMPUTE_FP32;
    run->model.bias = false;
    run->model.n_embd = 16;
    run->model.n_head = 4;
    run->model.block_size = T;
    run->train.batch_size = B;
    run->facts.vocab_size = V;
    run->optimizer.betas[1] = 0.95;
    run->optimizer.weight_decay = 0.1;
    snprintf(s_name, sizeof s_name, "%.200s", s_line);
    assert_int_equal(sscanf(s_line, "model %*s seed %llu %n", &seed, &used), 1);
    set_options(s_line + used);
    if (run->optimizer.type == AG_OPTIMIZER_LION)
        run->optimizer.betas[1] = 0.99;
    tiny_start_from(&s_t, k, NULL);
    return seed;
}

static void set_weights(uint64_t seed)
{
    const ag_train_state *state = &s_t.trainer.state;
    for (size_t k = 0; k < state->tensors.count; k++) {
        const ag_tensor *tensor = &state->tensors.rows[k];
        uint64_t words = 1000 * seed + k;
        double offset = tensor->init == AG_INIT_GAIN ? 1.0 : 0.0;
        for (size_t i = 0; i < tensor->count; i++)
            state->weights[tensor->offset + i] = (float)(offset + 0.5 * centred(&words));
    }
}

static void set_tokens(uint64_t seed, uint64_t step)
{
    ag_tokens *tokens = &s_t.trainer.tokens;
    uint64_t words = 500 * seed + step;
    for (size_t i = 0; i < TOKENS; i++) {
        int32_t token = (int32_t)(ag_splitmix64(&words) % V);
        size_t row = i / (T + 1);
        size_t t = i % (T + 1);
        if (t < T)
            tokens->inputs[row * T + t] = token;
        if (t > 0)
            tokens->targets[row * T + t - 1] = token;
    }
}

/* The gradient of step s; returns the loss. */
static double gradients(uint64_t seed, uint64_t step)
{
    ag_trainer *trainer = &s_t.trainer;
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, B, 0);
    double loss = 0.0;
    set_tokens(seed, step);
    memset(trainer->model.grads, 0, trainer->state.tensors.total * sizeof(float));
    ag_model_forward(&trainer->model, &trainer->tokens, &pass);
    ag_model_backward(&trainer->model, &trainer->tokens, &pass);
    for (size_t i = 0; i < (size_t)B * T; i++)
        loss += (double)trainer->model.losses[i];
    return loss / (B * T);
}

static void check_step(uint64_t seed, uint64_t step)
{
    ag_trainer *trainer = &s_t.trainer;
    const ag_optimizer_spec *spec = &s_t.run.optimizer;
    double loss = 0.0;
    double norm = 0.0;
    assert_int_equal(sscanf(s_line, "step %*d loss %lf grad_norm %lf", &loss, &norm), 2);
    double got = gradients(seed, step);
    double got_norm = ag_grad_norm(trainer->model.grads, trainer->state.tensors.total, trainer->k);
    assert_near("loss", got, loss, 2e-6 * loss);
    assert_near("gradient norm", got_norm, norm, 2e-5 * norm);
    double share = 1.0 - (double)step / 20.0;
    ag_update update = {.grads = trainer->model.grads,
                        .lr = spec->lr * share,
                        .adamw_lr = spec->adamw_lr * share,
                        .grad_scale = ag_clip_factor(got_norm, 1.0)};
    ag_optimizer_step(&trainer->state, spec, &update, trainer->k);
    ag_model_end_step(&trainer->model);
    trainer->state.step++;
}

/* "final NAME SHAPE NORM DOT", of the product with u - 0.5 from state 9000 + k. */
static void check_weights(void)
{
    const ag_train_state *state = &s_t.trainer.state;
    for (size_t k = 0; k < state->tensors.count; k++, next_line()) {
        const ag_tensor *tensor = &state->tensors.rows[k];
        const float *w = state->weights + tensor->offset;
        char name[64];
        double norm = 0.0;
        double dot = 0.0;
        uint64_t words = 9000 + k;
        double squares = 0.0;
        double product = 0.0;
        assert_int_equal(sscanf(s_line, "final %63s %*s %lf %lf", name, &norm, &dot), 3);
        assert_string_equal(name, tensor->name);
        for (size_t i = 0; i < tensor->count; i++) {
            squares += (double)w[i] * (double)w[i];
            product += (double)w[i] * centred(&words);
        }
        assert_near(name, sqrt(squares), norm, 2e-6 * norm);
        assert_near(name, product, dot, 2e-6 * norm);
    }
}

static void check_case(const ag_kernels *k)
{
    uint64_t seed = start_case(k);
    uint64_t step = 0;
    double loss = 0.0;
    set_weights(seed);
    for (assert_true(next_line()); strncmp(s_line, "step", 4) == 0; assert_true(next_line()))
        check_step(seed, step++);
    assert_int_equal(sscanf(s_line, "loss_after %lf", &loss), 1);
    assert_near("loss after", gradients(seed, step), loss, 2e-6 * loss);
    assert_true(next_line());
    check_weights();
    tiny_end(&s_t);
}

static void check_all(const ag_kernels *k)
{
    int cases = 0;
    s_file = fopen("train/optimizer_models.txt", "r");
    assert_non_null(s_file);
    assert_true(next_line());
    for (; !feof(s_file); cases++)
        check_case(k);
    assert_int_equal(cases, 7);
    fclose(s_file);
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
