/* Learning rates against values worked out by hand, and gradient clipping. */
#include "optimizer.h"
#include "tiny.h"

typedef struct schedule_case {
    ag_schedule schedule;
    int64_t step;
    double expected;
} schedule_case;

/* lr 1, min_lr 0.1, warm-up 4 of 24 steps. Cosine: 0.1 + 0.9 (1 + cos(pi r)) / 2 with r = (step -
 * 4) / 20; linear: 0.1 + 0.9 (1 - r); wsd falls over the last quarter, 6 steps from 18 on. */
static const schedule_case s_cases[] = {
    {AG_SCHEDULE_COSINE,   0,  0.2                             },
    {AG_SCHEDULE_COSINE,   3,  0.8                             },
    {AG_SCHEDULE_COSINE,   4,  1.0                             },
    {AG_SCHEDULE_COSINE,   9,  0.1 + 0.45 * 1.7071067811865475 },
    {AG_SCHEDULE_COSINE,   14, 0.55                            },
    {AG_SCHEDULE_COSINE,   19, 0.1 + 0.45 * 0.29289321881345254},
    {AG_SCHEDULE_COSINE,   24, 0.1                             },
    {AG_SCHEDULE_LINEAR,   1,  0.4                             },
    {AG_SCHEDULE_LINEAR,   4,  1.0                             },
    {AG_SCHEDULE_LINEAR,   14, 0.55                            },
    {AG_SCHEDULE_LINEAR,   23, 0.145                           },
    {AG_SCHEDULE_CONSTANT, 2,  0.6                             },
    {AG_SCHEDULE_CONSTANT, 23, 1.0                             },
    {AG_SCHEDULE_WSD,      17, 1.0                             },
    {AG_SCHEDULE_WSD,      18, 1.0                             },
    {AG_SCHEDULE_WSD,      21, 0.55                            },
    {AG_SCHEDULE_WSD,      23, 0.25                            },
};

static void test_rates_by_hand(void **state)
{
    (void)state;
    ag_optimizer_spec spec = {.lr = 1.0, .min_lr_ratio = 0.1, .warmup = 4, .decay_fraction = 0.25};
    for (size_t i = 0; i < sizeof s_cases / sizeof s_cases[0]; i++) {
        spec.schedule = s_cases[i].schedule;
        double lr = ag_schedule_lr(&spec, 24, s_cases[i].step);
        if (fabs(lr - s_cases[i].expected) > 1e-15)
            fail_msg("case %zu: lr %.17g, expected %.17g", i, lr, s_cases[i].expected);
    }
}

static void test_warmup_longer_than_the_run(void **state)
{
    (void)state;
    ag_optimizer_spec spec = {.lr = 1.0, .min_lr_ratio = 0.1, .warmup = 100};
    for (int64_t schedule = 0; schedule <= AG_SCHEDULE_WSD; schedule++) {
        spec.schedule = schedule;
        assert_true(fabs(ag_schedule_lr(&spec, 10, 9) - 10.0 / 101.0) < 1e-15);
    }
}

/* Of muon's AdamW: lr where nothing else is said, else the same course to another peak. */
static void test_a_peak_of_its_own(void **state)
{
    (void)state;
    ag_optimizer_spec spec = {.lr = 0.5, .min_lr_ratio = 0.1, .warmup = 4};
    for (int64_t step = 0; step < 24; step++) {
        double lr = ag_schedule_lr(&spec, 24, step);
        spec.adamw_lr = 0;
        assert_true(ag_schedule_adamw_lr(&spec, 24, step) == lr);
        spec.adamw_lr = 0.25;
        assert_true(fabs(ag_schedule_adamw_lr(&spec, 24, step) - lr / 2) < 1e-16);
    }
}

static void test_clip_factor(void **state)
{
    (void)state;
    assert_true(ag_clip_factor(0.5, 1.0) == 1.0);
    assert_true(ag_clip_factor(4.0, 0.0) == 1.0);
    assert_true(fabs(ag_clip_factor(4.0, 1.0) - 0.25) < 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_by_hand),
        cmocka_unit_test(test_warmup_longer_than_the_run),
        cmocka_unit_test(test_a_peak_of_its_own),
        cmocka_unit_test(test_clip_factor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
