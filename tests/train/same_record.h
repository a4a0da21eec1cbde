/* What two finished runs have in common when one is the other again. */
#ifndef AG_TESTS_SAME_RECORD_H
#define AG_TESTS_SAME_RECORD_H

#include "support.h"

#include "record/record.h"

static inline void assert_same(const void *a, const void *b, int64_t count, size_t size)
{
    assert_memory_equal(a, b, (size_t)count * size);
}

/* Everything that a run leaves behind and that time does not touch. */
static inline void assert_same_record(const ag_record *a, const ag_record *b)
{
    assert_int_equal(a->outcome, b->outcome);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->steps, b->steps);
    assert_same(a->loss, b->loss, a->steps, sizeof(double));
    assert_same(a->grad_norm, b->grad_norm, a->steps, sizeof(double));
    assert_same(a->lr, b->lr, a->steps, sizeof(double));
    assert_same(a->clipped, b->clipped, a->steps, 1);
    assert_same(a->skipped, b->skipped, a->steps, 1);
    assert_int_equal(a->evals, b->evals);
    assert_same(a->eval_step, b->eval_step, a->evals, sizeof(int64_t));
    assert_same(&a->final_val_loss, &b->final_val_loss, 1, sizeof(double));
    assert_same(&a->final_val_loss_hp, &b->final_val_loss_hp, 1, sizeof(double));
    assert_same(a->val_loss, b->val_loss, a->evals, sizeof(double));
    assert_same(a->val_loss_hp, b->val_loss_hp, a->evals, sizeof(double));
    assert_int_equal(a->samples.count, b->samples.count);
    assert_same(a->samples.step, b->samples.step, a->samples.count, sizeof(int64_t));
    assert_same(a->samples.values, b->samples.values, a->samples.count,
                a->samples.width * sizeof(double));
    assert_string_equal(a->nonfinite, b->nonfinite);
    assert_int_equal(a->windows, b->windows);
    assert_same(a->final_windows, b->final_windows, a->windows, sizeof(double));
    assert_same(a->final_windows_hp, b->final_windows_hp, a->windows, sizeof(double));
    assert_string_equal(a->digest, b->digest);
    assert_string_equal(a->digest_initial, b->digest_initial);
    assert_memory_equal(a->weights, b->weights, a->tensors.total * sizeof(float));
    assert_int_equal(a->weights_initial == NULL, b->weights_initial == NULL);
    if (a->weights_initial != NULL)
        assert_memory_equal(a->weights_initial, b->weights_initial,
                            a->tensors.total * sizeof(float));
}

#endif
