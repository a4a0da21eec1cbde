/* The comparison, on values worked by hand: pairs are by seed, verdicts by interval and margin. */
#include <math.h>

#include "claims.h"
#include "numerics/recipe.h"
#include "run/params.h"
#include "summary.h"
#include "support.h"

enum { FORMATS = 3, SEEDS = 3, RUNS = FORMATS * SEEDS, AXES = 4, LAYERS = 5 };

typedef struct fixture {
    ag_layer_precision plain[LAYERS];
    ag_layer_precision quantised[LAYERS];
    ag_run runs[RUNS];
    ag_axis_value values[RUNS][AXES];
    ag_label labels[RUNS];
    ag_result_row rows[RUNS];
    ag_results results;
} fixture;

/* E4M3 - BF16: 0.10, 0.11, 0.09, so mean 0.1, sd 0.01 and, with t(0.975, 2) = 4.302652729911275,
 * half width 0.0248. E7M0: one run is done, one diverged, one failed. */
static const double s_losses[RUNS] = {2.0, 2.1, 2.2, 2.10, 2.21, 2.29, 3.0, 9.0, 9.0};

static void fill(fixture *f)
{
    static const ag_axis axes[AXES] = {
        {"format",       AG_AXIS_TEXT},
        {"layers",       AG_AXIS_TEXT},
        {"seed",         AG_AXIS_INT },
        {"optimizer.lr", AG_AXIS_REAL}
    };
    static const ag_axis_value baseline[AXES] = {{.text = "BF16"}};
    static const char *const formats[] = {"BF16", "E4M3", "E7M0"};
    static const char *const seeds[] = {"0", "1", "2"};
    ag_format e4m3;
    *f = (fixture){0};
    assert_ok(ag_format_parse(&e4m3, "E4M3"));
    for (size_t use = 0; use < AG_USES; use++)
        f->quantised[0].scheme[AG_ROLE_WEIGHT][use] = ag_scheme_plain(&e4m3);
    for (size_t i = 0; i < RUNS; i++) {
        ag_run_defaults(&f->runs[i]);
        f->runs[i].model.n_layer = 1;
        f->runs[i].layers = i < SEEDS ? f->plain : f->quantised;
        f->values[i][0].text = formats[i / SEEDS];
        f->values[i][1].text = "uniform";
        f->values[i][2].text = seeds[i % SEEDS];
        f->values[i][3].text = "1e-3";
        f->labels[i] = (ag_label){i, f->values[i]};
        f->rows[i] =
            (ag_result_row){.reason = "", .val_loss = s_losses[i], .loss = 1, .entropy_rate = 1.5};
    }
    f->rows[7].status = AG_RUN_DIVERGED;
    f->rows[8].status = AG_RUN_FAILED;
    f->results.grid = (ag_grid){
        "case", "",        AXES,
        axes,   RUNS,      f->runs,
        RUNS,   f->labels, {baseline,       "val_loss", 0.05, AG_FAMILY_ALL},
        0,      NULL,      AG_NUMERICS_VERSION,
        {0, 0          }
    };
    f->results.n_rows = RUNS;
    f->results.rows = f->rows;
}

static void cells_are_as_by_hand(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    fill(&f);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.n_cells, FORMATS);
    assert_int_equal(s.cells[0].verdict, AG_VERDICT_BASELINE);
    assert_true(fabs(s.cells[0].mean.mean - 2.1) < 1e-12);
    assert_true(fabs(s.cells[0].mean.sd - 0.1) < 1e-12);
    const ag_estimate *difference = &s.cells[1].difference;
    assert_int_equal(difference->n, 3);
    assert_true(fabs(difference->mean - 0.1) < 1e-12);
    assert_true(fabs(difference->half - 4.302652729911275 * 0.01 / sqrt(3)) < 1e-10);
    assert_int_equal(s.cells[1].verdict, AG_VERDICT_WORSE);
    assert_int_equal(s.cells[2].n_values, 1);
    assert_int_equal(s.cells[2].n_pairs, 1);
    assert_true(s.cells[2].difference.mean == 1.0);
    assert_int_equal(s.cells[2].diverged, 1);
    assert_int_equal(s.cells[2].failed, 1);
    assert_int_equal(s.cells[2].verdict, AG_VERDICT_DIVERGED);
    ag_summary_deinit(&s);
}

/* Seeds of which each is the same run: E4M3 all the first one, with three partners. */
static void a_run_of_several_seeds_counts_once(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    fill(&f);
    for (size_t i = SEEDS; i < SEEDS + SEEDS; i++)
        f.labels[i].run = SEEDS;
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.cells[1].n_values, 1);
    assert_true(s.cells[1].mean.mean == s_losses[SEEDS]);
    assert_int_equal(s.cells[1].n_pairs, 3);
    ag_summary_deinit(&s);
    for (size_t i = 0; i < SEEDS; i++) /* and one partner */
        f.labels[i].run = 0;
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.cells[0].n_values, 1);
    assert_int_equal(s.cells[1].n_pairs, 1);
    assert_int_equal(s.cells[1].verdict, AG_VERDICT_NONE);
    f.rows[SEEDS].status = AG_RUN_PENDING;
    ag_summary_deinit(&s);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.cells[1].pending, 1);
    ag_summary_deinit(&s);
}

/* In files that have a run for each seed, those of the same weights and loss are no replicates;
 * rounding by chance gives the same weights another loss. */
static void equal_results_count_once(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    fill(&f);
    for (size_t i = 0; i < SEEDS + SEEDS; i++) {
        memset(f.rows[i].digest, 'a', AG_DIGEST_LENGTH);
        f.rows[i].val_loss = i < SEEDS ? 2.0 : f.rows[i].val_loss;
    }
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.cells[0].n_values, 1);
    assert_int_equal(s.cells[1].n_values, 3);
    assert_int_equal(s.cells[1].n_pairs, 3);
    ag_summary_deinit(&s);
}

static ag_verdict verdict_at(fixture *f, double margin)
{
    ag_summary s;
    f->results.grid.compare.margin = margin;
    assert_ok(ag_summary_make(&s, &f->results, NULL));
    ag_verdict verdict = s.cells[1].verdict;
    ag_summary_deinit(&s);
    return verdict;
}

/* The interval is 0.0752 to 0.1248. */
static void verdicts_follow_the_margin(void **state)
{
    (void)state;
    static fixture f;
    fill(&f);
    assert_int_equal(verdict_at(&f, 0.07), AG_VERDICT_WORSE);
    assert_int_equal(verdict_at(&f, 0.08), AG_VERDICT_OPEN);
    assert_int_equal(verdict_at(&f, 0.12), AG_VERDICT_OPEN);
    assert_int_equal(verdict_at(&f, 0.13), AG_VERDICT_SAME);
    for (size_t i = SEEDS; i < SEEDS + SEEDS; i++)
        f.rows[i].val_loss = 4.2 - f.rows[i].val_loss; /* now below the baseline */
    for (size_t i = 0; i < SEEDS; i++)
        f.rows[i].val_loss = 4.2 - f.rows[i].val_loss;
    assert_int_equal(verdict_at(&f, 0.07), AG_VERDICT_BETTER);
}

/* The seeds that are left would be worse, the same or better: none of it is said. */
static void no_verdict_comes_from_the_survivors(void **state)
{
    (void)state;
    static fixture f;
    const double margins[] = {0.001, 0.01, 0.5};
    for (size_t i = 0; i < sizeof margins / sizeof margins[0]; i++) {
        fill(&f);
        f.rows[5].status = AG_RUN_DIVERGED;
        assert_int_equal(verdict_at(&f, margins[i]), AG_VERDICT_DIVERGED);
        fill(&f);
        f.rows[5].val_loss = INFINITY;
        assert_int_equal(verdict_at(&f, margins[i]), AG_VERDICT_NONE);
    }
    fill(&f);
    f.rows[5].status = AG_RUN_FAILED; /* has nothing to do with its loss */
    assert_int_equal(verdict_at(&f, 0.5), AG_VERDICT_SAME);
}

/* With the seeds that have a value, the last column names every run of a cell. */
static void every_run_is_counted(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    ag_text text;
    fill(&f);
    f.rows[1].status = AG_RUN_DIVERGED;
    f.rows[3].val_loss = NAN;
    f.rows[8].status = AG_RUN_PENDING;
    ag_text_init(&text);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    for (size_t i = 0; i < s.n_cells; i++) {
        const ag_summary_cell *cell = &s.cells[i];
        assert_int_equal(cell->done + cell->diverged + cell->failed + cell->pending, SEEDS);
    }
    ag_summary_table(&text, &s);
    assert_non_null(strstr(text.data, "\n9 runs: 6 done, 2 diverged, 1 pending\n"));
    assert_non_null(strstr(text.data, "BF16        2  2.1000 ± 0.1414   baseline"));
    assert_non_null(strstr(text.data, " 1 of 3 diverged\n"));
    assert_non_null(strstr(text.data,
                           "E4M3        2  2.2500 ± 0.0566   +0.0900                1            "
                           "baseline diverged in 1 of 3, 1 done without val_loss\n"));
    text.length = 0;
    ag_summary_json(&text, &s);
    assert_non_null(strstr(text.data, "\"runs\": {\"total\": 9, \"done\": 6, \"diverged\": 2, "
                                      "\"failed\": 0, \"pending\": 1}"));
    assert_non_null(strstr(text.data,
                           "\"done\": 3, \"diverged\": 0, \"failed\": 0, \"pending\": 0, "
                           "\"without_value\": 1, \"baseline_diverged\": 1, "
                           "\"pairs\": 1"));
    ag_text_deinit(&text);
    ag_summary_deinit(&s);
}

/* A grid without BF16 that names none. */
static void without_a_baseline_there_are_no_differences(void **state)
{
    (void)state;
    static const ag_axis_value none[AXES];
    static fixture f;
    ag_summary s;
    ag_text text;
    fill(&f);
    f.results.grid.compare.baseline = none;
    ag_text_init(&text);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    for (size_t i = 0; i < s.n_cells; i++) {
        assert_int_equal(s.cells[i].n_pairs, 0);
        assert_int_equal(s.cells[i].verdict, AG_VERDICT_NONE);
    }
    ag_summary_table(&text, &s);
    assert_non_null(strstr(text.data, "E4M3        3  2.2000 ± 0.0954   -\n"));
    assert_non_null(strstr(text.data, "compare.baseline names\nnone to compare with"));
    ag_text_deinit(&text);
    ag_summary_deinit(&s);
}

static void the_table_is_readable(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    ag_text text;
    fill(&f);
    ag_text_init(&text);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    ag_summary_table(&text, &s);
    assert_string_equal(
        text.data,
        "case\n"
        "9 runs: 7 done, 1 diverged, 1 failed\n"
        "floor 1.5000 (entropy rate of the source)\n"
        "\n"
        "optimizer.lr = 1e-3\n"
        "layers   format  seeds  val_loss          difference         pairs\n"
        "uniform  BF16        3  2.1000 ± 0.1000   baseline\n"
        "         E4M3        3  2.2000 ± 0.0954   +0.1000 ± 0.0248       3  worse\n"
        "         E7M0        1  3.0000            +1.0000                1  diverged  1 of 3 "
        "diverged, 1 failed\n"
        "\n"
        "Missing pairs: E7M0, uniform: seed 1 diverged, seed 2 failed.\n"
        "\n"
        "difference: to format = BF16 at the same other axes, mean of pairs ± 95 %\n"
        "interval (Student's t). worse, better: the interval lies beyond the margin of\n"
        "0.05; same: within it; open: more seeds would tell. val_loss: mean ± sd over\n"
        "seeds, nats per token. diverged: a seed did, and mean and difference are of the\n"
        "others alone.\n"
        "\n"
        "BF16  bf16 operands and results\n"
        "E4M3  weight: e4m3fn, per tensor, current amax, max 448\n"
        "E7M0  weight: e4m3fn, per tensor, current amax, max 448\n");
    ag_text_deinit(&text);
    ag_summary_deinit(&s);
}

/* Where a tensor is quantised twice, each product's operand is told, also that which stays BF16. */
static void formats_are_told_by_product(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    ag_text text;
    fill(&f);
    assert_ok(ag_recipe_parse(&f.quantised[0], "row_gw_hp"));
    f.quantised[2] = f.quantised[0]; /* and layers that are not quantised at all */
    ag_text_init(&text);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    ag_summary_table(&text, &s);
    const char *formats = strstr(text.data, "\nE4M3  ");
    const char *next = strstr(text.data, "\nE7M0  ");
    assert_true(formats != NULL && next > formats);
    text.data[next - text.data] = '\0';
    assert_string_equal(
        formats, "\n"
                 "E4M3  weight.fprop, input.fprop, grad_output.dgrad: e4m3fn, per row, current\n"
                 "        amax, power-of-two scale, max 448\n"
                 "      weight.dgrad: e4m3fn, per tensor, current amax, power-of-two scale, max\n"
                 "        448\n"
                 "      input.wgrad, grad_output.wgrad: bf16");
    ag_text_deinit(&text);
    ag_summary_deinit(&s);
}

/* E7M0 - BF16 is 0.02, 0.08, 0.05: mean 0.05, sd 0.03. With a margin of 0.01 its interval ends
 * below that, and p of E4M3 is 2 * P(T > 0.09 * sqrt(3) / 0.01) with 2 degrees of freedom, by the
 * closed form 1 - t / sqrt(t^2 + 2) for both tails. */
static void verdicts_hold_together(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    fill(&f);
    f.results.grid.compare.margin = 0.01;
    for (size_t i = 6; i < RUNS; i++) {
        const double differences[] = {0.02, 0.08, 0.05};
        f.rows[i].status = AG_RUN_DONE;
        f.rows[i].val_loss = s_losses[i - 6] + differences[i - 6];
    }
    double t = 0.09 * sqrt(3) / 0.01;
    double p = 1 - t / sqrt(t * t + 2);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.n_comparisons, 2);
    assert_true(fabs(s.cells[1].p - p) < 1e-9);
    assert_true(fabs(s.cells[1].adjusted - 2 * p) < 1e-9);
    assert_int_equal(s.cells[1].verdict, AG_VERDICT_WORSE);
    assert_int_equal(s.cells[2].verdict, AG_VERDICT_OPEN);
    assert_true(s.cells[2].adjusted == s.cells[2].p && s.cells[2].pairs_needed > 3);
    ag_summary_deinit(&s);

    /* two intervals that begin above the margin, each at a rate of 0.04: together that is 0.08 */
    f.results.grid.compare.margin = 0.072;
    for (size_t i = 6; i < RUNS; i++)
        f.rows[i].val_loss = s_losses[i - SEEDS] + 0.0001;
    for (int family = AG_FAMILY_ALL; family < AG_FAMILIES; family++) {
        f.results.grid.compare.family = (ag_family)family;
        assert_ok(ag_summary_make(&s, &f.results, NULL));
        assert_int_equal(s.cells[1].alone, AG_VERDICT_WORSE);
        assert_int_equal(s.cells[1].verdict,
                         family == AG_FAMILY_ALL ? AG_VERDICT_OPEN : AG_VERDICT_WORSE);
        ag_summary_deinit(&s);
    }
}

/* The same numbers under another label are no other comparison. */
static void equal_comparisons_are_one(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    fill(&f);
    for (size_t i = 6; i < RUNS; i++)
        f.labels[i].run = i - SEEDS;
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.n_comparisons, 1);
    assert_true(s.cells[1].adjusted == s.cells[1].p && s.cells[2].adjusted == s.cells[1].p);
    ag_summary_deinit(&s);
}

/* E7M0 becomes E4M3 at another learning rate, which is better for seed 0, the first third, and
 * worse on average: it is chosen, and the other seeds are judged. */
static void the_best_point_is_chosen_on_other_seeds(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    const double other[] = {2.05, 2.35, 2.29};
    fill(&f);
    for (size_t i = 6; i < RUNS; i++) {
        f.values[i][0].text = "E4M3";
        f.values[i][3].text = "3e-3";
        f.rows[i].status = AG_RUN_DONE;
        f.rows[i].val_loss = other[i - 6];
    }
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_int_equal(s.n_cells, 3);
    assert_ok(ag_summary_take_best(&s, 3));
    assert_int_equal(s.n_cells, 2);
    assert_false(s.optimistic);
    const ag_summary_cell *cell = &s.cells[1];
    assert_string_equal(cell->label->values[3].text, "3e-3");
    assert_int_equal(cell->choosers, 1);
    assert_int_equal(cell->n_pairs, 2);
    assert_true(fabs(cell->mean.mean - (2.35 + 2.29) / 2) < 1e-12);
    assert_true(fabs(cell->difference.mean - (2.35 + 2.29 - 2.1 - 2.2) / 2) < 1e-12);
    assert_int_equal(s.cells[0].verdict, AG_VERDICT_BASELINE);
    ag_summary_deinit(&s);

    f.rows[6].status = AG_RUN_DIVERGED; /* then it is not the best for seed 0 */
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_ok(ag_summary_take_best(&s, 3));
    assert_string_equal(s.cells[1].label->values[3].text, "1e-3");
    ag_summary_deinit(&s);
}

/* A name that would break a table, and a pair that is missing. */
static void every_form_escapes_names(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    ag_text text;
    fill(&f);
    for (size_t i = SEEDS; i < SEEDS + SEEDS; i++)
        f.values[i][0].text = "a|b,\"c\"_%";
    ag_text_init(&text);
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    ag_summary_csv(&text, &s);
    assert_non_null(strstr(text.data, "\n\"a|b,\"\"c\"\"_%\",uniform,1e-3,3,0,0,0,0,0,3,3,"));
    assert_non_null(strstr(text.data, ",diverged,diverged,1 diverged; 2 failed\n"));
    text.length = 0;
    ag_summary_markdown(&text, &s);
    assert_non_null(strstr(text.data, "\n| a\\|b,\"c\"\\_% | 3 | 2.2000 ± 0.0954 | "
                                      "+0.1000 ± 0.0248 | 3 | worse |\n"));
    text.length = 0;
    ag_summary_latex(&text, &s);
    assert_non_null(strstr(text.data, "\na|b,\"c\"\\_\\% & 3 & 2.2000 $\\pm$ 0.0954 & "
                                      "+0.1000 $\\pm$ 0.0248 & 3 & worse \\\\\n"));
    ag_text_deinit(&text);
    ag_summary_deinit(&s);
}

enum { CLAIMS = 5 };

/* scipy: ttest_1samp of 0.1, 0.11, 0.09 against 0.05 and 0.07 says 0.0065362 and 0.0175494
 * one-sided; binom says 0.875 for 1 of 3 or more at a share of 0.5, 0.5 for at most 1; beta
 * 0.0084038 and 0.9057007 for the ends of the share's interval. */
static void claims_are_judged(void **state)
{
    (void)state;
    static fixture f;
    static const ag_axis_value points[3 * AXES] = {
        [0].text = "BF16", [AXES].text = "E4M3", [2 * AXES].text = "E7M0"};
    static const ag_claim claims[CLAIMS] = {
        {"better",   "", "", AG_CLAIM_BETTER,   0.05, 2, points                   },
        {"worse",    "", "", AG_CLAIM_WORSE,    0.07, 2, points                   },
        {"diverges", "", "", AG_CLAIM_DIVERGES, 0.5,  1, &points[(size_t)2 * AXES]},
        {"order",    "", "", AG_CLAIM_ORDER,    0,    3, points                   },
        {"same",     "", "", AG_CLAIM_SAME,     0.07, 2, points                   },
    };
    ag_claim_result r[CLAIMS];
    ag_summary s;
    fill(&f);
    f.rows[8].status = AG_RUN_DONE;
    f.results.grid.claims = claims;
    f.results.grid.n_claims = CLAIMS;
    f.results.grid.compare.family = AG_FAMILY_NONE;
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_ok(ag_claims_judge(r, &s));
    assert_int_equal(r[0].state, AG_CLAIM_CONFIRMED);
    assert_true(fabs(r[0].p - 2 * 0.0065362287801732566) < 1e-9);
    assert_true(fabs(r[0].difference.mean + 0.1) < 1e-12);
    assert_int_equal(r[1].state, AG_CLAIM_REFUTED); /* -0.1 is not above 0.07 */
    assert_int_equal(r[2].state, AG_CLAIM_OPEN);
    assert_true(r[2].runs == 3 && r[2].diverged == 1 && fabs(r[2].p - 1) < 1e-12);
    assert_true(fabs(r[2].low - 0.008403758659612636) < 1e-9);
    assert_true(fabs(r[2].high - 0.9057006759497539) < 1e-9);
    assert_int_equal(r[3].state, AG_CLAIM_OPEN); /* a run of the last point diverged */
    assert_true(isnan(r[3].p) && r[3].diverged == 1);
    assert_int_equal(r[4].state, AG_CLAIM_REFUTED);
    assert_true(fabs(r[4].p - 2 * 0.017549359322992317) < 1e-9);
    f.results.grid.compare.family = AG_FAMILY_ALL; /* of the four that have a p, the second least */
    assert_ok(ag_claims_judge(r, &s));
    assert_true(fabs(r[0].adjusted - 3 * r[0].p) < 1e-12);
    assert_int_equal(r[4].state, AG_CLAIM_OPEN);
    assert_int_equal(r[4].more_seeds, 1);
    ag_summary_deinit(&s);
}

/* All three seeds in order: 0 above 0.1 above 1, each pair by far. */
static void an_order_is_as_certain_as_its_weakest_pair(void **state)
{
    (void)state;
    static fixture f;
    static const ag_axis_value points[3 * AXES] = {
        [0].text = "BF16", [AXES].text = "E4M3", [2 * AXES].text = "E7M0"};
    static const ag_claim claim = {"order", "", "", AG_CLAIM_ORDER, 0, 3, points};
    ag_claim_result r;
    ag_summary s;
    fill(&f);
    for (size_t i = 6; i < RUNS; i++) {
        f.rows[i].status = AG_RUN_DONE;
        f.rows[i].val_loss = s_losses[i - 6] + 1 + (double)i * 0.001;
    }
    f.results.grid.claims = &claim;
    f.results.grid.n_claims = 1;
    assert_ok(ag_summary_make(&s, &f.results, NULL));
    assert_ok(ag_claims_judge(&r, &s));
    assert_int_equal(r.state, AG_CLAIM_CONFIRMED);
    assert_int_equal(r.link, 0);      /* 0.1 with sd 0.01, and 0.9 with less than 0.02 */
    for (size_t i = 6; i < RUNS; i++) /* now the second pair is the other way round */
        f.rows[i].val_loss = s_losses[i - 6] + 0.05 + (double)i * 0.0001;
    assert_ok(ag_claims_judge(&r, &s));
    assert_int_equal(r.link, 1);
    assert_int_equal(r.state, AG_CLAIM_REFUTED);
    ag_summary_deinit(&s);
}

static void an_unknown_metric_is_refused(void **state)
{
    (void)state;
    static fixture f;
    ag_summary s;
    fill(&f);
    assert_fails(AG_ERR_INPUT, "there is no metric 'accuracy'",
                 ag_summary_make(&s, &f.results, "accuracy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_as_by_hand),
        cmocka_unit_test(a_run_of_several_seeds_counts_once),
        cmocka_unit_test(equal_results_count_once),
        cmocka_unit_test(verdicts_follow_the_margin),
        cmocka_unit_test(no_verdict_comes_from_the_survivors),
        cmocka_unit_test(every_run_is_counted),
        cmocka_unit_test(without_a_baseline_there_are_no_differences),
        cmocka_unit_test(the_table_is_readable),
        cmocka_unit_test(formats_are_told_by_product),
        cmocka_unit_test(verdicts_hold_together),
        cmocka_unit_test(equal_comparisons_are_one),
        cmocka_unit_test(the_best_point_is_chosen_on_other_seeds),
        cmocka_unit_test(every_form_escapes_names),
        cmocka_unit_test(claims_are_judged),
        cmocka_unit_test(an_order_is_as_certain_as_its_weakest_pair),
        cmocka_unit_test(an_unknown_metric_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
