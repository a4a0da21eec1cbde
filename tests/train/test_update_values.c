/* Steps of the optimizers on one tensor, and orthogonal matrices, against PyTorch in float64
 * (updates.txt). Numbers come from splitmix64: w from state
 * 2000, the gradient of step s from state 3000 + s, u - 0.5 times 0.5 and 0.25. Step t, from 1, has
 * lr (1 - (t - 1) / 20), and weights decay by 0.1 of that. */
#include "optimizer.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "run/params.h"

enum { LINE = 8192, COUNT = 128, STEPS = 10 };

static FILE *s_file;
static char s_line[LINE];

/* The training state of one tensor. */
typedef struct scene {
    ag_run run;
    ag_tensor tensor;
    ag_tensor_grid grid;
    float w[COUNT], m[COUNT], v[COUNT], grad[COUNT];
    float scratch[5][COUNT];
    ag_train_state state;
} scene;

static void fill(float *x, size_t count, uint64_t seed, double size)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(size * ((double)(ag_splitmix64(&seed) >> 40) * 0x1p-24 - 0.5));
}

static void begin(scene *s, size_t rows, size_t cols)
{
    memset(s, 0, sizeof *s);
    ag_run_defaults(&s->run);
    s->run.optimizer.betas[1] = 0.95;
    s->run.optimizer.weight_decay = 0.1;
    s->tensor = (ag_tensor){
        .id = AG_T_C_FC_W,
        .dims = {rows, cols},
        .n_dims = 2,
        .count = rows * cols,
        .decayed = true,
        .lr_factor = 1.0
    };
    assert_true(s->tensor.count <= COUNT);
    s->state = (ag_train_state){
        .model = &s->run.model,
        .muon = {s->scratch[0],  s->scratch[1], s->scratch[2], s->scratch[3], s->scratch[4]},
        .tensors = {1, &s->tensor,              s->tensor.count                          },
        .grids = &s->grid,
        .weights = s->w,
        .m = s->m,
        .v = s->v,
        .n_v = s->tensor.count
    };
    fill(s->w, s->tensor.count, 2000, 0.5);
}

static void step(scene *s, const ag_kernels *k)
{
    double t = (double)s->state.step;
    fill(s->grad, s->tensor.count, 3000 + (uint64_t)s->state.step, 0.25);
    ag_update update = {
        .grads = s->grad, .lr = s->run.optimizer.lr * (1.0 - t / 20.0), .grad_scale = 1.0};
    ag_optimizer_step(&s->state, &s->run.optimizer, &update, k);
    s->state.step++;
}

static bool next_line(void)
{
    return fgets(s_line, sizeof s_line, s_file) != NULL;
}

static void set(scene *s, const char *key, const char *value)
{
    const ag_param *param = ag_param_find(key);
    assert_non_null(param);
    assert_ok(ag_param_set(&s->run, param, value, NULL));
}

/* "tensor NAME shape RxC lr L rule=R nesterov=False": the optimizer of that name. */
static void begin_case(scene *s)
{
    char name[32];
    char lr[32];
    size_t rows = 0;
    size_t cols = 0;
    assert_int_equal(sscanf(s_line, "tensor %31s shape %zux%zu lr %31s", name, &rows, &cols, lr),
                     4);
    begin(s, rows, cols);
    set(s, "optimizer.type", name);
    set(s, "optimizer.lr", lr);
    if (strcmp(name, "lion") == 0)
        s->run.optimizer.betas[1] = 0.99;
    if (strstr(s_line, "rule=match_rms") == NULL)
        s->run.optimizer.muon_scale = AG_MUON_ORIGINAL;
    s->run.optimizer.muon_nesterov = strstr(s_line, "nesterov=False") == NULL;
}

/* Ten steps of float32 stay within 2e-6 where all is of the order of 0.1 (seen: 1e-7 without Muon).
 * So does one matrix, of elements of about 0.4. */
static void check_values(const char *what, const float *x, size_t count)
{
    char *rest = s_line + strlen(what);
    for (size_t i = 0; i < count; i++) {
        double expected = strtod(rest, &rest);
        if (!(fabs((double)x[i] - expected) <= 2e-6))
            fail_msg("%s[%zu]: %.9g, expected %.9g", what, i, (double)x[i], expected);
    }
}

/* Lines "w t", after step t, then "m" and "v". */
static void check_case(scene *s, const ag_kernels *k)
{
    for (int t = 1; t <= STEPS; t++) {
        step(s, k);
        if (t > 2 && t < STEPS)
            continue;
        char what[16];
        snprintf(what, sizeof what, "w %d ", t);
        assert_true(next_line());
        assert_int_equal(strncmp(s_line, what, strlen(what)), 0);
        check_values(what, s->w, s->tensor.count);
    }
    assert_true(next_line());
    assert_int_equal(strncmp(s_line, "m ", 2), 0);
    check_values("m", s->m, s->tensor.count);
    if (!next_line() || s_line[0] != 'v')
        return;
    check_values("v", s->v, s->tensor.count);
    next_line();
}

/* The same operations in float64, each result rounded to BF16. Sums in float32 could lie on the
 * other side of a tie; of these matrices none does. */
static void check_bf16(const float *x, size_t count)
{
    char *rest = s_line + 2;
    for (size_t i = 0; i < count; i++) {
        double expected = strtod(rest, &rest);
        if ((double)x[i] != expected)
            fail_msg("bf16 [%zu]: %.9g, expected %.9g", i, (double)x[i], expected);
    }
}

/* "orthogonal[_bf16] RxC state S parts [A, B, ...]", then "o": of each part of the rows alone. */
static void check_orthogonal(scene *s, const ag_kernels *k)
{
    unsigned long long state = 0;
    size_t rows = 0;
    size_t cols = 0;
    char *part = strchr(s_line, '[');
    bool is_bf16 = strncmp(s_line, "orthogonal_bf16", 15) == 0;
    assert_int_equal(sscanf(s_line, "%*s %zux%zu state %llu", &rows, &cols, &state), 3);
    assert_true(rows * cols <= COUNT);
    fill(s->w, rows * cols, state, 1.0);
    for (size_t row = 0; row < rows;) {
        size_t height = part != NULL ? strtoul(part + 1, &part, 10) : rows;
        ag_muon_orthogonalise(s->w + row * cols, height, cols,
                              is_bf16 ? AG_MUON_NS_BF16 : AG_MUON_NS_FP32, &s->state.muon, k);
        row += height;
    }
    assert_true(next_line());
    if (is_bf16)
        check_bf16(s->w, rows * cols);
    else
        check_values("o", s->w, rows * cols);
}

static void check_orthogonals(scene *s, const ag_kernels *k)
{
    int cases = 0;
    for (; !feof(s_file); cases++) {
        check_orthogonal(s, k);
        next_line();
    }
    assert_int_equal(cases, 7);
}

static void check_tensors(const ag_kernels *k)
{
    static scene s_scene;
    int cases = 0;
    s_file = fopen("train/updates.txt", "r");
    assert_non_null(s_file);
    assert_true(next_line());
    for (; strncmp(s_line, "tensor", 6) == 0; cases++) {
        begin_case(&s_scene);
        check_case(&s_scene, k);
    }
    assert_int_equal(cases, 8);
    check_orthogonals(&s_scene, k);
    fclose(s_file);
}

static void test_one_tensor(void **state)
{
    (void)state;
    check_tensors(&ag_kernels_plain);
    check_tensors(&ag_kernels_fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
