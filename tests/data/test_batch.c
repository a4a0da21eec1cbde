/* Batches of a corpus whose token i is i, so that each value tells where it came from. */
#include "support.h"

#include <stdbool.h>

#include "data/batch.h"

enum { N_TRAIN = 1000, N_VAL = 330, T = 64, B = 3 };

static uint16_t s_tokens[N_TRAIN];

static ag_corpus make_corpus(void)
{
    for (size_t i = 0; i < N_TRAIN; i++)
        s_tokens[i] = (uint16_t)i;
    return (ag_corpus){
        .facts = {.vocab_size = N_TRAIN, .train_tokens = N_TRAIN, .val_tokens = N_VAL},
        .train = s_tokens,
        .val = s_tokens
    };
}

static ag_run make_run(int64_t order)
{
    return (ag_run){
        .model = {.block_size = T        },
        .train = {                    .batch_size = B,        .grad_accum = 2, .data_order = order, .data_seed = -1},
        .eval = { .windows = 2                      },
        .facts = {                              .train_tokens = N_TRAIN, .val_tokens = N_VAL},
        .seed = 42,
    };
}

/* Row r of the micro-batch is the sequence that starts at the given token. */
static void assert_rows(const int32_t *inputs, const int32_t *targets, const int64_t *starts,
                        size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t t = 0; t < T; t++) {
            assert_int_equal(inputs[r * T + t], starts[r] + (int64_t)t);
            assert_int_equal(targets[r * T + t], starts[r] + (int64_t)t + 1);
        }
    }
}

/* Step 2, micro-batch 1: sequences (2 * 2 + 1) * 3 + row = 15, 16, 17; times 64 modulo 936. */
static void test_sequential_batch(void **state)
{
    (void)state;
    ag_corpus corpus = make_corpus();
    ag_run run = make_run(AG_ORDER_SEQUENTIAL);
    int32_t inputs[B * T];
    int32_t targets[B * T];
    static const int64_t starts[B] = {24, 88, 152};
    ag_batch_train(inputs, targets, &corpus, &run, 2, 1);
    assert_rows(inputs, targets, starts, B);
}

static void test_sequential_starts_do_not_overflow(void **state)
{
    (void)state;
    ag_run run = make_run(AG_ORDER_SEQUENTIAL);
    const uint64_t far = ((uint64_t)1 << 62) + 5; /* times 64 it does not fit */
    const unsigned __int128 exact = (unsigned __int128)far * T % (N_TRAIN - T);
    assert_int_equal(ag_sequence_start(&run, far), (int64_t)exact);
}

/* Expected starts: tests/data/reference.py. */
static void test_random_starts(void **state)
{
    (void)state;
    static const uint64_t sequences[] = {0, 1, 2, 11, ((uint64_t)1 << 33) + 5};
    static const int64_t expected[] = {924, 84, 66, 191, 39};
    ag_run run = make_run(AG_ORDER_RANDOM);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ag_sequence_start(&run, sequences[i]), expected[i]);
    run.seed = 43;
    assert_int_not_equal(ag_sequence_start(&run, 0), 924);
    run.train.data_seed = 42; /* stands before the run's seed */
    assert_int_equal(ag_sequence_start(&run, 0), 924);
}

static void test_random_batch(void **state)
{
    (void)state;
    ag_corpus corpus = make_corpus();
    ag_run run = make_run(AG_ORDER_RANDOM);
    int32_t inputs[B * T];
    int32_t targets[B * T];
    static const int64_t starts[B] = {924, 84, 66};
    ag_batch_train(inputs, targets, &corpus, &run, 0, 0);
    assert_rows(inputs, targets, starts, B);
}

/* Every start is reached and none beyond the last; the last window still has its target. */
static void test_all_starts_are_reached(void **state)
{
    (void)state;
    for (int64_t order = AG_ORDER_RANDOM; order <= AG_ORDER_SEQUENTIAL; order++) {
        ag_run run = make_run(order);
        run.facts.train_tokens = T + 7;
        bool reached[7] = {false};
        for (uint64_t q = 0; q < 200; q++) {
            int64_t start = ag_sequence_start(&run, q);
            assert_in_range(start, 0, 6);
            reached[start] = true;
        }
        for (size_t i = 0; i < 7; i++)
            assert_true(reached[i]);
    }
}

static void test_the_shortest_training_part(void **state)
{
    (void)state;
    ag_run run = make_run(AG_ORDER_RANDOM);
    run.facts.train_tokens = T + 1;
    assert_int_equal(ag_sequence_start(&run, 99), 0);
    run.train.data_order = AG_ORDER_SEQUENTIAL;
    assert_int_equal(ag_sequence_start(&run, 99), 0);
}

/* 330 tokens hold 5 windows of 64 and their targets: 5 * 64 + 1 = 321. */
static void test_validation_windows(void **state)
{
    (void)state;
    ag_corpus corpus = make_corpus();
    ag_run run = make_run(AG_ORDER_RANDOM);
    assert_int_equal(ag_val_windows(&corpus, &run), 5);
    corpus.facts.val_tokens = 321;
    assert_int_equal(ag_val_windows(&corpus, &run), 5);
    corpus.facts.val_tokens = 320;
    assert_int_equal(ag_val_windows(&corpus, &run), 4);

    int32_t inputs[2 * T];
    int32_t targets[2 * T];
    static const int64_t windows[] = {3, 0};
    static const int64_t starts[] = {3 * T, 0};
    ag_batch_val(inputs, targets, &corpus, &run, windows, 2);
    assert_rows(inputs, targets, starts, 2);
}

static void test_periodic_windows_are_spread_evenly(void **state)
{
    (void)state;
    ag_corpus corpus = make_corpus();
    ag_run run = make_run(AG_ORDER_RANDOM);
    int64_t windows[8];
    assert_int_equal(ag_eval_windows(windows, &corpus, &run), 2);
    assert_int_equal(windows[0], 0);
    assert_int_equal(windows[1], 2); /* 1 * 5 / 2 */
    run.eval.windows = 8;
    assert_int_equal(ag_eval_windows(windows, &corpus, &run), 5);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(windows[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequential_batch),
        cmocka_unit_test(test_sequential_starts_do_not_overflow),
        cmocka_unit_test(test_random_starts),
        cmocka_unit_test(test_random_batch),
        cmocka_unit_test(test_all_starts_are_reached),
        cmocka_unit_test(test_the_shortest_training_part),
        cmocka_unit_test(test_validation_windows),
        cmocka_unit_test(test_periodic_windows_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
