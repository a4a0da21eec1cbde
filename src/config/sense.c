/* Settings that are valid but cannot be meant so; each is one warning, whatever the grid's size.
 * Warnings, since tests and demonstrations do such things on purpose. */
#include <string.h>

#include "config_internal.h"

/* --- a warm-up that does not end */

enum { MAX_POINTS_NAMED = 13 }; /* one more than ag_config_listed shows */

static const char s_warmup[] = "optimizer.warmup";
static const char s_steps[] = "train.steps";

/* Whether the axis sets the warm-up or the number of steps. */
static bool decides_warmup(const ag_axis_points *axis)
{
    for (size_t i = 0; i < axis->n_points; i++) {
        for (size_t s = 0; s < axis->points[i].n_settings; s++) {
            const char *key = axis->points[i].settings[s].param->key;
            if (strcmp(key, s_warmup) == 0 || strcmp(key, s_steps) == 0)
                return true;
        }
    }
    return false;
}

/* The points of a combination on the axes that decide, as in "train.steps=50"; "" without one. */
static const char *deciding_points(ag_experiment *experiment, const uint32_t *tuple)
{
    ag_text text;
    ag_text_init(&text);
    for (size_t a = 0; a < experiment->n_axes; a++) {
        const ag_axis_points *axis = &experiment->axes[a];
        if (decides_warmup(axis))
            ag_text_printf(&text, "%s%.60s=%.60s", text.length > 0 ? " " : "", axis->name,
                           axis->points[tuple[a]].value.text);
    }
    const char *copy = ag_arena_strdup(&experiment->arena, text.data);
    ag_text_deinit(&text);
    return copy != NULL ? copy : "";
}

/* Adds a name that is not there yet; those of neighbours are mostly the same. */
static void add_once(const char *names[MAX_POINTS_NAMED], size_t *count, const char *name)
{
    for (size_t i = *count; i-- > 0;) {
        if (strcmp(names[i], name) == 0)
            return;
    }
    if (*count < MAX_POINTS_NAMED)
        names[(*count)++] = name;
}

static bool never_ends(const ag_run *run)
{
    return run->train.steps > 0 && run->optimizer.warmup >= run->train.steps;
}

static void warn_of_warmup(ag_experiment *experiment, size_t first, size_t found,
                           const char *points)
{
    ag_findings *findings = &experiment->findings;
    const uint32_t *tuple = &experiment->tuples[first * experiment->n_axes];
    const ag_run *run = &experiment->grid.runs[experiment->grid.labels[first].run];
    ag_place place = ag_config_said(experiment, tuple, s_warmup);
    bool preset = place.source == NULL;
    const char *where = "";
    if (points[0] != '\0')
        where = ag_arena_printf(findings->arena, "; so it is in %zu of %zu combinations: %s", found,
                                experiment->n_combinations, points);
    if (preset)
        place = ag_config_said(experiment, tuple, s_steps);
    ag_config_warning(findings, place.source != NULL ? place : experiment->root->place,
                      "a warm-up of %lld steps (%s%s) in a run of %lld (%s) never reaches "
                      "optimizer.lr%s; make it shorter, or a share of each run such as 5%%",
                      (long long)run->optimizer.warmup, s_warmup, preset ? ", the default" : "",
                      (long long)run->train.steps, s_steps, where != NULL ? where : "");
}

/* One warning for the grid, with the points at which it happens. */
static void check_warmup(ag_experiment *experiment)
{
    const ag_grid *grid = &experiment->grid;
    const char *names[MAX_POINTS_NAMED];
    size_t n_names = 0;
    size_t found = 0;
    size_t first = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (!never_ends(&grid->runs[grid->labels[i].run]))
            continue;
        if (found++ == 0)
            first = i;
        if (n_names < MAX_POINTS_NAMED)
            add_once(names, &n_names,
                     deciding_points(experiment, &experiment->tuples[i * experiment->n_axes]));
    }
    if (found > 0)
        warn_of_warmup(experiment, first, found,
                       ag_config_listed(&experiment->findings, names, n_names));
}

/* --- keys that no run reads */

/* Where a parameter was said: in a section, on the command line, on any point of an axis. */
static ag_place said_anywhere(const ag_experiment *experiment, const ag_param *param)
{
    ag_place place = ag_config_said(experiment, NULL, param->key);
    for (size_t a = 0; a < experiment->n_axes && place.source == NULL; a++) {
        const ag_axis_points *axis = &experiment->axes[a];
        for (size_t i = 0; i < axis->n_points; i++) {
            for (size_t s = 0; s < axis->points[i].n_settings; s++) {
                if (axis->points[i].settings[s].param == param)
                    return axis->points[i].settings[s].place;
            }
        }
    }
    return place;
}

/* Whether any run of the grid reads the parameter, given its other settings. */
static bool has_effect(const ag_grid *grid, const ag_param *param)
{
    for (size_t i = 0; i < grid->n_runs; i++) {
        if (ag_param_has_effect(&grid->runs[i], param))
            return true;
    }
    return false;
}

/* A key that no run reads is most likely meant for something: its condition is told. */
static void check_effect(ag_experiment *experiment, const ag_param *param)
{
    ag_text condition;
    ag_text_init(&condition);
    ag_place place = said_anywhere(experiment, param);
    if (place.source != NULL && !has_effect(&experiment->grid, param) &&
        ag_param_condition(&condition, param))
        ag_config_warning(&experiment->findings, place, "%s has no effect in any run: %s",
                          param->key, condition.data);
    ag_text_deinit(&condition);
}

static void check_effects(ag_experiment *experiment)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++)
        check_effect(experiment, &params[i]);
}

void ag_config_check_sense(ag_experiment *experiment)
{
    check_warmup(experiment);
    check_effects(experiment);
}
