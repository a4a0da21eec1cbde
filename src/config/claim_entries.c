/* claims: what a user, or a paper, says of the grid before it is trained. They change no run; that
 * each speaks of what the grid holds is checked here, since after the runs it would be too late.
 *
 *   - {name: forward, better: {format: E4M3}, than: {format: E5M2}, by: 0.01}
 *   - {name: four bits, worse: {format: mxfp4}, than: {format: BF16}, by: 0.02}
 *   - {name: eight bits, same: {format: mxfp8}, as: {format: BF16}, margin: 0.01}
 *   - {name: ladder, order: [BF16, mxfp8, mxfp4]}
 *   - {name: range, diverges: {format: E2M5}, share: 0.5} */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

enum { MOST_CLAIMS = 200 };

/* How a kind is written: the key of its first point is its name. */
typedef struct claim_form {
    const char *other; /* the key of the second point; NULL where there is none */
    const char *bound; /* the key of its number, or NULL */
    double most;       /* that this may be */
} claim_form;

static const claim_form s_forms[AG_CLAIM_KINDS] = {
    [AG_CLAIM_BETTER] = {"than", "by",     1e9},
      [AG_CLAIM_WORSE] = {"than", "by",     1e9},
    [AG_CLAIM_SAME] = {"as",   "margin", 1e9},
      [AG_CLAIM_ORDER] = {NULL,   "by",     1e9},
    [AG_CLAIM_DIVERGES] = {NULL,   "share",  1.0},
};

/* Points are taken from the axis, by the same words as in exclude: so a claim can only name what
 * the axis has. */
static bool read_axis(ag_axis_value *point, ag_experiment *experiment, const ag_node *key,
                      const ag_node *value)
{
    size_t axis = ag_axis_find(experiment, key->text);
    size_t index[1] = {0};
    size_t count = 0;
    if (axis == SIZE_MAX) {
        ag_axis_unknown(experiment, key, "a claim");
        return false;
    }
    if (experiment->axes[axis].kind == AG_AXIS_SEED || ag_axis_values(value) != 1) {
        ag_config_error(&experiment->findings, value->place,
                        "a claim is of all seeds, and of one point of each axis that it names");
        return false;
    }
    if (!ag_axis_select(index, &count, experiment, axis, value, false))
        return false;
    point[axis] = experiment->axes[axis].points[index[0]].value;
    return true;
}

/* {format: E4M3, layers: uniform}, or E4M3 alone. */
static bool read_point(ag_axis_value *point, ag_experiment *experiment, const ag_node *node)
{
    if (node->kind == AG_NODE_SCALAR) {
        static const ag_node format = {.kind = AG_NODE_SCALAR, .text = "format"};
        return read_axis(point, experiment, &format, node);
    }
    if (!ag_node_is(&experiment->findings, node, AG_NODE_MAP, "a point of a claim"))
        return false;
    if (node->count == 0)
        ag_config_error(&experiment->findings, node->place,
                        "a point of a claim names an axis, such as {format: E4M3}");
    bool good = node->count > 0;
    for (size_t i = 0; i < node->count; i++)
        good = read_axis(point, experiment, node->keys[i], node->items[i]) && good;
    return good;
}

/* A negative bound would say the opposite, for which there is a word of its own. */
static bool read_number(double *out, ag_findings *findings, const ag_node *node,
                        const claim_form *form)
{
    char *end = NULL;
    double value = node->kind == AG_NODE_SCALAR ? strtod(node->text, &end) : NAN;
    if (end != NULL && end != node->text && *end == '\0' && value >= 0 && value <= form->most) {
        *out = value;
        return true;
    }
    if (form->most > 1)
        ag_config_error(findings, node->place, "%s of a claim is a difference of losses, 0 or more",
                        form->bound);
    else
        ag_config_error(findings, node->place, "%s of a claim is a share, from 0 to 1",
                        form->bound);
    return false;
}

/* The one kind that the claim has a key of; AG_CLAIM_KINDS after an error. */
static ag_claim_kind find_kind(ag_findings *findings, const ag_node *map)
{
    ag_claim_kind kind = AG_CLAIM_KINDS;
    size_t count = 0;
    for (size_t i = 0; i < AG_CLAIM_KINDS; i++) {
        if (ag_node_get(map, ag_claim_words[i]) == NULL)
            continue;
        kind = (ag_claim_kind)i;
        count++;
    }
    if (count == 1)
        return kind;
    ag_config_error(findings, map->place,
                    "a claim says one of: better ... than, worse ... than, same ... as, order, "
                    "diverges; this one says %s",
                    count == 0 ? "none" : "several");
    return AG_CLAIM_KINDS;
}

/* The nodes of its points; the second is looked for under its own key. */
static bool find_points(const ag_node *nodes[], size_t *count, ag_findings *findings,
                        const ag_node *map, ag_claim_kind kind)
{
    const ag_node *first = ag_node_get(map, ag_claim_words[kind]);
    const ag_node *other = NULL;
    *count = 1;
    if (kind == AG_CLAIM_ORDER) {
        if (!ag_node_is(findings, first, AG_NODE_LIST, "order"))
            return false;
        if (first->count < 2 || first->count > AG_MAX_RULES) {
            ag_config_error(findings, first->place, "order takes 2 to %d points, the best first",
                            AG_MAX_RULES);
            return false;
        }
        memcpy(nodes, first->items, first->count * sizeof(const ag_node *));
        *count = first->count;
        return true;
    }
    nodes[0] = first;
    if (s_forms[kind].other == NULL)
        return true;
    other = ag_node_get(map, s_forms[kind].other);
    if (other == NULL) {
        ag_config_error(findings, map->place, "a claim that says '%s' needs '%s', the other side",
                        ag_claim_words[kind], s_forms[kind].other);
        return false;
    }
    nodes[(*count)++] = other;
    return true;
}

/* All points are read even after one that is wrong, so that one run tells all mistakes. */
static bool read_points(ag_claim *claim, ag_experiment *experiment, const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    const ag_node *order = ag_node_get(map, "order");
    size_t room = order != NULL && order->kind == AG_NODE_LIST ? order->count + 2 : 2;
    const ag_node **nodes = ag_config_alloc(findings, room, sizeof(const ag_node *));
    if (nodes == NULL || !find_points(nodes, &claim->n_points, findings, map, claim->kind))
        return false;
    ag_axis_value *points =
        ag_config_alloc(findings, claim->n_points * experiment->n_axes, sizeof *points);
    if (points == NULL)
        return false;
    bool good = true;
    for (size_t i = 0; i < claim->n_points; i++)
        good = read_point(&points[i * experiment->n_axes], experiment, nodes[i]) && good;
    claim->points = points;
    return good;
}

/* --- what the grid holds */

/* The index of a point of an axis by its value, which was taken from there. */
static uint32_t point_of(const ag_axis_points *axis, const ag_axis_value *value)
{
    uint32_t i = 0;
    while (!ag_label_value_is(&axis->points[i].value, value))
        i++;
    return i;
}

/* An axis that the point does not name is left open: any value will do. */
static bool is_on(const ag_experiment *experiment, const uint32_t *tuple,
                  const ag_axis_value *point)
{
    for (size_t a = 0; a < experiment->n_axes; a++) {
        if (point[a].text != NULL && point_of(&experiment->axes[a], &point[a]) != tuple[a])
            return false;
    }
    return true;
}

/* Whether the combination that `tuple` is compared with is there. */
static bool has_partner(ag_experiment *experiment, const uint32_t *tuple,
                        const ag_axis_value *other, uint32_t *scratch)
{
    for (size_t a = 0; a < experiment->n_axes; a++)
        scratch[a] = other[a].text != NULL ? point_of(&experiment->axes[a], &other[a]) : tuple[a];
    return memcmp(scratch, tuple, experiment->n_axes * sizeof *tuple) != 0 &&
           ag_config_combination_find(experiment, scratch) != SIZE_MAX;
}

/* Whether some combination is on point i and has its partner on the next, where there is one. */
static bool is_in_grid(ag_experiment *experiment, const ag_claim *claim, size_t i,
                       uint32_t *scratch)
{
    const ag_axis_value *point = &claim->points[i * experiment->n_axes];
    for (size_t c = 0; c < experiment->n_combinations; c++) {
        const uint32_t *tuple = &experiment->tuples[c * experiment->n_axes];
        if (is_on(experiment, tuple, point) &&
            (i + 1 == claim->n_points ||
             has_partner(experiment, tuple, point + experiment->n_axes, scratch)))
            return true;
    }
    return false;
}

/* A point may be of the axes and yet not of the grid, where exclude took it away. */
static void check_grid(ag_experiment *experiment, const ag_claim *claim, ag_place place)
{
    ag_findings *findings = &experiment->findings;
    uint32_t *scratch = ag_config_alloc(findings, experiment->n_axes, sizeof *scratch);
    if (scratch == NULL || experiment->n_combinations == 0)
        return;
    if (claim->n_points == 1 && !is_in_grid(experiment, claim, 0, scratch))
        ag_config_error(findings, place,
                        "claim '%.60s': no combination of this grid is on its point (exclude takes "
                        "them away)",
                        claim->name);
    for (size_t i = 0; i + 1 < claim->n_points; i++) {
        if (is_in_grid(experiment, claim, i, scratch))
            continue;
        ag_config_error(findings, place,
                        "claim '%.60s': this grid has no two combinations on its points %zu and "
                        "%zu that agree on all other axes (exclude takes them away, or both are "
                        "one point)",
                        claim->name, i + 1, i + 2);
        return;
    }
}

/* --- the list */

/* Only the keys of its kind: `margin` beside `better` would be a misunderstanding. */
static void check_keys(ag_findings *findings, const ag_node *map, ag_claim_kind kind)
{
    const char *words[6] = {"name", "text", "source", ag_claim_words[kind]};
    size_t count = 4;
    if (s_forms[kind].other != NULL)
        words[count++] = s_forms[kind].other;
    words[count++] = s_forms[kind].bound;
    ag_node_check_keys(findings, map, words, count, "this claim");
}

/* Names tell claims apart in reports. */
static void read_name(ag_claim *claim, ag_findings *findings, const ag_node *map,
                      const ag_claim *before, size_t n_before)
{
    const ag_node *node = ag_node_get(map, "name");
    if (node == NULL) {
        ag_config_error(findings, map->place, "a claim needs a name, by which it is reported");
        return;
    }
    if (!ag_node_name(&claim->name, findings, node, "name"))
        return;
    for (size_t i = 0; i < n_before; i++) {
        if (before[i].name != NULL && strcmp(before[i].name, claim->name) == 0)
            ag_config_error(findings, node->place, "two claims are called '%.60s'", claim->name);
    }
}

/* The grid is asked only where the claim has no other fault: what follows from one need not be told
 * too. */
static void read_claim(ag_experiment *experiment, ag_claim *claims, size_t n_before,
                       const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    ag_claim *claim = &claims[n_before];
    size_t errors = findings->errors;
    *claim = (ag_claim){.text = "", .source = ""};
    if (!ag_node_is(findings, map, AG_NODE_MAP, "a claim"))
        return;
    claim->kind = find_kind(findings, map);
    if (claim->kind == AG_CLAIM_KINDS)
        return;
    check_keys(findings, map, claim->kind);
    read_name(claim, findings, map, claims, n_before);
    const ag_node *text = ag_node_get(map, "text");
    const ag_node *source = ag_node_get(map, "source");
    const ag_node *bound = ag_node_get(map, s_forms[claim->kind].bound);
    if (text != NULL)
        ag_node_name(&claim->text, findings, text, "text");
    if (source != NULL)
        ag_node_name(&claim->source, findings, source, "source");
    if (claim->kind == AG_CLAIM_SAME)
        claim->bound = experiment->grid.compare.margin;
    if (claim->kind == AG_CLAIM_DIVERGES)
        claim->bound = 0.5;
    if (bound != NULL)
        read_number(&claim->bound, findings, bound, &s_forms[claim->kind]);
    if (read_points(claim, experiment, map) && findings->errors == errors)
        check_grid(experiment, claim, map->place);
}

/* After the grid is made, since claims speak of its combinations. */
void ag_config_claims(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    const ag_node *list = ag_node_get(experiment->root, "claims");
    if (list == NULL || !ag_node_is(findings, list, AG_NODE_LIST, "claims"))
        return;
    if (list->count > MOST_CLAIMS) {
        ag_config_error(findings, list->place, "claims: at most %d", MOST_CLAIMS);
        return;
    }
    ag_claim *claims = ag_config_alloc(findings, list->count, sizeof *claims);
    for (size_t i = 0; i < list->count && claims != NULL && !ag_config_full(findings); i++)
        read_claim(experiment, claims, i, list->items[i]);
    experiment->grid.claims = claims;
    experiment->grid.n_claims = claims != NULL ? list->count : 0;
}
