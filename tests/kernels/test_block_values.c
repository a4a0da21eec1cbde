/* The parts of later blocks against PyTorch in float64 (blocks.txt: "NAME SHAPE: values"; a line
 * "bf16" has the values before it rounded to BF16), from inputs that are BF16 values where the
 * model has such. */
#include "kernels_support.h"

enum { MOST = 128, LINE = 4096, ARRAYS = 20 };

typedef struct array {
    char name[16];
    size_t rows, cols;
    float values[MOST];
} array;

typedef struct part {
    char name[16];
    double settings[2]; /* the numbers of its first line */
    size_t n_arrays;
    array arrays[ARRAYS];
} part;

static void read_array(array *a, char *line)
{
    bool is_rounded = strncmp(line, "bf16 ", 5) == 0;
    char name[8];
    char *rest = strchr(line, ':') + 1;
    assert_int_equal(sscanf(line + (is_rounded ? 5 : 0), "%7s %zux%zu", name, &a->rows, &a->cols),
                     3);
    snprintf(a->name, sizeof a->name, "%s%s", is_rounded ? "bf16 " : "", name);
    assert_in_range(a->rows * a->cols, 1, MOST);
    for (size_t i = 0; i < a->rows * a->cols; i++)
        a->values[i] = strtof(rest, &rest);
}

/* The next part, whose first line is in `line`, which then has that of the one after; false at the
 * end. */
static bool read_part(part *p, char line[LINE], FILE *file)
{
    *p = (part){.n_arrays = 0};
    if (sscanf(line, "part %15s %*s %lf %*s %lf", p->name, &p->settings[0], &p->settings[1]) < 1)
        return false;
    while (line[0] = '\0', fgets(line, LINE, file) != NULL && strncmp(line, "part", 4) != 0)
        read_array(&p->arrays[p->n_arrays++], line);
    return true;
}

static const array *find(const part *p, const char *name)
{
    for (size_t i = 0; i < p->n_arrays; i++)
        if (strcmp(p->arrays[i].name, name) == 0)
            return &p->arrays[i];
    fail_msg("%s: no %s", p->name, name);
    return NULL;
}

/* Within `bound` of the row's largest. */
static void check_close(const part *p, const char *name, const float *values, float bound)
{
    const array *exact = find(p, name);
    for (size_t i = 0; i < exact->rows * exact->cols; i++) {
        const float *row = exact->values + i / exact->cols * exact->cols;
        float largest = 0;
        for (size_t j = 0; j < exact->cols; j++)
            largest = fmaxf(largest, fabsf(row[j]));
        if (!(fabsf(values[i] - exact->values[i]) <= bound * largest + 1e-7f))
            fail_msg("%s %s %zu: %.9g, expected %.9g", p->name, name, i, (double)values[i],
                     (double)exact->values[i]);
    }
}

/* And rounded the same. */
static void check_rounded(const part *p, const char *name, const float *values)
{
    char rounded[16];
    const array *exact = find(p, name);
    check_close(p, name, values, 4e-6f);
    snprintf(rounded, sizeof rounded, "bf16 %s", name);
    for (size_t i = 0; i < exact->rows * exact->cols; i++)
        if (ag_round_bf16(values[i]) != find(p, rounded)->values[i])
            fail_msg("%s %zu: %.9g", rounded, i, (double)ag_round_bf16(values[i]));
}

static void check(const part *p, const char *name, const float *values)
{
    const array *exact = find(p, name);
    for (size_t i = 0; i < exact->rows * exact->cols; i++) {
        float expected = exact->values[i];
        if (!(fabsf(values[i] - expected) <= 1e-6f * fabsf(expected) + 1e-7f))
            fail_msg("%s %s %zu: %.9g, expected %.9g", p->name, name, i, (double)values[i],
                     (double)expected);
    }
    check_rounded(p, name, values);
}

static void check_norm(const part *p, const ag_kernels *k)
{
    const array *x = find(p, "x");
    array gain = *find(p, "gain");
    const ag_norm_form form = {.weight = gain.values, .eps = (float)p->settings[0]};
    float y[MOST];
    float dx[MOST] = {0};
    float dgain[MOST] = {0};
    float mean[MOST];
    float rstd[MOST];
    k->norm_forward(y, mean, rstd, x->values, &form, x->rows, x->cols);
    check_rounded(p, "y", y);
    k->norm_backward(&(ag_norm_grads){dx, dgain, NULL}, find(p, "dy")->values, x->values, &form,
                     mean, rstd, x->rows, x->cols);
    check_rounded(p, "dx", dx);
    check_close(p, "dgain", dgain, 1e-6f);
}

/* Float32 from norm to rope, and on the way back. */
static void check_qk_norm(const part *p, const ag_kernels *k)
{
    const array *x = find(p, "x");
    const size_t heads = (size_t)p->settings[1];
    const size_t N = x->rows / heads;
    const size_t D = x->cols;
    const ag_norm_form form = {.weight = find(p, "gain")->values, .eps = (float)p->settings[0]};
    float cosines[MOST];
    float sines[MOST];
    ag_rotation turn = {.cosines = cosines, .sines = sines, .T = N, .D = D, .half = D / 2};
    float mean[MOST];
    float rstd[MOST];
    float y[MOST];
    float dx[MOST] = {0};
    float dgain[MOST] = {0};
    for (size_t i = 0; i < N * D / 2; i++) {
        double angle = (double)(i / (D / 2)) * pow(10000, -(double)(i % (D / 2)) / (double)(D / 2));
        cosines[i] = (float)cos(angle);
        sines[i] = (float)sin(angle);
    }
    k->norm_forward(y, mean, rstd, x->values, &form, x->rows, D);
    ag_heads at = {y, heads * D};
    k->rotate(at, at, N, heads, &turn);
    check_rounded(p, "y", y);
    memcpy(y, find(p, "dy")->values, x->rows * D * sizeof *y);
    turn.back = true;
    k->rotate(at, at, N, heads, &turn);
    k->norm_backward(&(ag_norm_grads){dx, dgain, NULL}, y, x->values, &form, mean, rstd, x->rows,
                     D);
    check_rounded(p, "dx", dx);
    check_close(p, "dgain", dgain, 1e-6f);
}

/* Between [heads, T, D], as the file has it, and a part of [T, width]. */
static void place_heads(float *wide, size_t width, size_t first, array *a, size_t T, bool back)
{
    for (size_t row = 0; row < a->rows; row++) {
        float *at = wide + row % T * width + first + row / T * a->cols;
        memcpy(back ? a->values + row * a->cols : at, back ? at : a->values + row * a->cols,
               a->cols * sizeof *at);
    }
}

static void check_attention(const part *p, const ag_kernels *k)
{
    enum { T = 5, H = 4, K = 2, D = 4, W = (H + 2 * K) * D };
    static const char *const names[] = {"q", "k", "v"};
    static const char *const grads[] = {"dq", "dk", "dv"};
    static const size_t first[] = {0, H * D, (H + K) * D};
    const ag_attention_shape shape = {
        .B = 1, .T = T, .H = H, .K = K, .D = D, .scale = 0.5f, .cap = (float)p->settings[0]};
    float qkv[T * W];
    float dqkv[T * W];
    float out[T * H * D];
    float dout[T * H * D];
    float probs[H * T * T];
    float *scratch = floats(ag_attention_scratch(&shape));
    array in;
    for (size_t i = 0; i < 3; i++) {
        in = *find(p, names[i]);
        place_heads(qkv, W, first[i], &in, T, false);
    }
    k->attention_forward(out, probs, scratch, qkv, &shape);
    in = *find(p, "y");
    place_heads(out, (size_t)H * D, 0, &in, T, true);
    check_rounded(p, "y", in.values);
    in = *find(p, "dy");
    place_heads(dout, (size_t)H * D, 0, &in, T, false);
    k->attention_backward(dqkv, scratch, dout, qkv, probs, &shape);
    for (size_t i = 0; i < 3; i++) {
        in = *find(p, grads[i]);
        place_heads(dqkv, W, first[i], &in, T, true);
        check_rounded(p, grads[i], in.values);
    }
    free(scratch);
}

/* The gradient of the mean over the rows. */
static void check_loss(const part *p, const ag_kernels *k)
{
    array z = *find(p, "y");
    const ag_logits_form form = {1, (float)p->settings[0], (float)p->settings[1]};
    int32_t targets[MOST];
    for (size_t n = 0; n < z.rows; n++)
        targets[n] = (int32_t)find(p, "target")->values[n];
    k->logits_forward(z.values, z.rows * z.cols, &form);
    k->logits_backward(z.values, targets, z.rows, z.cols, 1 / (float)z.rows, &form);
    check_rounded(p, "dy", z.values);
}

static void check_rope(const part *p, const ag_kernels *k)
{
    const array *x = find(p, "x");
    float out[MOST];
    ag_rotation turn = {.cosines = find(p, "cos")->values, .sines = find(p, "sin")->values};
    turn.T = x->rows;
    turn.D = x->cols;
    turn.half = find(p, "cos")->cols;
    for (int back = 0; back < 2; back++) {
        array in = *find(p, back ? "dy" : "x");
        turn.back = back;
        turn.bf16 = back; /* what comes in is rounded, and is BF16 already */
        k->rotate((ag_heads){out, x->cols}, (ag_heads){in.values, x->cols}, x->rows, 1, &turn);
        check(p, back ? "dx" : "y", out);
    }
    array in = *x;
    turn.back = false;
    turn.bf16 = true; /* what goes out is rounded */
    k->rotate((ag_heads){out, x->cols}, (ag_heads){in.values, x->cols}, x->rows, 1, &turn);
    assert_same_bits("rope", out, find(p, "bf16 y")->values, x->rows * x->cols);
}

static void check_swiglu(const part *p, const ag_kernels *k)
{
    const array *gate = find(p, "gate");
    array dup = *find(p, "dy");
    float out[MOST];
    array gates = *gate;
    array ups = *find(p, "up");
    const ag_gated in = {gates.values, ups.values, gate->cols};
    const ag_gated d = {out, dup.values, gate->cols};
    k->swiglu_forward(out, &in, gate->rows, gate->cols);
    check(p, "y", out);
    k->swiglu_backward(&d, dup.values, &in, gate->rows, gate->cols);
    check(p, "dgate", out);
    check(p, "dup", dup.values);
}

static void check_relu2(const part *p, const ag_kernels *k)
{
    const array *x = find(p, "x");
    float out[MOST];
    k->relu2_forward(out, x->values, x->rows * x->cols);
    check(p, "y", out);
    k->relu2_backward(out, find(p, "dy")->values, x->values, x->rows * x->cols);
    check(p, "dx", out);
}

static void test_parts(void **state)
{
    static const struct {
        const char *name;
        void (*check)(const part *p, const ag_kernels *k);
    } checks[] = {
        {"rope",      check_rope     },
        {"swiglu",    check_swiglu   },
        {"relu2",     check_relu2    },
        {"rmsnorm",   check_norm     },
        {"qk_norm",   check_qk_norm  },
        {"attention", check_attention},
        {"loss",      check_loss     },
    };
    (void)state;
    for (int i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        static char line[LINE];
        static part p;
        int parts = 0;
        FILE *file = fopen("kernels/blocks.txt", "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        for (; read_part(&p, line, file); parts++) {
            size_t c = 0;
            while (strcmp(checks[c].name, p.name) != 0)
                c++;
            checks[c].check(&p, k);
        }
        assert_int_equal(parts, 14);
        fclose(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
