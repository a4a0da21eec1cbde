/* Formats by step: `from` and `until` of a mapping, or a list of `phases`, of which each but the
 * last says where it ends. A step is a number or a share of train.steps, which an axis may change;
 * so two steps are compared here where both are of one kind, and all of them once a run is known.
 */
#include <inttypes.h>
#include <string.h>

#include "layer_formats.h"

enum { TO_THE_END = -1000000000 }; /* 100% */

/* --- one stage */

static bool read_step(int64_t *step, ag_findings *findings, const ag_node *node, const char *key)
{
    const char *text = NULL;
    if (!ag_node_text(&text, findings, node, key))
        return false;
    if (ag_steps_read(step, text))
        return true;
    ag_config_error(findings, node->place,
                    "%s: '%.60s' is no step: expected a whole number such as 1000, or a share of "
                    "train.steps such as 90%%",
                    key, text);
    return false;
}

/* Whether `a` is no later than `b` in every run; of a number and a share nobody knows. */
static bool is_not_after(int64_t a, int64_t b)
{
    if (a < 0 && b < 0)
        return a >= b;
    return a >= 0 && b >= 0 ? a <= b : a == 0;
}

/* A step as a user would write it. */
static const char *step_text(ag_findings *findings, int64_t step)
{
    const char *text = step < 0 ? ag_arena_printf(findings->arena, "%.9g%%", (double)step / -1e7)
                                : ag_arena_printf(findings->arena, "step %" PRId64, step);
    return text != NULL ? text : "";
}

/* `from` and `until` of a mapping, where it says them. False after an error. */
static bool read_steps(ag_stage *stage, ag_findings *findings, const ag_node *node)
{
    const ag_node *from = ag_node_get(node, "from");
    const ag_node *until = ag_node_get(node, "until");
    bool good = from == NULL || read_step(&stage->from, findings, from, "from");
    if (until == NULL || !read_step(&stage->until, findings, until, "until"))
        return good && until == NULL;
    if (good && is_not_after(stage->until, stage->from)) {
        ag_config_error(findings, until->place,
                        "until: %s is not after %s, where this begins, so that it would hold in "
                        "no step; give a later one",
                        step_text(findings, stage->until), step_text(findings, stage->from));
        return false;
    }
    return good;
}

bool ag_staged_set(ag_staged *staged, ag_findings *findings, const ag_layer_precision *precision)
{
    ag_stage *stage = ag_config_alloc(findings, 1, sizeof *stage);
    if (stage == NULL)
        return false;
    *stage = (ag_stage){.until = TO_THE_END, .precision = *precision};
    *staged = (ag_staged){1, stage};
    return true;
}

static bool parse_one(ag_staged *staged, ag_findings *findings, const ag_node *map)
{
    ag_layer_precision precision;
    bool good = ag_format_mapping(&precision, findings, map);
    if (!ag_staged_set(staged, findings, &precision))
        return false;
    const ag_node *from = ag_node_get(map, "from");
    const ag_node *until = ag_node_get(map, "until");
    staged->stages[0].place = from != NULL    ? from->place
                              : until != NULL ? until->place
                                              : map->place;
    return read_steps(&staged->stages[0], findings, map) && good;
}

/* --- phases */

/* Whatever stands beside the phases would have to hold in all of them, or in none. */
static bool check_beside(ag_findings *findings, const ag_node *map)
{
    static const char *const keys[] = {"name", "phases"};
    size_t errors = findings->errors;
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->keys[i]->text;
        if (strcmp(key, keys[0]) != 0 && strcmp(key, keys[1]) != 0 && !map->keys[i]->flawed)
            ag_config_error(findings, map->keys[i]->place,
                            "'%.60s' stands beside 'phases', each of which is a format of its "
                            "own: move it into those that it is meant for",
                            key);
    }
    return findings->errors == errors;
}

/* A phase is a format without a name and without phases of its own. */
static bool parse_format(ag_stage *stage, ag_findings *findings, const ag_node *node)
{
    if (node->kind != AG_NODE_MAP)
        return ag_format_named(&stage->precision, findings, node, "a phase");
    const ag_node *name = ag_node_get(node, "name");
    const ag_node *phases = ag_node_get(node, "phases");
    if (name != NULL)
        ag_config_error(findings, name->place,
                        "a phase has no name: the format that it is part of has one");
    if (phases != NULL)
        ag_config_error(findings, phases->place,
                        "a phase has no phases of its own: list all of them one after another");
    return name == NULL && phases == NULL && ag_format_mapping(&stage->precision, findings, node);
}

/* Each but the last says where it ends. */
static bool check_until(ag_findings *findings, const ag_node *node, bool is_last)
{
    const ag_node *until = ag_node_get(node, "until");
    if (is_last && until != NULL)
        ag_config_error(findings, until->place,
                        "the last phase lasts to the end of the run: leave 'until' out, or add a "
                        "phase for the steps after it, such as {all: null}");
    else if (!is_last && until == NULL)
        ag_config_error(findings, node->place,
                        "a phase that another one follows needs an 'until', the step at which "
                        "that one begins, such as 1000 or 90%%");
    return is_last == (until == NULL);
}

/* It begins where the one before ends, or later; BF16 lies between. */
static bool parse_phase(ag_stage *stage, int64_t begin, ag_findings *findings, const ag_node *node,
                        bool is_last)
{
    *stage = (ag_stage){.from = begin, .until = TO_THE_END, .place = node->place};
    bool good = parse_format(stage, findings, node);
    if (!check_until(findings, node, is_last) || !read_steps(stage, findings, node))
        return false;
    if (stage->from != begin && is_not_after(stage->from, begin)) {
        ag_config_error(findings, ag_node_get(node, "from")->place,
                        "phases overlap: this one begins at %s, the one before it ends at %s; "
                        "leave 'from' out, and it begins there",
                        step_text(findings, stage->from), step_text(findings, begin));
        return false;
    }
    return good;
}

static void warn_of_equals(ag_findings *findings, const ag_staged *staged, ag_place place)
{
    for (size_t i = 1; i < staged->n_stages; i++) {
        if (!ag_layer_precision_equal(&staged->stages[i].precision, &staged->stages[0].precision))
            return;
    }
    if (staged->n_stages > 1)
        ag_config_warning(findings, place,
                          "all phases are the same format: it does not change with the step");
}

static bool parse_phases(ag_staged *staged, ag_findings *findings, const ag_node *map)
{
    const ag_node *list = ag_node_get(map, "phases");
    bool good = check_beside(findings, map);
    if (!ag_node_is(findings, list, AG_NODE_LIST, "phases"))
        return false;
    if (list->count == 0 || list->count > AG_MAX_RULES) {
        ag_config_error(findings, list->place, "phases takes 1 to %d entries", AG_MAX_RULES);
        return false;
    }
    staged->stages = ag_config_alloc(findings, list->count, sizeof *staged->stages);
    if (staged->stages == NULL)
        return false;
    for (size_t i = 0; i < list->count && !ag_config_full(findings); i++) {
        int64_t begin = i == 0 ? 0 : staged->stages[i - 1].until;
        good = parse_phase(&staged->stages[staged->n_stages++], begin, findings, list->items[i],
                           i + 1 == list->count) &&
               good;
    }
    if (good)
        warn_of_equals(findings, staged, list->place);
    return good;
}

bool ag_format_staged(ag_staged *staged, ag_findings *findings, const ag_node *map)
{
    *staged = (ag_staged){0};
    if (ag_node_get(map, "phases") != NULL)
        return parse_phases(staged, findings, map);
    return parse_one(staged, findings, map);
}

/* --- in a run */

/* A run of no steps is one evaluation, of what its first step would have. */
static int64_t settled(int64_t step, int64_t steps)
{
    return ag_steps_settle(step, steps > 0 ? steps : 1);
}

/* The steps [*begin, *end) of a stage that follows one which ends at *end; none where a share lies
 * before a number that it was written behind. */
static void follow(int64_t *begin, int64_t *end, const ag_stage *stage, int64_t steps)
{
    int64_t from = settled(stage->from, steps);
    int64_t until = settled(stage->until, steps);
    *begin = from > *end ? from : *end;
    *end = until > *begin ? until : *begin;
}

const ag_layer_precision *ag_staged_at(const ag_staged *staged, int64_t step, int64_t steps)
{
    int64_t begin = 0;
    int64_t end = 0;
    for (size_t i = 0; i < staged->n_stages; i++) {
        ag_stage *stage = &staged->stages[i];
        follow(&begin, &end, stage, steps);
        if (step < begin || step >= end)
            continue;
        stage->held = true;
        return &stage->precision;
    }
    return NULL;
}

size_t ag_staged_bounds(int64_t *bounds, const ag_staged *staged, int64_t steps)
{
    int64_t begin = 0;
    int64_t end = 0;
    for (size_t i = 0; i < staged->n_stages; i++) {
        follow(&begin, &end, &staged->stages[i], steps);
        staged->stages[i].asked = true;
        bounds[2 * i] = begin;
        bounds[2 * i + 1] = end;
    }
    return 2 * staged->n_stages;
}

bool ag_staged_changes(const ag_staged *staged)
{
    return staged->n_stages > 1 ||
           (staged->n_stages == 1 &&
            (staged->stages[0].from != 0 || staged->stages[0].until != TO_THE_END));
}

void ag_staged_check(ag_findings *findings, const ag_staged *staged)
{
    for (size_t i = 0; i < staged->n_stages && ag_staged_changes(staged); i++) {
        const ag_stage *stage = &staged->stages[i];
        if (stage->asked && !stage->held)
            ag_config_warning(findings, stage->place,
                              "from %s until %s: this holds in no step of any run; see train.steps",
                              step_text(findings, stage->from), step_text(findings, stage->until));
    }
}
