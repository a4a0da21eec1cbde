/* Sums of gradients over ranks: bit for bit those of another implementation (reduce.txt), and of
 * the definition written out element by element; at any number of threads; and runs with them. */
#include "made_case.h"

#include "base/bits.h"
#include "base/pool.h"
#include "reduce.h"
#include "same_record.h"

enum { MOST_RANKS = 1024, MOST = 20011, LINE = 1024 };

static float s_parts[6 * MOST]; /* of each rank, side by side */
static float s_copies[6 * MOST];
static float *s_rows[MOST_RANKS];
static float s_out[MOST];

static ag_reduction reduction_of(const char *kind, const char *wire, int ranks)
{
    static const char *const kinds[] = {"ring", "tree", "oneshot"};
    ag_reduction r = {.ranks = (size_t)ranks};
    for (int i = 0; i < 3; i++)
        if (strcmp(kinds[i], kind) == 0)
            r.kind = (ag_reduce_kind)i;
    assert_ok(ag_format_parse(&r.wire, wire));
    return r;
}

/* n values t / 8192 * 2^-6, t the sum of the four 16-bit words of an output, less 131070 */
static void fill_bell(float *x, int n, uint64_t state)
{
    for (int i = 0; i < n; i++) {
        uint64_t word = ag_splitmix64(&state);
        int32_t t = -131070;
        for (int part = 0; part < 4; part++)
            t += (int32_t)(word >> (16 * part) & 0xffff);
        x[i] = (float)t / 8192.0f * 0x1p-6f;
    }
}

/* The zeros and outliers of reduce.txt. */
static void fill_parts(int ranks, int n, int state)
{
    assert_true((size_t)ranks * (size_t)n <= sizeof s_parts / sizeof s_parts[0]);
    for (int r = 0; r < ranks; r++) {
        s_rows[r] = s_parts + (size_t)r * (size_t)n;
        fill_bell(s_rows[r], n, (uint64_t)state + (uint64_t)r);
    }
    if (ranks == 5)
        memset(s_rows[2], 0, (size_t)n * sizeof(float));
    if (ranks == 7) {
        s_rows[3][1] = 3e4f;
        s_rows[4][1] = -3e4f;
    }
}

static void check_line(const char *line, const ag_kernels *k)
{
    char kind[16], wire[24];
    int ranks, n, state, used = 0;
    unsigned scale;
    assert_int_equal(sscanf(line, "%15s %23s N=%d n=%d state=%d S=%x ->%n", kind, wire, &ranks, &n,
                            &state, &scale, &used),
                     6);
    ag_reduction how = reduction_of(kind, wire, ranks);
    fill_parts(ranks, n, state);
    if (ranks > 1)
        assert_int_equal(ag_float_bits(ag_reduction_scale(s_rows, (size_t)n, &how, k)), scale);
    ag_reduce(s_out, s_rows, (size_t)n, &how, k);
    for (int i = 0; i < n; i++) {
        char *end = NULL;
        unsigned long expected = strtoul(line + used, &end, 16);
        used = (int)(end - line);
        if (ag_float_bits(s_out[i]) != expected)
            fail_msg("%.40s, element %d: %08x, not %08lx", line, i, ag_float_bits(s_out[i]),
                     expected);
    }
}

static void test_vectors(void **state)
{
    (void)state;
    static const ag_kernels *const kernels[] = {&ag_kernels_plain, &ag_kernels_fast};
    char line[LINE];
    int lines = 0;
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen("train/reduce.txt", "r");
        assert_non_null(file);
        while (fgets(line, sizeof line, file) != NULL) {
            if (line[0] == '#')
                continue;
            check_line(line, kernels[i]);
            lines++;
        }
        fclose(file);
    }
    assert_int_equal(lines, 2 * 105);
}

/* --- the definition, element by element */

static float quantised(const ag_reduction *how, float x)
{
    if (how->wire.bits == 32)
        return x;
    return ag_round_nearest(&how->wire, x,
                            how->wire.exponent == 8 ? AG_OVERFLOW_SPECIAL : AG_OVERFLOW_SATURATE);
}

static float element(const ag_reduction *how, size_t i, size_t count, float scale)
{
    const size_t N = how->ranks;
    const size_t chunk = (count + N - 1) / N;
    float t[MOST_RANKS] = {0};
    for (size_t r = 0; r < N; r++)
        t[r] = quantised(how, s_copies[r * count + i] * scale);
    if (how->kind == AG_REDUCE_RING) {
        size_t k = i / chunk;
        float s = t[(k + 1) % N];
        for (size_t r = k + 2; r <= k + N; r++)
            s = quantised(how, s + t[r % N]);
        return s * (1.0f / scale);
    }
    for (size_t d = 1; how->kind == AG_REDUCE_TREE && d < N; d *= 2)
        for (size_t r = 0; r + d < N; r += 2 * d)
            t[r] = quantised(how, t[r] + t[r + d]);
    for (size_t r = 1; how->kind == AG_REDUCE_ONESHOT && r < N; r++)
        t[0] += t[r];
    return (how->kind == AG_REDUCE_ONESHOT ? quantised(how, t[0]) : t[0]) * (1.0f / scale);
}

/* Sizes that are no multiple of anything, by one thread and three, into a buffer of its own and
 * into that of a part. */
static void test_definition(void **state)
{
    (void)state;
    static const char *const kinds[] = {"ring", "tree", "oneshot"};
    static const char *const wires[] = {"fp32", "bf16", "fp16", "e4m3", "int8"};
    static const int ranks[] = {2, 3, 5, 6};
    static const size_t counts[] = {1, 5, MOST};
    for (int i = 0; i < 3 * 5 * 4 * 3 * 2; i++) {
        ag_reduction how = reduction_of(kinds[i % 3], wires[i / 3 % 5], ranks[i / 15 % 4]);
        size_t count = counts[i / 60 % 3];
        if (i == 180)
            assert_ok(ag_pool_start(3));
        fill_parts((int)how.ranks, (int)count, 50 + i);
        memcpy(s_copies, s_parts, sizeof s_copies);
        float scale = ag_reduction_scale(s_rows, count, &how, &ag_kernels_fast);
        float *out = i % 2 == 0 ? s_out : s_rows[how.ranks - 1];
        ag_reduce(out, s_rows, count, &how, &ag_kernels_fast);
        for (size_t j = 0; j < count; j++)
            assert_int_equal(ag_float_bits(out[j]), ag_float_bits(element(&how, j, count, scale)));
    }
    ag_pool_stop();
}

/* A scale leaves room for all ranks at the largest value; nothing to go by: 1. */
static void test_scales(void **state)
{
    (void)state;
    static const float amaxes[] = {0.0f, INFINITY, 448.0f, 449.0f, 1e-45f};
    static const float expected[] = {1.0f, 1.0f, 0.25f, 0.125f, 0x1p126f};
    ag_reduction how = reduction_of("ring", "e4m3", 4);
    for (size_t i = 0; i < 5; i++) {
        fill_parts(4, 3, 1);
        memset(s_parts, 0, sizeof s_parts);
        s_rows[2][1] = -amaxes[i];
        assert_true(ag_reduction_scale(s_rows, 3, &how, &ag_kernels_fast) == expected[i]);
    }
}

/* --- runs */

static tiny s_a;
static tiny s_b;

static void make(tiny *t, int64_t ranks, int64_t kind, const char *wire)
{
    tiny_make(t);
    t->run.train.batch_size = 4;
    t->run.train.grad_accum = 2;
    t->run.ranks = (ag_ranks_spec){ranks, kind, wire};
}

/* In float32 nothing but the order of sums differs: one shot over two ranks is the sum of two runs'
 * gradients, each of half the batch. */
static void test_ranks_are_shares(void **state)
{
    (void)state;
    make(&s_a, 2, AG_REDUCE_ONESHOT, "fp32");
    make(&s_b, 1, 0, "fp32");
    s_a.run.compute = s_b.run.compute = AG_COMPUTE_FP32;
    tiny_start(&s_a);
    tiny_start(&s_b);
    double loss[2] = {ag_trainer_gradients(&s_a.trainer, AG_MODE_TRAIN),
                      ag_trainer_gradients(&s_b.trainer, AG_MODE_TRAIN)};
    assert_true(fabs(loss[0] - loss[1]) < 1e-6);
    const float *a = s_a.trainer.model.grads;
    const float *b = s_b.trainer.model.grads;
    double norm = ag_kernels_plain.sum_squares(b, s_b.trainer.state.tensors.total);
    for (size_t i = 0; i < s_a.trainer.state.tensors.total; i++)
        assert_true(fabs((double)a[i] - (double)b[i]) < 1e-6 * sqrt(norm));
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* A rank's share is what a run of its own would do with it: the same quantised products, amaxes and
 * all, from sequences of its own. */
static void test_a_share_is_a_batch(void **state)
{
    (void)state;
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_WINDOWED;
    scheme.history = 3;
    make(&s_a, 2, AG_REDUCE_RING, "fp32");
    tiny_quantise_all(&s_a, scheme);
    tiny_start(&s_a);
    ag_trainer_gradients(&s_a.trainer, AG_MODE_TRAIN);
    for (size_t rank = 0; rank < 2; rank++) {
        make(&s_b, 1, 0, "fp32");
        tiny_quantise_all(&s_b, scheme);
        tiny_start(&s_b);
        ag_trainer *trainer = &s_b.trainer;
        memset(trainer->model.grads, 0, trainer->state.tensors.total * sizeof(float));
        for (int64_t micro = 0; micro < 2; micro++) {
            ag_pass pass =
                ag_trainer_pass(trainer, AG_MODE_TRAIN, 2, (uint64_t)micro * 4 + rank * 2);
            ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, trainer->corpus,
                           trainer->run, 0, micro);
            size_t first = rank * 2 * trainer->model.T;
            ag_tokens tokens = {trainer->tokens.inputs + first, trainer->tokens.targets + first};
            ag_model_forward(&trainer->model, &tokens, &pass);
            ag_model_backward(&trainer->model, &tokens, &pass);
        }
        if (rank == 0) /* the last rank's gradients have become the sum */
            assert_memory_equal(s_a.trainer.rank_grads[0], trainer->model.grads,
                                trainer->state.tensors.total * sizeof(float));
        for (size_t i = 0; rank == 1 && i < trainer->state.tensors.total; i++)
            assert_true(s_a.trainer.model.grads[i] ==
                        s_a.trainer.rank_grads[0][i] + trainer->model.grads[i]);
        tiny_end(&s_b);
    }
    tiny_end(&s_a);
}

/* The history gets the largest amax of all ranks, whichever saw it. */
static void test_histories_are_shared(void **state)
{
    (void)state;
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 2;
    float amax[2];
    for (int i = 0; i < 2; i++) {
        make(&s_a, i == 0 ? 1 : 4, AG_REDUCE_TREE, "fp32");
        s_a.run.train.grad_accum = 1;
        tiny_quantise(&s_a, AG_ROLE_INPUT, scheme);
        tiny_start(&s_a);
        ag_trainer_step(&s_a.trainer);
        amax[i] = s_a.trainer.model.blocks[0]
                      .linears[AG_LINEAR_C_ATTN]
                      .operands[AG_ROLE_INPUT][0]
                      .history[0];
        tiny_end(&s_a);
    }
    assert_true(amax[0] > 0.0f && amax[0] == amax[1]);
}

static void train(tiny *t, int64_t ranks, int64_t kind, const char *wire)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 2;
    scheme.rounding = AG_ROUND_STOCHASTIC;
    make(t, ranks, kind, wire);
    t->run.model.dropout = 0.1;
    tiny_quantise_all(t, scheme);
    tiny_train(t, &ag_kernels_fast);
}

/* Each way and format has bits of its own; one rank has those of a run that knows of none. */
static void test_runs_differ(void **state)
{
    (void)state;
    static const struct {
        int64_t ranks, kind;
        const char *wire;
    } ways[] = {
        {1, 0, "fp32"},
        {2, 0, "fp32"},
        {4, 0, "fp32"},
        {4, 1, "fp32"},
        {4, 0, "bf16"},
        {4, 1, "bf16"},
        {4, 2, "bf16"},
        {4, 0, "e5m2"},
    };
    enum { WAYS = sizeof ways / sizeof ways[0] };
    char digests[WAYS][AG_DIGEST_LENGTH + 1];
    for (size_t i = 0; i < WAYS; i++) {
        train(&s_a, ways[i].ranks, ways[i].kind, ways[i].wire);
        memcpy(digests[i], s_a.record.digest, sizeof digests[i]);
        tiny_end(&s_a);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(digests[i], digests[j]);
    }
    train(&s_a, 1, 2, "bf16");
    assert_string_equal(s_a.record.digest, digests[0]);
    tiny_end(&s_a);
}

static void test_threads(void **state)
{
    (void)state;
    train(&s_a, 4, AG_REDUCE_TREE, "bf16");
    assert_ok(ag_pool_start(3));
    train(&s_b, 4, AG_REDUCE_TREE, "bf16");
    ag_pool_stop();
    assert_same_record(&s_a.record, &s_b.record);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* What a plan says: one gradient a rank. */
static void test_memory(void **state)
{
    (void)state;
    make(&s_a, 1, 0, "fp32");
    make(&s_b, 4, 0, "fp32");
    tiny_start(&s_b);
    size_t one = ag_train_bytes(&s_a.run, 3);
    size_t four = ag_train_bytes(&s_b.run, 3);
    size_t gradients = 3 * s_b.trainer.state.tensors.total * sizeof(float);
    assert_true(four >= one + gradients && four < one + gradients + 4096);
    tiny_end(&s_b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_ranks_are_shares),
        cmocka_unit_test(test_a_share_is_a_batch),
        cmocka_unit_test(test_histories_are_shared),
        cmocka_unit_test(test_runs_differ),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
