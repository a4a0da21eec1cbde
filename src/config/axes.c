/* The axes of the grid and their points: format, layers, those under `axes`, seed. An axis has the
 * points that are multiplied, and behind them those that an include adds.
 *
 * Points are compared by their canonical text, so that 1e-3 and 0.001 are one; the text that the
 * user wrote is kept for labels, since that is what he will look for in the results. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config_internal.h"
#include "seed_rounds.h"

ag_point *ag_axis_add(ag_axis_points *axis, ag_findings *findings, const ag_point *point)
{
    if (axis->n_points == AG_MAX_POINTS) {
        ag_config_error(findings, axis->place, "axis '%.60s' has more than %d points", axis->name,
                        AG_MAX_POINTS);
        return NULL;
    }
    void *points = axis->points;
    if (!ag_config_grow(&points, &axis->capacity, findings, axis->n_points, sizeof *point))
        return NULL;
    axis->points = points;
    axis->points[axis->n_points] = *point;
    return &axis->points[axis->n_points++];
}

typedef struct wanted_point {
    const ag_axis_points *axis;
    const char *canonical;
} wanted_point;

static bool same_point(const void *context, size_t value)
{
    const wanted_point *wanted = context;
    return strcmp(wanted->axis->points[value].canonical, wanted->canonical) == 0;
}

/* The same point twice would train every run twice and halve the apparent uncertainty. By hash, as
 * an axis may have thousands of points. */
static void check_duplicates(const ag_axis_points *axis, ag_findings *findings)
{
    ag_index index;
    if (!ag_index_init(&index, axis->n_points, findings))
        return;
    for (size_t i = 0; i < axis->n_points; i++) {
        const char *canonical = axis->points[i].canonical;
        wanted_point wanted = {axis, canonical};
        size_t *slot =
            ag_index_find(&index, ag_index_hash(canonical, strlen(canonical)), same_point, &wanted);
        if (*slot != 0)
            ag_config_error(findings, axis->points[i].place,
                            "axis '%.60s' has the point '%.60s' twice", axis->name,
                            axis->points[i].value.text);
        *slot = i + 1;
    }
}

/* --- format, layers */

/* Labels of formats are compared whatever their case, as names of formats are. */
static const char *lower_case(ag_findings *findings, const char *text)
{
    char *copy = ag_arena_strdup(findings->arena, text);
    findings->out_of_memory |= copy == NULL;
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return copy;
}

bool ag_axis_add_format(ag_axis_points *axis, ag_findings *findings, const ag_format_entry *entry)
{
    ag_point point = {.value = {.text = entry->label},
                      .canonical = lower_case(findings, entry->label),
                      .place = entry->place};
    return point.canonical != NULL && ag_axis_add(axis, findings, &point) != NULL;
}

/* Point i of this axis is entry i of `formats`. Where an entry had no name, points are missing and
 * other messages about the axis would mislead: it counts as broken. */
static void make_format_axis(ag_axis_points *axis, ag_experiment *experiment)
{
    *axis = (ag_axis_points){.name = "format", .kind = AG_AXIS_FORMAT};
    for (size_t i = 0; i < experiment->n_formats; i++)
        ag_axis_add_format(axis, &experiment->findings, &experiment->formats[i]);
    axis->broken = experiment->formats_unnamed;
}

static void make_layers_axis(ag_axis_points *axis, ag_experiment *experiment)
{
    *axis = (ag_axis_points){.name = "layers", .kind = AG_AXIS_LAYERS};
    for (size_t i = 0; i < experiment->layer_configs.count; i++) {
        const ag_layer_config *config = &experiment->layer_configs.items[i];
        ag_point point = {
            .value = {.text = config->name}, .canonical = config->name, .place = config->place};
        ag_axis_add(axis, &experiment->findings, &point);
    }
}

/* --- seed */

#define LAST_SEED (INT64_C(1) << 53) /* every whole number up to here survives JSON */

bool ag_axis_add_seed(ag_axis_points *axis, ag_findings *findings, int64_t seed, ag_place place)
{
    const char *text = ag_arena_printf(findings->arena, "%" PRId64, seed);
    findings->out_of_memory |= text == NULL;
    ag_point point = {
        .value = {.text = text, .integer = seed},
          .canonical = text, .place = place
    };
    return text != NULL && ag_axis_add(axis, findings, &point) != NULL;
}

bool ag_axis_seed(int64_t *seed, ag_findings *findings, const ag_node *node)
{
    if (!ag_node_int(seed, findings, node, "seed"))
        return false;
    if (*seed >= 0 && *seed <= LAST_SEED)
        return true;
    ag_config_error(findings, node->place, "seed: %" PRId64 " is out of range: expected 0 to 2^53",
                    *seed);
    return false;
}

/* "0-4" or "0:4", as people write a range: the message says what to write instead. */
static bool check_dash(ag_findings *findings, const ag_node *node)
{
    long first = 0;
    long last = 0;
    int read = 0;
    char between[3] = "";
    if (node->kind != AG_NODE_SCALAR ||
        sscanf(node->text, "%18ld%2[-.: ]%18ld%n", &first, between, &last, &read) != 3 ||
        strcmp(between, ".") == 0 || strcmp(between, " ") == 0 || /* 1.5 */
        node->text[read] != '\0' || first < 0 || last < first)
        return true;
    ag_config_error(
        findings, node->place,
        "seeds: '%.60s' is not a number of seeds; for the seeds %ld to %ld write {from: "
        "%ld, count: %ld}",
        node->text, first, last, first, last - first + 1);
    return false;
}

/* `seeds: 5` means the seeds 0 to 4, so that raising the number keeps the runs that are there. */
static void add_seed_range(ag_axis_points *axis, ag_findings *findings, int64_t from,
                           const ag_node *node)
{
    int64_t count = 0;
    if (!check_dash(findings, node) || !ag_node_int(&count, findings, node, "seeds"))
        return;
    if (count < 1 || count > AG_MAX_POINTS) {
        ag_config_error(findings, node->place,
                        "seeds: %" PRId64 " is out of range: expected 1 to %d seeds", count,
                        AG_MAX_POINTS);
        return;
    }
    if (from > LAST_SEED - (count - 1)) {
        ag_config_error(findings, node->place,
                        "seeds: %" PRId64 " seeds from %" PRId64 " on go beyond the largest, 2^53",
                        count, from);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        ag_axis_add_seed(axis, findings, from + i, node->place);
}

/* {from: 10, count: 6}: seeds of their own for a second experiment. */
static void add_seed_map(ag_axis_points *axis, ag_findings *findings, const ag_node *node)
{
    static const char *const keys[] = {"from", "count"};
    ag_node_check_keys(findings, node, keys, 2, "seeds");
    const ag_node *from_node = ag_node_get(node, "from");
    const ag_node *count = ag_node_get(node, "count");
    int64_t from = 0;
    if (from_node != NULL && !ag_axis_seed(&from, findings, from_node))
        return;
    if (count == NULL)
        ag_config_error(findings, node->place,
                        "seeds: 'count' is missing, as in {from: 10, "
                        "count: 6}");
    else
        add_seed_range(axis, findings, from, count);
}

/* A number, a list, or a range. Without `seeds` there is one, 0. */
static void make_seed_axis(ag_axis_points *axis, ag_experiment *experiment)
{
    *axis = (ag_axis_points){.name = "seed", .kind = AG_AXIS_SEED, .type = AG_AXIS_INT};
    ag_findings *findings = &experiment->findings;
    const ag_node *node = ag_node_get(experiment->root, "seeds");
    size_t errors = findings->errors;
    if (node == NULL) {
        ag_axis_add_seed(axis, findings, 0, (ag_place){0});
        return;
    }
    axis->place = node->place;
    if (node->kind == AG_NODE_LIST) {
        for (size_t i = 0; i < node->count && !ag_config_full(findings); i++) {
            int64_t seed = 0;
            if (ag_axis_seed(&seed, findings, node->items[i]))
                ag_axis_add_seed(axis, findings, seed, node->items[i]->place);
        }
        if (node->count == 0)
            ag_config_error(findings, node->place, "seeds: the list is empty");
    } else if (node->kind == AG_NODE_MAP) {
        if (ag_config_rounds_are_meant(node))
            ag_config_rounds_read(axis, experiment, node);
        else
            add_seed_map(axis, findings, node);
    } else {
        add_seed_range(axis, findings, 0, node);
    }
    axis->broken = findings->errors != errors;
}

/* --- axes of parameters */

/* Only what changes the result of a run can be an axis: points of anything else would be one run
 * with several labels. */
static bool may_be_axis(ag_findings *findings, const ag_param *param, ag_place place)
{
    if (param->use == AG_PARAM_USE_IDENTITY || param->use == AG_PARAM_USE_DATA)
        return true;
    ag_config_error(findings, place, "%s cannot be an axis: it does not change what a run computes",
                    param->key);
    return false;
}

/* The number of a point, for tables and plots; texts have none. */
static void set_value(ag_point *point, const ag_setting *setting, const ag_axis_points *axis)
{
    if (axis->type == AG_AXIS_INT)
        memcpy(&point->value.integer, setting->value, sizeof point->value.integer);
    if (axis->type == AG_AXIS_REAL)
        memcpy(&point->value.real, setting->value, sizeof point->value.real);
}

/* The value goes through a scratch run and back to text, which makes it canonical: the one place
 * that knows how a parameter is written is the table of parameters. */
bool ag_axis_param_point(ag_point *point, ag_experiment *experiment, const ag_axis_points *axis,
                         const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    ag_setting *setting = ag_config_alloc(findings, 1, sizeof *setting);
    if (setting == NULL || !ag_config_setting(setting, experiment, axis->param, node))
        return false;
    *point = (ag_point){.place = node->place, .n_settings = 1, .settings = setting};
    ag_run scratch = {0};
    ag_setting_apply(&scratch, setting);
    point->canonical = ag_param_get(&scratch, axis->param, &experiment->arena);
    if (node->kind == AG_NODE_MAP)
        point->value.text = ag_config_where_label(findings, node);
    else if (node->kind == AG_NODE_SCALAR)
        point->value.text = node->text;
    else
        point->value.text = ag_node_param_text(findings, node, axis->param);
    set_value(point, setting, axis);
    findings->out_of_memory |= point->canonical == NULL;
    return point->canonical != NULL && point->value.text != NULL;
}

static ag_axis_type type_of(const ag_param *param)
{
    if (param->type == AG_PARAM_INT || param->type == AG_PARAM_STEPS)
        return AG_AXIS_INT;
    return param->type == AG_PARAM_REAL ? AG_AXIS_REAL : AG_AXIS_TEXT;
}

/* The values of a parameter, each a point with one setting. */
static void make_param_axis(ag_axis_points *axis, ag_experiment *experiment, const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    axis->kind = AG_AXIS_PARAM;
    axis->type = type_of(axis->param);
    if (!may_be_axis(findings, axis->param, axis->place))
        return;
    if (node->kind != AG_NODE_LIST || node->count == 0) {
        ag_config_error(findings, node->place, "axis '%s' needs a list of values, such as [%s]",
                        axis->name, axis->param->default_text);
        return;
    }
    for (size_t i = 0; i < node->count && !ag_config_full(findings); i++) {
        ag_point point;
        if (ag_axis_param_point(&point, experiment, axis, node->items[i]))
            ag_axis_add(axis, findings, &point);
    }
}

/* --- named axes */

/* A setting of a point that has several, such as {model.n_layer: 2, model.n_embd: 64}. */
static bool named_setting(ag_setting *setting, ag_experiment *experiment, const ag_node *key,
                          const ag_node *value)
{
    ag_findings *findings = &experiment->findings;
    const ag_param *param = ag_param_find(key->text);
    if (param == NULL) {
        ag_config_error(findings, key->place, "there is not a parameter '%.60s'%s", key->text,
                        ag_config_param_hint(findings, key->text));
        return false;
    }
    return may_be_axis(findings, param, key->place) &&
           ag_config_setting(setting, experiment, param, value);
}

/* The name of a point is a label; its value, a mapping, sets several parameters at once. */
static void add_named_point(ag_axis_points *axis, ag_experiment *experiment, const ag_node *key,
                            const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    const char *name = key->text;
    if (!ag_node_name(&name, findings, key, "a point's name") ||
        !ag_node_is(findings, map, AG_NODE_MAP, "a point of a named axis"))
        return;
    ag_setting *settings = ag_config_alloc(findings, map->count, sizeof *settings);
    if (settings == NULL)
        return;
    ag_point point = {.value = {.text = key->text},
                      .canonical = key->text,
                      .place = key->place,
                      .settings = settings};
    for (size_t i = 0; i < map->count; i++)
        point.n_settings +=
            named_setting(&settings[point.n_settings], experiment, map->keys[i], map->items[i]);
    ag_axis_add(axis, findings, &point);
}

/* A word that is no parameter names an axis whose points bundle settings. Most often it is a
 * misspelt parameter, so the message has both. */
static void make_named_axis(ag_axis_points *axis, ag_experiment *experiment, const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    axis->kind = AG_AXIS_NAMED;
    if (node->kind != AG_NODE_MAP || node->count == 0) {
        ag_config_error(findings, axis->place,
                        "'%.60s' is not a parameter%s (a named axis takes points such as 'small: "
                        "{model.n_layer: 2}')",
                        axis->name, ag_config_param_hint(findings, axis->name));
        return;
    }
    const char *full = ag_arena_printf(findings->arena, "%s.%s", axis->name, node->keys[0]->text);
    if (full != NULL && ag_param_find(full) != NULL) {
        ag_config_error(findings, node->keys[0]->place,
                        "an axis has the whole key as its name, as in '%s: [...]'", full);
        return;
    }
    for (size_t i = 0; i < node->count && !ag_config_full(findings); i++)
        add_named_point(axis, experiment, node->keys[i], node->items[i]);
}

/* Names of axes become columns of the results, beside those that are there anyway. */
static bool check_axis_name(ag_findings *findings, const ag_node *key)
{
    static const char *const taken[] = {"format", "layers", "seed",   "id",   "label",
                                        "run",    "status", "reason", "steps"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(key->text, taken[i]) == 0) {
            ag_config_error(findings, key->place,
                            "an axis may not be called '%s': that name has "
                            "its own meaning",
                            key->text);
            return false;
        }
    }
    const char *name = NULL;
    return ag_node_name(&name, findings, key, "an axis' name");
}

/* An axis with errors keeps its place: exclude and include may name it, and are not to complain. */
static void make_axis(ag_experiment *experiment, const ag_node *key, const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    size_t errors = findings->errors;
    if (!check_axis_name(findings, key)) {
        experiment->axes_broken = true;
        return;
    }
    ag_axis_points *axis = &experiment->axes[experiment->n_axes++];
    *axis = (ag_axis_points){.name = key->text, .place = key->place};
    axis->param = ag_param_find(key->text);
    if (axis->param != NULL)
        make_param_axis(axis, experiment, node);
    else
        make_named_axis(axis, experiment, node);
    axis->broken = findings->errors != errors;
}

/* --- one owner per parameter */

/* Notes who sets a parameter: with two owners the order of axes would decide, unseen. */
static void claim(ag_experiment *experiment, const ag_axis_points **owners,
                  const ag_axis_points *axis, const ag_setting *setting)
{
    size_t count = 0;
    size_t index = (size_t)(setting->param - ag_params(&count));
    if (owners[index] != NULL && owners[index] != axis)
        ag_config_error(&experiment->findings, axis->place, "axes '%s' and '%s' both set %s",
                        owners[index]->name, axis->name, setting->param->key);
    owners[index] = axis;
    if (experiment->on_command_line[index])
        ag_config_error(&experiment->findings, experiment->param_places[index],
                        "--set %s: axis '%s' sets this key; choose its points with --only instead",
                        setting->param->key, axis->name);
}

static void check_owners(ag_experiment *experiment)
{
    size_t n_params = 0;
    ag_params(&n_params);
    const ag_axis_points **owners =
        ag_config_alloc(&experiment->findings, n_params, sizeof(const ag_axis_points *));
    for (size_t a = 0; a < experiment->n_axes && owners != NULL; a++) {
        const ag_axis_points *axis = &experiment->axes[a];
        for (size_t p = 0; p < axis->n_points; p++) {
            for (size_t s = 0; s < axis->points[p].n_settings; s++)
                claim(experiment, owners, axis, &axis->points[p].settings[s]);
        }
    }
}

/* The order is fixed: format, layers, the axes of the file, seed. Labels and tables show it. */
void ag_config_axes(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    const ag_node *node = ag_node_get(experiment->root, "axes");
    if (node != NULL && !ag_node_is(findings, node, AG_NODE_MAP, "axes")) {
        experiment->axes_broken = true;
        node = NULL;
    }
    size_t more = node != NULL ? node->count : 0;
    if (more > AG_MAX_AXES) {
        ag_config_error(findings, node->place, "at most %d axes", AG_MAX_AXES);
        more = 0;
    }
    experiment->axes = ag_config_alloc(findings, more + 3, sizeof *experiment->axes);
    if (experiment->axes == NULL)
        return;
    make_format_axis(&experiment->axes[AG_FORMAT_AXIS], experiment);
    make_layers_axis(&experiment->axes[AG_LAYERS_AXIS], experiment);
    experiment->n_axes = 2;
    for (size_t i = 0; i < more; i++)
        make_axis(experiment, node->keys[i], node->items[i]);
    make_seed_axis(&experiment->axes[experiment->n_axes++], experiment);
    for (size_t i = 0; i < experiment->n_axes; i++) {
        check_duplicates(&experiment->axes[i], findings);
        experiment->axes[i].n_grid = experiment->axes[i].n_points;
        experiment->axes_broken |= experiment->axes[i].broken;
    }
    check_owners(experiment);
}
