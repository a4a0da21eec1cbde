/* What two finished runs have in common when one is the other again. */
#ifndef AG_TESTS_SAME_RECORD_H
#define AG_TESTS_SAME_RECORD_H

#include "support.h"

#include "record/record.h"
#include "record/series.h"

static inline void assert_same(const void *a, const void *b, int64_t count, size_t size)
{
    assert_memory_equal(a, b, (size_t)count * size);
}

static inline void assert_same_state(const ag_kept_state *a, const ag_kept_state *b, size_t total)
{
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->updates, b->updates);
    assert_memory_equal(a->weights, b->weights, total * sizeof(float));
    assert_memory_equal(a->m, b->m, total * sizeof(float));
    assert_int_equal(a->v == NULL, b->v == NULL);
    if (a->v != NULL)
        assert_memory_equal(a->v, b->v, total * sizeof(float));
    assert_int_equal(a->lost == NULL, b->lost == NULL);
    if (a->lost != NULL)
        assert_memory_equal(a->lost, b->lost, total * sizeof(float));
    assert_int_equal(a->n_scales, b->n_scales);
    for (size_t i = 0; i < a->n_scales; i++) {
        assert_int_equal(a->scales[i].pushed, b->scales[i].pushed);
        assert_memory_equal(&a->scales[i].value, &b->scales[i].value, sizeof(float));
    }
    assert_int_equal(a->n_amaxes, b->n_amaxes);
    assert_same(a->amaxes, b->amaxes, (int64_t)a->n_amaxes, sizeof(float));
}

/* The arrays of all steps, evaluations and windows, which are as many in both. */
static inline void assert_same_series(const ag_record *a, const ag_record *b)
{
    const int64_t lengths[AG_OVERS] = {a->steps, a->evals, a->windows};
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        const void *of_a = *(void *const *)((const char *)a + series->data);
        const void *of_b = *(void *const *)((const char *)b + series->data);
        assert_same(of_a, of_b, lengths[series->over], ag_series_size(series));
    }
}

/* Everything that a run leaves behind and that time does not touch. */
static inline void assert_same_record(const ag_record *a, const ag_record *b)
{
    assert_int_equal(a->outcome, b->outcome);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->evals, b->evals);
    assert_int_equal(a->windows, b->windows);
    assert_same_series(a, b);
    assert_same(&a->final_val_loss, &b->final_val_loss, 1, sizeof(double));
    assert_same(&a->final_val_loss_hp, &b->final_val_loss_hp, 1, sizeof(double));
    assert_int_equal(a->samples.count, b->samples.count);
    assert_same(a->samples.step, b->samples.step, a->samples.count, sizeof(int64_t));
    assert_same(a->samples.values, b->samples.values, a->samples.count,
                a->samples.width * sizeof(double));
    assert_string_equal(a->nonfinite, b->nonfinite);
    assert_string_equal(a->digest, b->digest);
    assert_string_equal(a->digest_initial, b->digest_initial);
    assert_memory_equal(a->weights, b->weights, a->tensors.total * sizeof(float));
    assert_int_equal(a->weights_initial == NULL, b->weights_initial == NULL);
    if (a->weights_initial != NULL)
        assert_memory_equal(a->weights_initial, b->weights_initial,
                            a->tensors.total * sizeof(float));
    assert_int_equal(a->n_states, b->n_states);
    for (size_t i = 0; i < a->n_states; i++)
        assert_same_state(&a->states[i], &b->states[i], a->tensors.total);
}

#endif
