/* Student's t against scipy 1.10 (quantiles, betainc), closed forms and a printed table; means and
 * paired differences against cases worked by hand. */
#include <math.h>

#include "stats/stats.h"
#include "support.h"

typedef struct quantile_row {
    double p;
    double df;
    double t;
} quantile_row;

/* scipy.stats.t.ppf(p, df). Its own error is up to 3e-9: for p = 0.6 and df = 2 the closed form
 * below says 0.288675134594813. */
static const quantile_row s_scipy[] = {
    {0.6,    1.0,    0.32491969623407446},
    {0.9,    1.0,    3.0776835372078066 },
    {0.975,  1.0,    12.706204736432095 },
    {0.995,  1.0,    63.656741162873992 },
    {0.9999, 1.0,    3183.0987571537103 },
    {0.6,    2.0,    0.2886751346880066 },
    {0.9,    2.0,    1.8856180831641507 },
    {0.975,  2.0,    4.3026527299112747 },
    {0.995,  2.0,    9.9248432009180707 },
    {0.9999, 2.0,    70.700071074968861 },
    {0.6,    3.0,    0.27667066230490933},
    {0.9,    3.0,    1.6377443572159069 },
    {0.975,  3.0,    3.1824463052842629 },
    {0.995,  3.0,    5.8409092997564303 },
    {0.9999, 3.0,    22.203742266780633 },
    {0.6,    5.0,    0.26718086570396582},
    {0.9,    5.0,    1.4758840487820273 },
    {0.975,  5.0,    2.5705818366147395 },
    {0.995,  5.0,    4.0321429835575362 },
    {0.9999, 5.0,    9.677566300886502  },
    {0.6,    9.0,    0.26095533647391045},
    {0.9,    9.0,    1.3830287383964925 },
    {0.975,  9.0,    2.2621571627409915 },
    {0.995,  9.0,    3.2498355440153697 },
    {0.9999, 9.0,    6.0101321293554832 },
    {0.6,    29.0,   0.25568363396713761},
    {0.9,    29.0,   1.311433643950529  },
    {0.975,  29.0,   2.045229642132703  },
    {0.995,  29.0,   2.7563859036703349 },
    {0.9999, 29.0,   4.2538941174894038 },
    {0.6,    100.0,  0.25402218245699415},
    {0.9,    100.0,  1.2900747613398769 },
    {0.975,  100.0,  1.9839715184496334 },
    {0.995,  100.0,  2.6258905205863337 },
    {0.9999, 100.0,  3.8615997909500837 },
    {0.6,    1000.5, 0.25341448214466522},
    {0.9,    1000.5, 1.282398297809231  },
    {0.975,  1000.5, 1.9623378924593473 },
    {0.995,  1000.5, 2.5807522321743028 },
    {0.9999, 1000.5, 3.7328446675092866 },
};

typedef struct beta_row {
    double x;
    double a;
    double b;
    double value;
} beta_row;

/* scipy.special.betainc(a, b, x) */
static const beta_row s_beta[] = {
    {0.1,   0.5,   0.5,   0.2048327646991335 },
    {0.5,   2.0,   3.0,   0.6875             },
    {0.9,   10.0,  0.5,   0.15164090963470997},
    {0.3,   100.0, 200.0, 0.10884306564491235},
    {0.999, 1.5,   0.5,   0.95974334188496824},
};

/* The two-sided 95 % column of the table that statistics books print, to its three decimals. */
static const double s_printed[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                   2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                   2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                   2.060,  2.056, 2.052, 2.048, 2.045, 2.042};

static void assert_near(double got, double expected, double relative)
{
    if (!(fabs(got - expected) <= relative * fabs(expected)))
        fail_msg("expected %.17g, got %.17g", expected, got);
}

static void quantiles_agree_with_scipy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_scipy / sizeof s_scipy[0]; i++) {
        const quantile_row *row = &s_scipy[i];
        assert_near(ag_t_quantile(row->p, row->df), row->t, 1e-8);
        assert_near(ag_t_quantile(1 - row->p, row->df), -row->t, 1e-8);
    }
}

/* P(T <= t) with 3 degrees of freedom. */
static double cdf3(double t)
{
    double u = t / sqrt(3.0);
    return 0.5 + (u / (1 + u * u) + atan(u)) / acos(-1.0);
}

static void quantiles_agree_with_closed_forms(void **state)
{
    (void)state;
    for (int i = 1; i < 10; i++) {
        double p = 0.5 + i / 20.0;
        double a = 2 * p - 1;
        assert_near(ag_t_quantile(p, 1), tan(acos(-1.0) * (p - 0.5)), 1e-12);
        assert_near(ag_t_quantile(p, 2), a * sqrt(2 / (1 - a * a)), 1e-12);
        assert_near(cdf3(ag_t_quantile(p, 3)), p, 1e-12);
    }
    assert_true(fabs(ag_t_quantile(0.5, 7)) < 1e-10);
}

static void quantiles_agree_with_the_printed_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_printed / sizeof s_printed[0]; i++)
        assert_true(fabs(ag_t_quantile(0.975, (double)i + 1) - s_printed[i]) <= 0.0005);
}

static void incomplete_beta_agrees_with_scipy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_beta / sizeof s_beta[0]; i++)
        assert_near(ag_incomplete_beta(s_beta[i].x, s_beta[i].a, s_beta[i].b), s_beta[i].value,
                    1e-11);
    assert_true(ag_incomplete_beta(0, 2, 3) == 0);
    assert_true(ag_incomplete_beta(1, 2, 3) == 1);
}

/* 2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, sd = sqrt(13). t(0.975, 2) = 4.302652729911275 */
static void a_mean_is_as_by_hand(void **state)
{
    (void)state;
    const double values[] = {2, 4, 9};
    ag_estimate e = ag_estimate_mean(values, 3, 0.95);
    assert_int_equal(e.n, 3);
    assert_true(e.mean == 5);
    assert_near(e.sd, sqrt(13.0), 1e-15);
    assert_near(e.half, 4.302652729911275 * sqrt(13.0) / sqrt(3.0), 1e-10);
}

/* Differences 1, 2, 3, 2: mean 2, squares 2, sd = sqrt(2/3). t(0.975, 3) = 3.182446305284263 */
static void a_paired_difference_is_as_by_hand(void **state)
{
    (void)state;
    const double values[] = {101, 52, 13, 4};
    const double partners[] = {100, 50, 10, 2};
    ag_estimate e = ag_estimate_difference(values, partners, 4, 0.95);
    assert_true(e.mean == 2);
    assert_near(e.sd, sqrt(2.0 / 3), 1e-15);
    assert_near(e.half, 3.182446305284263 * sqrt(2.0 / 3) / 2, 1e-10);
}

static void too_few_values_give_no_interval(void **state)
{
    (void)state;
    const double values[] = {7};
    ag_estimate one = ag_estimate_mean(values, 1, 0.95);
    assert_true(one.mean == 7 && isnan(one.sd) && isnan(one.half));
    ag_estimate none = ag_estimate_mean(values, 0, 0.95);
    assert_true(none.n == 0 && isnan(none.mean));
}

static const double s_sample[] = {0.012, 0.031, -0.004, 0.018, 0.022,
                                  0.009, 0.027, 0.051,  0.015, 0.006};

typedef struct decision_row {
    double margin;
    ag_tendency tendency;
    double p; /* one-sided */
} decision_row;

/* The least of scipy.stats.ttest_1samp with alternative "greater" at the margin, "less" at its
 * negative, and for same the greater of the two tests from within. */
static const decision_row s_decisions[] = {
    {0.0,   AG_TENDS_WORSE, 0.0019016443489928085},
    {0.005, AG_TENDS_WORSE, 0.009806555997195094 },
    {0.02,  AG_TENDS_SAME,  0.39704835261406046  },
    {0.04,  AG_TENDS_SAME,  0.0008536950763537553},
};

static void decisions_agree_with_scipy(void **state)
{
    (void)state;
    const double zeros[10] = {0};
    ag_estimate above = ag_estimate_difference(s_sample, zeros, 10, 0.95);
    ag_estimate below = ag_estimate_difference(zeros, s_sample, 10, 0.95);
    for (size_t i = 0; i < sizeof s_decisions / sizeof s_decisions[0]; i++) {
        const decision_row *row = &s_decisions[i];
        ag_decision decision = ag_decide(&above, row->margin);
        assert_int_equal(decision.tendency, row->tendency);
        assert_near(decision.p, 2 * row->p, 1e-9);
        ag_tendency mirrored = row->tendency == AG_TENDS_WORSE ? AG_TENDS_BETTER : row->tendency;
        assert_int_equal(ag_decide(&below, row->margin).tendency, mirrored);
    }
}

/* The interval of level 1 - p just touches the margin. */
static void p_is_the_level_of_the_interval_that_decides(void **state)
{
    (void)state;
    ag_estimate e = ag_estimate_mean(s_sample, 10, 0.95);
    double p = ag_decide(&e, 0.005).p;
    assert_near(e.mean - ag_estimate_mean(s_sample, 10, 1 - p).half, 0.005, 1e-9);
    p = ag_decide(&e, 0.04).p;
    assert_near(e.mean + ag_estimate_mean(s_sample, 10, 1 - p).half, 0.04, 1e-9);
}

static void without_spread_the_mean_decides(void **state)
{
    (void)state;
    const double values[] = {0.5, 0.5};
    ag_estimate e = ag_estimate_mean(values, 2, 0.95);
    assert_true(ag_decide(&e, 0.5).tendency == AG_TENDS_SAME && ag_decide(&e, 0.5).p == 0);
    assert_true(ag_decide(&e, 0.4).tendency == AG_TENDS_WORSE && ag_decide(&e, 0.4).p == 0);
    ag_estimate one = ag_estimate_mean(values, 1, 0.95);
    assert_true(isnan(ag_decide(&one, 0.4).p));
}

/* A search through all numbers by scipy.stats.t. */
static void the_least_number_of_pairs_is_that_of_a_search(void **state)
{
    (void)state;
    const ag_estimate same = {.n = 4, .mean = 0.01, .sd = 0.02};
    const ag_estimate worse = {.n = 4, .mean = -0.03, .sd = 0.02};
    const ag_estimate never = {.n = 4, .mean = 0.02, .sd = 0.02};
    assert_int_equal(ag_needed_pairs(&same, 0.02, 0.05, 1000), 18);
    assert_int_equal(ag_needed_pairs(&worse, 0.02, 0.0125, 1000), 29);
    assert_int_equal(ag_needed_pairs(&never, 0.02, 0.05, 1000), 0);
    assert_int_equal(ag_needed_pairs(&same, 0.02, 0.05, 17), 0);
}

/* By hand: 5 * 0.005, 4 * 0.01, 3 * 0.03, then 2 * 0.04 which may not be less, and 0.9. */
static void holm_is_as_by_hand(void **state)
{
    (void)state;
    const double p[] = {0.01, 0.04, 0.03, 0.005, 0.9};
    const double adjusted[] = {0.04, 0.09, 0.09, 0.025, 0.9};
    ag_ranked family[5];
    for (size_t i = 0; i < 5; i++)
        family[i] = (ag_ranked){i, p[i], NAN};
    ag_holm(family, 5);
    for (size_t i = 0; i < 5; i++)
        assert_near(family[i].adjusted, adjusted[family[i].place], 1e-14);
    ag_holm(family, 0);
}

/* scipy.stats.bootstrap(method="BCa") with 400,000 resamples: 0.0110 to 0.0294 of the sample, 2.559
 * to 11.240 of the exponentials of 60 times its values, which are skewed. 2,000 resamples know the
 * ends to about a tenth of the half width. */
static void bootstrap_agrees_with_scipy(void **state)
{
    (void)state;
    double skewed[10];
    for (size_t i = 0; i < 10; i++)
        skewed[i] = exp(60 * s_sample[i]);
    ag_interval plain = ag_bca_mean(s_sample, 10, 0.95);
    assert_near(plain.low, 0.0110, 0.05);
    assert_near(plain.high, 0.0294, 0.05);
    ag_interval bent = ag_bca_mean(skewed, 10, 0.95);
    assert_near(bent.low, 2.559, 0.05);
    assert_near(bent.high, 11.240, 0.05);
    ag_interval again = ag_bca_mean(skewed, 10, 0.95);
    assert_true(bent.low == again.low && bent.high == again.high);
}

static void bootstrap_of_little_is_no_number(void **state)
{
    (void)state;
    const double equal[] = {0.25, 0.25, 0.25};
    assert_true(isnan(ag_bca_mean(equal, 1, 0.95).low));
    assert_true(ag_bca_mean(equal, 3, 0.95).low == 0.25);
}

/* By hand: 1.6 times 3 is 4.8, and 1.6 times 13 is beyond 20. Shares by bc, scale=18:
 * (3/20)*sqrt(3/20), (5/20)*sqrt(5/20) less that, ... */
static void looks_spend_the_rate_once(void **state)
{
    (void)state;
    static const size_t seeds[] = {3, 5, 8, 13, 20};
    static const double shares[] = {0.058094750193111253, 0.066905249806888747,
                                    0.127982212813470346, 0.271064540825935381,
                                    0.475953246360594273};
    ag_interim looks = ag_interim_plan(3, 20);
    assert_int_equal(looks.n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(looks.seeds[i], seeds[i]);
        assert_near(looks.shares[i], shares[i], 1e-14);
    }
    assert_near(ag_interim_p(&looks, 3, 0.01), 0.036891582976991148, 1e-12);
    assert_true(ag_interim_p(&looks, 0, 0.5) == 1);
}

static void looks_end_at_the_most(void **state)
{
    (void)state;
    for (size_t from = 2; from < 40; from++) {
        for (size_t most = from; most <= 10000; most += 1 + most / 7) {
            ag_interim looks = ag_interim_plan(from, most);
            double sum = 0;
            assert_int_equal(looks.seeds[0], from);
            assert_int_equal(looks.seeds[looks.n - 1], most);
            for (size_t i = 0; i < looks.n; i++) {
                assert_true(looks.shares[i] > 0);
                assert_true(i == 0 || looks.seeds[i] > looks.seeds[i - 1]);
                sum += looks.shares[i];
            }
            assert_near(sum, 1, 1e-12);
        }
    }
    assert_int_equal(ag_interim_plan(6, 6).n, 1);
    assert_true(ag_interim_plan(6, 6).shares[0] == 1);
}

/* scipy.stats.norm */
static void normal_agrees_with_scipy(void **state)
{
    (void)state;
    assert_near(ag_normal_above(-3), 0.9986501019683699, 1e-14);
    assert_near(ag_normal_above(6), 9.865876450376946e-10, 1e-12);
    assert_near(ag_normal_quantile(1e-6), -4.753424308822899, 1e-12);
    assert_near(ag_normal_quantile(0.975), 1.959963984540054, 1e-13);
    assert_near(ag_t_above(2.262157162740991, 9), 0.025, 1e-9);
    assert_near(ag_t_above(-2.262157162740991, 9), 0.975, 1e-9);
}

/* 400 steps of 2 + 0.1 (u - 0.5), u from splitmix64 at 8001, with four steps raised: which of them
 * stand out of 100 before was found in Python with floats of 53 bits. Step 60 has no full window;
 * 200 and 201 stand out though the first is in the window of the second. */
static void spikes_are_those_of_a_plain_loop(void **state)
{
    (void)state;
    double loss[400];
    uint64_t at = 8001;
    for (size_t i = 0; i < 400; i++) {
        uint64_t z = at += 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        loss[i] = 2 + 0.1 * ((double)((z ^ (z >> 31)) >> 40) * 0x1p-24 - 0.5);
    }
    loss[60] += 3;
    loss[200] += 1.5;
    loss[201] += 1.5;
    loss[390] += 0.2;
    ag_spikes all = ag_count_spikes(loss, 400, 100);
    assert_int_equal(all.steps, 300);
    assert_int_equal(all.spikes, 3);
    assert_int_equal(ag_count_spikes(loss, 201, 100).spikes, 1);
    assert_int_equal(ag_count_spikes(loss, 202, 100).spikes, 2);
    assert_int_equal(ag_count_spikes(loss, 390, 100).spikes, 2);
    assert_int_equal(ag_count_spikes(loss, 100, 100).steps, 0);
}

/* A run whose loss stands still has none, and one that leaves the plateau has one. */
static void a_plateau_is_no_spike(void **state)
{
    (void)state;
    const double values[] = {2, 2, 2, 2, 2.5, NAN, 2};
    assert_int_equal(ag_count_spikes(values, 4, 3).spikes, 0);
    assert_int_equal(ag_count_spikes(values, 5, 3).spikes, 1);
    assert_int_equal(ag_count_spikes(values, 7, 3).spikes, 1);
    assert_int_equal(ag_count_spikes(values, 7, 3).steps, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_agree_with_scipy),
        cmocka_unit_test(quantiles_agree_with_closed_forms),
        cmocka_unit_test(quantiles_agree_with_the_printed_table),
        cmocka_unit_test(incomplete_beta_agrees_with_scipy),
        cmocka_unit_test(a_mean_is_as_by_hand),
        cmocka_unit_test(a_paired_difference_is_as_by_hand),
        cmocka_unit_test(too_few_values_give_no_interval),
        cmocka_unit_test(decisions_agree_with_scipy),
        cmocka_unit_test(p_is_the_level_of_the_interval_that_decides),
        cmocka_unit_test(without_spread_the_mean_decides),
        cmocka_unit_test(the_least_number_of_pairs_is_that_of_a_search),
        cmocka_unit_test(holm_is_as_by_hand),
        cmocka_unit_test(looks_spend_the_rate_once),
        cmocka_unit_test(looks_end_at_the_most),
        cmocka_unit_test(bootstrap_agrees_with_scipy),
        cmocka_unit_test(bootstrap_of_little_is_no_number),
        cmocka_unit_test(normal_agrees_with_scipy),
        cmocka_unit_test(spikes_are_those_of_a_plain_loop),
        cmocka_unit_test(a_plateau_is_no_spike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
