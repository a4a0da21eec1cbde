/* The combinations of the grid: every axis multiplied, excludes applied, includes added, in that
 * order. A combination is a row of indices of points, one per axis; all of them are one array, and
 * a hash index over it answers whether a combination exists.
 *
 * The last axis, the seed, runs fastest: runs that are compared with each other are neighbours.
 * Rows behind the last combination are scratch: a row is written there, looked for, and kept by
 * counting it. */
#include <string.h>

#include "config_internal.h"

/* One entry of exclude: a combination matches when allowed[axis] (NULL: any) holds its point. */
typedef struct exclusion {
    const bool **allowed; /* [n_axes] */
    ag_place place;
    size_t matched;
} exclusion;

/* A mapping of axes to points; an axis that it does not name may have any. */
static bool parse_exclusion(exclusion *out, ag_experiment *experiment, const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    *out = (exclusion){.place = map->place};
    out->allowed = ag_config_alloc(findings, experiment->n_axes, sizeof *out->allowed);
    if (out->allowed == NULL || !ag_node_is(findings, map, AG_NODE_MAP, "an exclude"))
        return false;
    if (map->count == 0)
        ag_config_error(findings, map->place,
                        "this exclude names no axis: it would drop every run");
    bool good = map->count > 0;
    for (size_t i = 0; i < map->count; i++) {
        size_t axis = ag_axis_find(experiment, map->keys[i]->text);
        if (axis == SIZE_MAX) {
            ag_axis_unknown(experiment, map->keys[i], "exclude");
            good = false;
            continue;
        }
        size_t count = 0;
        size_t *indices = ag_config_alloc(findings, ag_axis_values(map->items[i]), sizeof *indices);
        bool *allowed = ag_config_alloc(findings, experiment->axes[axis].n_points, sizeof *allowed);
        if (indices == NULL || allowed == NULL)
            return false;
        good = ag_axis_select(indices, &count, experiment, axis, map->items[i], false) && good;
        for (size_t n = 0; n < count; n++)
            allowed[indices[n]] = true;
        out->allowed[axis] = allowed;
    }
    return good;
}

/* The entries of `exclude` or `include`, or NULL. */
static const ag_node *entries(ag_experiment *experiment, const char *key)
{
    const ag_node *node = ag_node_get(experiment->root, key);
    if (node == NULL || !ag_node_is(&experiment->findings, node, AG_NODE_LIST, key))
        return NULL;
    if (node->count <= AG_MAX_RULES)
        return node;
    ag_config_error(&experiment->findings, node->place, "%s: at most %d entries", key,
                    AG_MAX_RULES);
    return NULL;
}

static exclusion *parse_exclusions(size_t *count, ag_experiment *experiment)
{
    *count = 0;
    const ag_node *list = entries(experiment, "exclude");
    if (list == NULL)
        return NULL;
    exclusion *exclusions = ag_config_alloc(&experiment->findings, list->count, sizeof *exclusions);
    for (size_t i = 0; i < list->count && exclusions != NULL; i++) {
        if (ag_config_full(&experiment->findings))
            break;
        *count += parse_exclusion(&exclusions[*count], experiment, list->items[i]);
    }
    return exclusions;
}

/* Every exclude is asked, also after one that matches: one that matches nothing is an error later.
 */
static bool is_excluded(exclusion *exclusions, size_t count, const uint32_t *tuple, size_t n_axes)
{
    bool excluded = false;
    for (size_t e = 0; e < count; e++) {
        bool matches = true;
        for (size_t a = 0; a < n_axes && matches; a++) {
            const bool *allowed = exclusions[e].allowed[a];
            matches = allowed == NULL || allowed[tuple[a]];
        }
        exclusions[e].matched += matches;
        excluded |= matches;
    }
    return excluded;
}

/* --- products of points */

/* Which points of each axis are multiplied. */
typedef struct selection {
    size_t count;
    const size_t *indices; /* NULL: 0 to count - 1 */
} selection;

/* Checked after each factor, so that the product cannot overflow. */
static size_t product(ag_experiment *experiment, const selection *selections, ag_place place)
{
    size_t total = 1;
    for (size_t a = 0; a < experiment->n_axes; a++) {
        total *= selections[a].count;
        if (total <= AG_MAX_COMBINATIONS)
            continue;
        ag_config_error(&experiment->findings, place,
                        "the grid has more than %d combinations; split the experiment",
                        AG_MAX_COMBINATIONS);
        return 0;
    }
    return total;
}

/* Combination `number` of a product, the last axis running fastest. */
static void make_tuple(uint32_t *tuple, const selection *selections, size_t n_axes, size_t number)
{
    for (size_t a = n_axes; a-- > 0;) {
        size_t at = number % selections[a].count;
        number /= selections[a].count;
        tuple[a] = (uint32_t)(selections[a].indices != NULL ? selections[a].indices[at] : at);
    }
}

/* The index compares row `value` with the scratch row behind the last combination. */
static bool same_tuple(const void *context, size_t value)
{
    const ag_experiment *experiment = context; /* the tuple looked for is the one after the last */
    size_t n_axes = experiment->n_axes;
    return memcmp(&experiment->tuples[value * n_axes],
                  &experiment->tuples[experiment->n_combinations * n_axes],
                  n_axes * sizeof(uint32_t)) == 0;
}

/* The slot of the tuple that was written after the last combination. */
static size_t *tuple_slot(ag_experiment *experiment)
{
    const uint32_t *tuple = &experiment->tuples[experiment->n_combinations * experiment->n_axes];
    return ag_index_find(&experiment->tuple_index,
                         ag_index_hash(tuple, experiment->n_axes * sizeof *tuple), same_tuple,
                         experiment);
}

size_t ag_config_combination_find(ag_experiment *experiment, const uint32_t *tuple)
{
    memcpy(&experiment->tuples[experiment->n_combinations * experiment->n_axes], tuple,
           experiment->n_axes * sizeof *tuple);
    return *tuple_slot(experiment) - 1;
}

/* Room for `more` combinations and the scratch row. The index is made anew at the larger size, and
 * all rows are entered again. */
static bool reserve(ag_experiment *experiment, size_t more)
{
    size_t n_axes = experiment->n_axes;
    size_t total = experiment->n_combinations + more;
    uint32_t *grown = ag_config_alloc(&experiment->findings, (total + 1) * n_axes, sizeof *grown);
    if (grown == NULL || !ag_index_init(&experiment->tuple_index, total, &experiment->findings))
        return false;
    size_t old = experiment->n_combinations;
    if (old > 0)
        memcpy(grown, experiment->tuples, old * n_axes * sizeof *grown);
    experiment->tuples = grown;
    for (size_t i = 0; i < old; i++) {
        experiment->n_combinations = i; /* tuple_slot looks for the row of this number */
        *tuple_slot(experiment) = i + 1;
    }
    experiment->n_combinations = old;
    return true;
}

/* --- the grid, include */

/* Excluded rows are not kept: the next is written over them. */
static void multiply(ag_experiment *experiment, exclusion *exclusions, size_t n_exclusions)
{
    selection *selections =
        ag_config_alloc(&experiment->findings, experiment->n_axes, sizeof *selections);
    if (selections == NULL)
        return;
    for (size_t a = 0; a < experiment->n_axes; a++)
        selections[a] = (selection){experiment->axes[a].n_grid, NULL};
    size_t total = product(experiment, selections, (ag_place){0});
    if (!reserve(experiment, total))
        return;
    experiment->n_multiplied = total;
    for (size_t i = 0; i < total; i++) {
        uint32_t *tuple = &experiment->tuples[experiment->n_combinations * experiment->n_axes];
        make_tuple(tuple, selections, experiment->n_axes, i);
        if (is_excluded(exclusions, n_exclusions, tuple, experiment->n_axes)) {
            experiment->n_excluded++;
            continue;
        }
        *tuple_slot(experiment) = experiment->n_combinations + 1;
        experiment->n_combinations++;
    }
}

/* An axis that an include does not name takes all points that are multiplied, as a grid would. */
static bool parse_inclusion(selection *selections, ag_experiment *experiment, const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    if (!ag_node_is(findings, map, AG_NODE_MAP, "an include"))
        return false;
    for (size_t a = 0; a < experiment->n_axes; a++)
        selections[a] = (selection){experiment->axes[a].n_grid, NULL};
    bool good = true;
    for (size_t i = 0; i < map->count; i++) {
        size_t axis = ag_axis_find(experiment, map->keys[i]->text);
        if (axis == SIZE_MAX) {
            ag_axis_unknown(experiment, map->keys[i], "include");
            good = false;
            continue;
        }
        size_t *indices = ag_config_alloc(findings, ag_axis_values(map->items[i]), sizeof *indices);
        if (indices == NULL)
            return false;
        size_t count = 0;
        good = ag_axis_select(indices, &count, experiment, axis, map->items[i], true) && good;
        selections[axis] = (selection){count, indices};
    }
    return good;
}

/* A combination that an include names and the grid has already is no error: includes are written as
 * products, which may overlap the grid. */
static void include(ag_experiment *experiment, const ag_node *map)
{
    selection *selections =
        ag_config_alloc(&experiment->findings, experiment->n_axes, sizeof *selections);
    if (selections == NULL || !parse_inclusion(selections, experiment, map))
        return;
    size_t total = product(experiment, selections, map->place);
    if (total > AG_MAX_COMBINATIONS - experiment->n_combinations) {
        ag_config_error(&experiment->findings, map->place, "the grid has more than %d combinations",
                        AG_MAX_COMBINATIONS);
        return;
    }
    if (!reserve(experiment, total))
        return;
    for (size_t i = 0; i < total; i++) {
        make_tuple(&experiment->tuples[experiment->n_combinations * experiment->n_axes], selections,
                   experiment->n_axes, i);
        size_t *slot = tuple_slot(experiment);
        if (*slot != 0)
            continue;
        *slot = ++experiment->n_combinations;
        experiment->n_included++;
    }
}

/* An exclude without effect is most likely a misspelt value, and would train what was to be left
 * out. */
static void check_result(ag_experiment *experiment, const exclusion *exclusions, size_t count)
{
    ag_findings *findings = &experiment->findings;
    for (size_t e = 0; e < count; e++) {
        if (exclusions[e].matched == 0)
            ag_config_error(findings, exclusions[e].place,
                            "this exclude matches no combination of the grid");
    }
    if (experiment->n_combinations == 0 && findings->errors == 0) {
        const ag_node *node = ag_node_get(experiment->root, "exclude");
        ag_config_error(findings, node != NULL ? node->place : (ag_place){0},
                        "the grid is empty: every combination is excluded");
    }
}

/* Checked only if all axes could be read: with a broken one, nothing is known of what was meant. */
void ag_config_combinations(ag_experiment *experiment)
{
    size_t n_exclusions = 0;
    exclusion *exclusions = parse_exclusions(&n_exclusions, experiment);
    multiply(experiment, exclusions, n_exclusions);
    const ag_node *list = entries(experiment, "include");
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (!ag_config_full(&experiment->findings))
            include(experiment, list->items[i]);
    }
    if (!experiment->axes_broken)
        check_result(experiment, exclusions, n_exclusions);
}
