/* seeds: {from: 3, until: decided, at_most: 20}. The axis has all seeds that there may be, so that
 * every id is known beforehand; how many of them a comparison takes is decided while it is trained,
 * and what each round may take is judged by its first seeds. So all points of the grid must have
 * the same seeds. */
#include "seed_rounds.h"

#include <string.h>

static const char s_example[] = "{from: 3, until: decided, at_most: 20}";

/* A member that must be there. */
static const ag_node *need(ag_findings *findings, const ag_node *map, const char *key,
                           const char *what)
{
    const ag_node *node = ag_node_get(map, key);
    if (node == NULL)
        ag_config_error(findings, map->place, "seeds: '%s' is missing, %s, as in %s", key, what,
                        s_example);
    return node;
}

/* The only word there is: what else might end it is not known. */
static bool check_until(ag_findings *findings, const ag_node *node)
{
    const char *word;
    if (!ag_node_text(&word, findings, node, "seeds: until"))
        return false;
    if (strcmp(word, "decided") == 0)
        return true;
    ag_config_error(findings, node->place, "seeds: until takes 'decided', not '%.60s', as in %s",
                    word, s_example);
    return false;
}

static bool read_count(int64_t *count, ag_findings *findings, const ag_node *node, const char *what)
{
    if (!ag_node_int(count, findings, node, what))
        return false;
    if (*count >= 2 && *count <= AG_MAX_POINTS)
        return true;
    ag_config_error(findings, node->place,
                    "%s: %lld is out of range: expected 2 to %d seeds (one has no interval)", what,
                    (long long)*count, AG_MAX_POINTS);
    return false;
}

bool ag_config_rounds_are_meant(const ag_node *map)
{
    return ag_node_get(map, "until") != NULL || ag_node_get(map, "at_most") != NULL;
}

/* Every member is read, so that all mistakes are told at once. */
void ag_config_rounds_read(ag_axis_points *axis, ag_experiment *experiment, const ag_node *map)
{
    static const char *const keys[] = {"from", "until", "at_most"};
    ag_findings *findings = &experiment->findings;
    ag_seed_rounds rounds = {.from = 3};
    ag_node_check_keys(findings, map, keys, sizeof keys / sizeof keys[0],
                       "seeds {from, until, at_most}");
    const ag_node *from = ag_node_get(map, "from");
    const ag_node *until = need(findings, map, "until", "which says when a comparison has enough");
    const ag_node *at_most = need(findings, map, "at_most", "the most that a comparison may take");
    bool good = until != NULL && check_until(findings, until);
    if (from != NULL)
        good = read_count(&rounds.from, findings, from, "seeds: from") && good;
    if (at_most == NULL || !read_count(&rounds.at_most, findings, at_most, "seeds: at_most") ||
        !good)
        return;
    if (rounds.from > rounds.at_most) {
        ag_config_error(findings, from != NULL ? from->place : at_most->place,
                        "seeds: from %lld, the seeds of the first round, is above at_most %lld",
                        (long long)rounds.from, (long long)rounds.at_most);
        return;
    }
    for (int64_t seed = 0; seed < rounds.at_most; seed++)
        ag_axis_add_seed(axis, findings, seed, map->place);
    experiment->grid.seeds = rounds;
}

/* --- what goes with it */

/* Which seeds a point has is not for the file to say. */
static void refuse_seed_in(ag_experiment *experiment, const char *key)
{
    const ag_node *list = ag_node_get(experiment->root, key);
    for (size_t i = 0; list != NULL && list->kind == AG_NODE_LIST && i < list->count; i++) {
        const ag_node *seed =
            list->items[i]->kind == AG_NODE_MAP ? ag_node_get(list->items[i], "seed") : NULL;
        if (seed != NULL)
            ag_config_error(
                &experiment->findings, seed->place,
                "%s names a seed, but with 'seeds: {until: decided}' the results decide "
                "which seeds each point has: leave 'seed' out, or give 'seeds' a number",
                key);
    }
}

void ag_config_rounds_check(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    const ag_axis_points *seeds = &experiment->axes[experiment->n_axes - 1];
    const ag_compare *compare = &experiment->grid.compare;
    if (experiment->grid.seeds.at_most == 0)
        return;
    refuse_seed_in(experiment, "exclude");
    refuse_seed_in(experiment, "include");
    if (compare->baseline[experiment->n_axes - 1].text != NULL)
        ag_config_error(
            findings, experiment->baseline_place,
            "compare.baseline names a seed, but with 'seeds: {until: decided}' runs are "
            "paired by seed: leave 'seed' out");
    if (!experiment->has_baseline && experiment->grid.n_claims == 0)
        ag_config_error(findings, seeds->place,
                        "seeds: nothing can be decided: no format leaves everything in BF16, "
                        "compare.baseline names none to compare with, and there are no claims; say "
                        "one of them, or give 'seeds' a number");
    else if (experiment->has_baseline && !(compare->margin > 0))
        ag_config_warning(
            findings, seeds->place,
            "seeds: with a compare.margin of 0 no verdict is 'same', so what does not "
            "differ takes all %lld seeds; compare.margin says which difference "
            "matters",
            (long long)experiment->grid.seeds.at_most);
}
