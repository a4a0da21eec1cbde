/* The points of an axis that a value of the file names, in exclude, include and compare.baseline:
 * found among those that the axis has, or, in an include, added behind them.
 *
 * A value is compared by what it means, through the canonical text of the point that it would be,
 * so that 0.001 finds 1e-3. In exclude and compare a value that the axis does not have is an error.
 */
#include <string.h>

#include "config_internal.h"

size_t ag_axis_find(const ag_experiment *experiment, const char *name)
{
    for (size_t i = 0; i < experiment->n_axes; i++) {
        if (strcmp(experiment->axes[i].name, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

void ag_axis_unknown(ag_experiment *experiment, const ag_node *key, const char *what)
{
    if (experiment->axes_broken)
        return; /* the axis may be one that had errors */
    const char **names = ag_config_alloc(&experiment->findings, experiment->n_axes, sizeof *names);
    if (names == NULL)
        return;
    for (size_t i = 0; i < experiment->n_axes; i++)
        names[i] = experiment->axes[i].name;
    ag_config_error(&experiment->findings, key->place,
                    "%s names '%.60s', which is not an axis of this grid%s (its axes are %s)", what,
                    key->text,
                    ag_config_hint(&experiment->findings, key->text, names, experiment->n_axes),
                    ag_config_listed(&experiment->findings, names, experiment->n_axes));
}

/* By the canonical text; axes that users write have few points. */
static size_t find_point(const ag_axis_points *axis, const char *canonical)
{
    for (size_t i = 0; i < axis->n_points; i++) {
        if (strcmp(axis->points[i].canonical, canonical) == 0)
            return i;
    }
    return SIZE_MAX;
}

/* Where points are missing because of errors, nothing is said. Numbers get no suggestion. */
static size_t no_point(ag_experiment *experiment, const ag_axis_points *axis, const ag_node *node)
{
    if (axis->broken)
        return SIZE_MAX;
    ag_findings *findings = &experiment->findings;
    const char *hint = "";
    const char **names = ag_config_alloc(findings, axis->n_points, sizeof *names);
    for (size_t i = 0; i < axis->n_points && names != NULL; i++)
        names[i] = axis->points[i].value.text;
    if (names == NULL)
        return SIZE_MAX;
    if (axis->type == AG_AXIS_TEXT) /* no number is a misspelt other */
        hint = ag_config_hint(findings, node->text, names, axis->n_points);
    ag_config_error(findings, node->place,
                    "axis '%.60s' has no point '%.60s'%s (its points are %s)", axis->name,
                    node->kind == AG_NODE_NULL ? "null" : node->text, hint,
                    ag_config_listed(findings, names, axis->n_points));
    return SIZE_MAX;
}

/* Seeds are found by number: 07 is 7. */
static size_t seed_point(ag_experiment *experiment, ag_axis_points *axis, const ag_node *node,
                         bool grow)
{
    int64_t seed = 0;
    if (!ag_axis_seed(&seed, &experiment->findings, node))
        return SIZE_MAX;
    for (size_t i = 0; i < axis->n_points; i++) {
        if (axis->points[i].value.integer == seed)
            return i;
    }
    if (!grow)
        return no_point(experiment, axis, node);
    bool added = ag_axis_add_seed(axis, &experiment->findings, seed, node->place);
    return added ? axis->n_points - 1 : SIZE_MAX;
}

/* An include may bring a format of its own; null is BF16, as everywhere. */
static size_t format_point(ag_experiment *experiment, ag_axis_points *axis, const ag_node *node,
                           bool grow)
{
    const char *text = node->kind == AG_NODE_NULL ? "BF16" : node->text;
    size_t index = ag_config_format_find(experiment, text);
    if (index != SIZE_MAX && index < axis->n_points)
        return index;
    if (!grow || axis->broken)
        return no_point(experiment, axis, node);
    index = ag_config_format_add(experiment, node);
    if (index == SIZE_MAX ||
        !ag_axis_add_format(axis, &experiment->findings, &experiment->formats[index]))
        return SIZE_MAX;
    return index;
}

static size_t param_point(ag_experiment *experiment, ag_axis_points *axis, const ag_node *node,
                          bool grow)
{
    ag_point point;
    if (!ag_axis_param_point(&point, experiment, axis, node))
        return SIZE_MAX;
    size_t index = find_point(axis, point.canonical);
    if (index != SIZE_MAX)
        return index;
    if (!grow)
        return no_point(experiment, axis, node);
    bool added = ag_axis_add(axis, &experiment->findings, &point) != NULL;
    return added ? axis->n_points - 1 : SIZE_MAX;
}

/* By the kind of the axis; points of named axes and layer configs are found by their names. */
static size_t one_point(ag_experiment *experiment, ag_axis_points *axis, const ag_node *node,
                        bool grow)
{
    switch (axis->kind) {
    case AG_AXIS_FORMAT:
        return format_point(experiment, axis, node, grow);
    case AG_AXIS_SEED:
        return seed_point(experiment, axis, node, grow);
    case AG_AXIS_PARAM:
        return param_point(experiment, axis, node, grow);
    default:
        break;
    }
    const char *text = NULL;
    if (!ag_node_text(&text, &experiment->findings, node, axis->name))
        return SIZE_MAX;
    size_t index = find_point(axis, text);
    return index != SIZE_MAX ? index : no_point(experiment, axis, node);
}

/* Whether a list is one value, as betas: [0.9, 0.99] of an axis of pairs, and not several points.
 */
static bool is_single_value(const ag_axis_points *axis, const ag_node *node)
{
    if (node->kind != AG_NODE_LIST)
        return true;
    bool takes_list = axis->param != NULL && ag_param_takes_list(axis->param);
    return takes_list && (node->count == 0 || node->items[0]->kind == AG_NODE_SCALAR);
}

/* All values are looked at, so that all errors are found. */
bool ag_axis_select(size_t *indices, size_t *count, ag_experiment *experiment, size_t axis,
                    const ag_node *node, bool grow)
{
    ag_axis_points *points = &experiment->axes[axis];
    bool single = is_single_value(points, node);
    size_t n_values = single ? 1 : node->count;
    bool good = n_values > 0;
    if (!good)
        ag_config_error(&experiment->findings, node->place, "%s: the list is empty", points->name);
    for (size_t i = 0; i < n_values; i++) {
        if (ag_config_full(&experiment->findings)) /* what there is was not all read */
            return false;
        size_t index = one_point(experiment, points, single ? node : node->items[i], grow);
        if (index == SIZE_MAX)
            good = false;
        else
            indices[(*count)++] = index;
    }
    return good;
}

size_t ag_axis_values(const ag_node *node)
{
    return node->kind == AG_NODE_LIST && node->count > 1 ? node->count : 1;
}
