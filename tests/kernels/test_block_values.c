/* Rope, swiglu and relu2 against PyTorch in float64 (blocks.txt: "NAME SHAPE: values"; a line
 * "bf16" has the values before it rounded to BF16), from inputs that are BF16 values. */
#include "kernels_support.h"

enum { MOST = 64, LINE = 4096, ARRAYS = 16 };

typedef struct array {
    char name[16];
    size_t rows, cols;
    float values[MOST];
} array;

typedef struct part {
    char name[16];
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
    if (sscanf(line, "part %15s", p->name) != 1)
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

static void check(const part *p, const char *name, const float *values)
{
    char rounded[16];
    const array *exact = find(p, name);
    snprintf(rounded, sizeof rounded, "bf16 %s", name);
    for (size_t i = 0; i < exact->rows * exact->cols; i++) {
        float expected = exact->values[i];
        if (!(fabsf(values[i] - expected) <= 1e-6f * fabsf(expected) + 1e-7f))
            fail_msg("%s %s %zu: %.9g, expected %.9g", p->name, name, i, (double)values[i],
                     (double)expected);
        assert_true(ag_round_bf16(values[i]) == find(p, rounded)->values[i]);
    }
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
            if (strcmp(p.name, "rope") == 0)
                check_rope(&p, k);
            else if (strcmp(p.name, "swiglu") == 0)
                check_swiglu(&p, k);
            else
                check_relu2(&p, k);
        }
        assert_int_equal(parts, 5);
        fclose(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
