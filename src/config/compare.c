/* compare: the baseline, and whether this grid can answer the question that it asks. Both questions
 * come before any training, since a grid that cannot tell a difference from chance wastes all of
 * it.
 *
 * Runs are compared in pairs that differ in the axes of the baseline alone, seed by seed; the mean
 * of n differences is known to t * sd / sqrt(n), which must be less than the margin. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

/* The default baseline: the first listed format that leaves everything in BF16. */
static void default_baseline(ag_experiment *experiment)
{
    for (size_t i = 0; i < experiment->n_formats; i++) {
        if (!experiment->formats[i].null)
            continue;
        experiment->baseline[AG_FORMAT_AXIS] = i;
        experiment->baseline_place = experiment->formats[i].place;
        return;
    }
}

/* One point per axis: with several there would be several baselines. */
static void read_baseline_key(ag_experiment *experiment, const ag_node *key, const ag_node *value)
{
    size_t axis = ag_axis_find(experiment, key->text);
    if (axis == SIZE_MAX) {
        ag_axis_unknown(experiment, key, "compare.baseline");
        return;
    }
    if (value->kind == AG_NODE_LIST && value->count != 1) {
        ag_config_error(&experiment->findings, value->place,
                        "compare.baseline takes one point of axis '%s'", key->text);
        return;
    }
    size_t index[1] = {0};
    size_t count = 0;
    if (ag_axis_select(index, &count, experiment, axis, value, false))
        experiment->baseline[axis] = index[0];
}

static void read_baseline(ag_experiment *experiment, const ag_node *baseline)
{
    if (!ag_node_is(&experiment->findings, baseline, AG_NODE_MAP, "compare.baseline"))
        return;
    if (baseline->count == 0)
        ag_config_error(&experiment->findings, baseline->place,
                        "compare.baseline names no axis; it takes points such as {format: BF16}");
    experiment->baseline_place = baseline->place;
    for (size_t i = 0; i < baseline->count; i++)
        read_baseline_key(experiment, baseline->keys[i], baseline->items[i]);
}

/* The baseline names one point on some axes; a run's partner has these and shares all its other
 * points. */
void ag_config_compare(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    size_t n_axes = experiment->n_axes;
    experiment->baseline = ag_config_alloc(findings, n_axes, sizeof *experiment->baseline);
    ag_axis_value *values = ag_config_alloc(findings, n_axes, sizeof *values);
    if (experiment->baseline == NULL || values == NULL)
        return;
    for (size_t a = 0; a < n_axes; a++)
        experiment->baseline[a] = SIZE_MAX;
    const ag_node *section = ag_node_get(experiment->root, "compare");
    const ag_node *baseline = section != NULL ? ag_node_get(section, "baseline") : NULL;
    experiment->compare_asked = section != NULL;
    if (baseline != NULL)
        read_baseline(experiment, baseline);
    else
        default_baseline(experiment);
    for (size_t a = 0; a < n_axes; a++) {
        size_t point = experiment->baseline[a];
        experiment->has_baseline |= point != SIZE_MAX;
        if (point != SIZE_MAX)
            values[a] = experiment->axes[a].points[point].value;
    }
    const ag_param *metric = ag_param_find("compare.metric");
    experiment->grid.compare = (ag_compare){
        .baseline = values,
        .metric = metric->words[experiment->base.compare.metric],
        .margin = experiment->base.compare.margin,
        .family = (ag_family)experiment->base.compare.family,
    };
}

/* --- partners */

/* The combination that `tuple` is compared with, or SIZE_MAX. */
static size_t partner(ag_experiment *experiment, const uint32_t *tuple, uint32_t *scratch)
{
    for (size_t a = 0; a < experiment->n_axes; a++) {
        size_t point = experiment->baseline[a];
        scratch[a] = point != SIZE_MAX ? (uint32_t)point : tuple[a];
    }
    return ag_config_combination_find(experiment, scratch);
}

static void add_name(ag_text *text, const ag_experiment *experiment, const uint32_t *tuple)
{
    for (size_t a = 0; a < experiment->n_axes; a++)
        ag_text_printf(text, "%s%s=%s", a > 0 ? " " : "", experiment->axes[a].name,
                       experiment->axes[a].points[tuple[a]].value.text);
}

/* Partners that an exclude took away: such runs are trained, but compared with nothing. */
static void check_partners(ag_experiment *experiment)
{
    uint32_t *scratch = ag_config_alloc(&experiment->findings, experiment->n_axes, sizeof *scratch);
    if (scratch == NULL)
        return;
    size_t without = 0;
    ag_text first;
    ag_text_init(&first);
    for (size_t i = 0; i < experiment->n_combinations; i++) {
        const uint32_t *tuple = &experiment->tuples[i * experiment->n_axes];
        if (partner(experiment, tuple, scratch) != SIZE_MAX)
            continue;
        if (without++ == 0)
            add_name(&first, experiment, tuple);
    }
    if (without > 0)
        ag_config_warning(&experiment->findings, experiment->baseline_place,
                          "%zu of %zu combinations have no baseline partner (the same point on "
                          "every axis that the baseline does not name); the first: %.200s",
                          without, experiment->n_combinations, first.data);
    ag_text_deinit(&first);
}

/* --- seeds */

/* Student's t, 97.5 %, for n - 1 degrees of freedom at index n - 2. */
static const double s_t975[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                2.060,  2.056, 2.052, 2.048, 2.045};

/* Half width of the 95 % interval of the mean of n paired differences, in their deviations. */
static double half_width(size_t n)
{
    size_t rows = sizeof s_t975 / sizeof s_t975[0];
    double t = n - 2 < rows ? s_t975[n - 2] : 1.96;
    return t / sqrt((double)n);
}

/* What the difference of two small GPTs of the same seed varies by from seed to seed, in nats. Only
 * results can tell; this is the size at which a warning helps more than it annoys. */
static const double s_assumed_deviation = 0.005;

/* The least number of seeds whose interval is narrower than the margin. */
static size_t seeds_needed(double margin)
{
    size_t n = 2;
    while (n < AG_MAX_POINTS && half_width(n) * s_assumed_deviation > margin)
        n++;
    return n;
}

/* Where no random number has a part, every seed gives the same run, and more of them say nothing
 * more. */
static void warn_of_no_chance(ag_experiment *experiment, const ag_axis_points *seeds)
{
    bool has_init = experiment->initials != NULL;
    ag_config_warning(
        &experiment->findings, seeds->place,
        "no random number has a part in these runs, so each counts once whatever its seeds and no "
        "interval is known: %s",
        has_init ? "replicates are trained models, which 'model.init.where: {format: BF16}' takes "
                   "from model.init.file, for each seed the run of that seed"
                 : "replicates need a seed that decides something, such as model.init_seed: -1 or "
                   "train.data_seed: -1");
}

/* Only where `compare` was written: without it nobody has asked a question. */
static void check_seeds(ag_experiment *experiment)
{
    const ag_axis_points *seeds = &experiment->axes[experiment->n_axes - 1];
    double margin = experiment->grid.compare.margin;
    if (!experiment->compare_asked || margin <= 0 || seeds->n_points == 0)
        return;
    if (!experiment->draws && !experiment->pairs_seeds) {
        warn_of_no_chance(experiment, seeds);
        return;
    }
    size_t needed = seeds_needed(margin);
    if (seeds->n_points < needed)
        ag_config_warning(
            &experiment->findings, seeds->place,
            "%zu seed%s may not settle a margin of %g: if the paired differences vary "
            "by %g from seed to seed, their mean is known to +-%g only with %zu "
            "seeds (95 %% interval)",
            seeds->n_points, seeds->n_points == 1 ? "" : "s", margin, s_assumed_deviation, margin,
            needed);
}

void ag_config_check_compare(ag_experiment *experiment)
{
    if (!experiment->has_baseline)
        return;
    check_partners(experiment);
    check_seeds(experiment);
}
