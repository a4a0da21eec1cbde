/* Reads what grid.c writes: complete runs, labels and axes, of every version there was. The text
 * may be from a damaged file, or from somebody's editor: every index is checked, and every message
 * says where. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "params_internal.h"
#include "run/grid.h"

/* One entry of "layers": read when the first run needs it, whose model gives the names. In a grid
 * of many models the same entry may not serve two of them. */
typedef struct layer_set {
    const ag_layer_precision *layers; /* NULL while nobody asked */
    const ag_layer_precision *sites;
    int64_t n_layer;
} layer_set;

/* Everything is in the arena but the JSON, which goes when all is read. */
typedef struct reader {
    ag_grid *grid;
    ag_arena *arena;
    json_t *top;
    layer_set *sets;              /* one a member of "layers" */
    const ag_axis_value **values; /* [n_axes] -> the axis's values */
    size_t *n_values;             /* [n_axes] */
} reader;

/* Zeroed, and never NULL on success, also for a count of 0. */
static ag_status allocate(void *out, reader *r, size_t count, size_t size)
{
    void **memory = out;
    *memory = ag_arena_alloc(r->arena, count * size);
    return *memory != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* Copied, since the JSON's own goes with it. */
static ag_status copy_text(const char **out, reader *r, ag_json_at at, const char *key)
{
    AG_TRY(ag_json_text(out, at, key));
    *out = ag_arena_strdup(r->arena, *out);
    return *out != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* Borrowed from the JSON. */
static ag_status member_array(json_t **out, ag_json_at at, const char *key)
{
    AG_TRY(ag_json_member(out, at, key));
    if (!json_is_array(*out))
        return ag_fail(AG_ERR_INPUT, "%s.%s: expected an array, [...]", at.path, key);
    return AG_OK;
}

/* --- runs */

/* Keys of earlier versions, which no recorded number depends on. Results that have them must stay
 * readable; a key that is not listed is an error. */
static bool is_gone(const char *key)
{
    return strcmp(key, "run.blas_core") == 0;
}

/* Checked by the table like a user's own values: a grid that names what this version does not know
 * is of a later one, and is refused rather than misread. */
static ag_status read_settings(ag_run *run, ag_json_at at, ag_arena *arena)
{
    json_t *settings = NULL;
    AG_TRY(ag_json_member(&settings, at, "set"));
    if (!json_is_object(settings))
        return ag_fail(AG_ERR_INPUT, "%s.set: expected an object, {...}", at.path);
    for (void *i = json_object_iter(settings); i != NULL; i = json_object_iter_next(settings, i)) {
        const char *key = json_object_iter_key(i);
        const ag_param *param = ag_param_find(key);
        if (is_gone(key))
            continue;
        if (param == NULL)
            return ag_fail(AG_ERR_INPUT, "%s.set: unknown key '%.60s'", at.path, key);
        AG_TRY(ag_param_from_json(run, param, json_object_iter_value(i), arena));
    }
    return AG_OK;
}

/* A set is read once, for the first run that has it; others share the pointer, as they did when the
 * grid was made. `run` gets its layers and sites. */
static ag_status read_set(ag_run *run, reader *r, ag_json_at at, int64_t index)
{
    layer_set *set = &r->sets[index];
    if (set->layers == NULL) {
        char path[AG_KEY_PATH_SIZE];
        snprintf(path, sizeof path, "grid.layers[%" PRId64 "]", index);
        ag_json_at layers = {json_array_get(json_object_get(r->top, "layers"), (size_t)index),
                             path};
        AG_TRY(ag_layers_from_json(run, layers, r->arena));
        *set = (layer_set){run->layers, run->sites, run->model.n_layer};
    }
    if (set->n_layer != run->model.n_layer)
        return ag_fail(AG_ERR_INPUT,
                       "%s.layers: %" PRId64 " belongs to a model of %" PRId64
                       " blocks, this run has %" PRId64,
                       at.path, index, set->n_layer, run->model.n_layer);
    run->layers = set->layers;
    run->sites = set->sites;
    return AG_OK;
}

/* [first step, index of a set]. */
static ag_status read_phase(ag_phase *phase, const ag_run *run, reader *r, ag_json_at at,
                            int64_t after)
{
    json_t *from = json_array_get(at.object, 0);
    json_t *set = json_array_get(at.object, 1);
    json_int_t sets = (json_int_t)json_array_size(json_object_get(r->top, "layers"));
    if (!json_is_integer(from) || json_integer_value(from) <= after ||
        json_integer_value(from) >= run->train.steps || !json_is_integer(set) ||
        json_integer_value(set) < 0 || json_integer_value(set) >= sets)
        return ag_fail(AG_ERR_INPUT,
                       "%s.phases: expected [step, index of layers], steps rising from %" PRId64
                       " to %" PRId64,
                       at.path, after + 1, run->train.steps - 1);
    ag_run one = *run;
    AG_TRY(read_set(&one, r, at, json_integer_value(set)));
    *phase = (ag_phase){json_integer_value(from), one.layers, one.sites};
    return AG_OK;
}

/* Most runs have none but the first, for which there is no key. */
static ag_status read_phases(ag_run *run, reader *r, ag_json_at at)
{
    json_t *list = NULL;
    ag_phase *phases = NULL;
    run->n_phases = 0;
    run->phases = NULL;
    if (json_object_get(at.object, "phases") == NULL)
        return AG_OK;
    AG_TRY(member_array(&list, at, "phases"));
    AG_TRY(allocate(&phases, r, json_array_size(list), sizeof *phases));
    for (size_t i = 0; i < json_array_size(list); i++)
        AG_TRY(read_phase(&phases[i], run, r, (ag_json_at){json_array_get(list, i), at.path},
                          i == 0 ? 0 : phases[i - 1].from));
    run->n_phases = json_array_size(list);
    run->phases = phases;
    return AG_OK;
}

static ag_status read_layers(ag_run *run, reader *r, ag_json_at at)
{
    int64_t index = 0;
    json_int_t sets = (json_int_t)json_array_size(json_object_get(r->top, "layers"));
    AG_TRY(ag_json_whole(&index, at, "layers", 0, sets - 1));
    AG_TRY(read_set(run, r, at, index));
    return read_phases(run, r, at);
}

/* What a run does not say it has from the first, which must say everything. A grid whose first run
 * lacks something was cut or changed. */
static bool is_said(ag_json_at at, const char *key, bool is_first)
{
    return is_first || json_object_get(at.object, key) != NULL;
}

/* `run` begins as a copy of the first, or as the defaults. */
static ag_status read_run(ag_run *run, reader *r, ag_json_at at, bool is_first)
{
    static const char *const known[] = {"id",   "layers", "seed", "compute", "data",
                                        "init", "phases", "set",  "start",   NULL};
    AG_TRY(ag_json_known(at, known));
    AG_TRY(ag_json_hex(run->id, at, "id", AG_ID_LENGTH));
    AG_TRY(ag_json_whole(&run->seed, at, "seed", 0, AG_MAX_WHOLE));
    if (is_said(at, "compute", is_first)) {
        int compute = 0;
        AG_TRY(ag_json_word(&compute, at, "compute", ag_compute_words, AG_COMPUTES));
        run->compute = (ag_compute)compute;
    }
    if (is_said(at, "data", is_first)) {
        ag_json_at data = {NULL, "grid.runs[].data"};
        AG_TRY(ag_json_member(&data.object, at, "data"));
        AG_TRY(ag_facts_from_json(&run->facts, data));
    }
    if (is_said(at, "init", is_first))
        AG_TRY(ag_digest_from_json(run->init_digest, at, "init"));
    if (json_object_get(at.object, "start") != NULL)
        AG_TRY(ag_digest_from_json(run->start_digest, at, "start"));
    AG_TRY(read_settings(run, at, r->arena));
    return read_layers(run, r, at);
}

/* Keys that a file of an earlier version does not have keep their defaults through ag_run_defaults.
 */
static ag_status read_runs(reader *r)
{
    ag_json_at at = {r->top, "grid"};
    json_t *runs = NULL;
    json_t *layers = NULL;
    AG_TRY(member_array(&runs, at, "runs"));
    AG_TRY(member_array(&layers, at, "layers"));
    ag_grid *grid = r->grid;
    grid->n_runs = json_array_size(runs);
    AG_TRY(allocate(&grid->runs, r, grid->n_runs, sizeof *grid->runs));
    AG_TRY(allocate(&r->sets, r, json_array_size(layers), sizeof *r->sets));
    for (size_t i = 0; i < grid->n_runs; i++) {
        char path[AG_KEY_PATH_SIZE];
        snprintf(path, sizeof path, "grid.runs[%zu]", i);
        if (i == 0)
            ag_run_defaults(&grid->runs[0]);
        else
            grid->runs[i] = grid->runs[0];
        AG_TRY(read_run(&grid->runs[i], r, (ag_json_at){json_array_get(runs, i), path}, i == 0));
    }
    return AG_OK;
}

/* --- axes and labels */

static ag_status read_value(ag_axis_value *value, reader *r, ag_json_at at, ag_axis_type type)
{
    AG_TRY(copy_text(&value->text, r, at, "text"));
    if (type == AG_AXIS_INT)
        return ag_json_whole(&value->integer, at, "value", INT64_MIN, INT64_MAX);
    if (type == AG_AXIS_TEXT)
        return AG_OK;
    json_t *real = NULL;
    AG_TRY(ag_json_member(&real, at, "value"));
    if (!json_is_number(real))
        return ag_fail(AG_ERR_INPUT, "%s.value: expected a number", at.path);
    value->real = json_number_value(real);
    return AG_OK;
}

/* The values are kept apart, by index: labels refer to them. */
static ag_status read_axis(ag_axis *axis, reader *r, ag_json_at at, size_t index)
{
    json_t *texts = NULL;
    ag_axis_value *values = NULL;
    int type = 0;
    AG_TRY(copy_text(&axis->name, r, at, "name"));
    AG_TRY(ag_json_word(&type, at, "type", ag_axis_words, AG_AXIS_TYPES));
    axis->type = (ag_axis_type)type;
    AG_TRY(member_array(&texts, at, "values"));
    size_t count = json_array_size(texts);
    AG_TRY(allocate(&values, r, count, sizeof *values));
    for (size_t i = 0; i < count; i++)
        AG_TRY(
            read_value(&values[i], r, (ag_json_at){json_array_get(texts, i), at.path}, axis->type));
    r->values[index] = values;
    r->n_values[index] = count;
    return AG_OK;
}

static ag_status read_axes(reader *r)
{
    json_t *array = NULL;
    ag_axis *axes = NULL;
    AG_TRY(member_array(&array, (ag_json_at){r->top, "grid"}, "axes"));
    size_t count = json_array_size(array);
    AG_TRY(allocate(&axes, r, count, sizeof *axes));
    AG_TRY(allocate(&r->values, r, count, sizeof(const ag_axis_value *)));
    AG_TRY(allocate(&r->n_values, r, count, sizeof *r->n_values));
    r->grid->axes = axes;
    r->grid->n_axes = count;
    for (size_t i = 0; i < count; i++) {
        char path[AG_KEY_PATH_SIZE];
        snprintf(path, sizeof path, "grid.axes[%zu]", i);
        AG_TRY(read_axis(&axes[i], r, (ag_json_at){json_array_get(array, i), path}, i));
    }
    return AG_OK;
}

/* An index below `count`. Beyond it lies memory of something else. */
static ag_status read_index(size_t *out, json_t *value, size_t count, const char *where)
{
    json_int_t index = json_integer_value(value);
    if (!json_is_integer(value) || index < 0 || (uint64_t)index >= count)
        return ag_fail(AG_ERR_INPUT, "%s: expected an index below %zu", where, count);
    *out = (size_t)index;
    return AG_OK;
}

/* A run's index, then the index of a value for each axis. */
static ag_status read_label(ag_label *label, reader *r, json_t *array)
{
    size_t n_axes = r->grid->n_axes;
    ag_axis_value *values = NULL;
    size_t index = 0;
    if (json_array_size(array) != n_axes + 1)
        return ag_fail(AG_ERR_INPUT, "grid.labels: expected a run and %zu values each", n_axes);
    AG_TRY(read_index(&label->run, json_array_get(array, 0), r->grid->n_runs, "grid.labels[][0]"));
    AG_TRY(allocate(&values, r, n_axes, sizeof *values));
    for (size_t axis = 0; axis < n_axes; axis++) {
        json_t *value = json_array_get(array, axis + 1);
        AG_TRY(read_index(&index, value, r->n_values[axis], "grid.labels[][]"));
        values[axis] = r->values[axis][index];
    }
    label->values = values;
    return AG_OK;
}

static ag_status read_labels(reader *r)
{
    json_t *array = NULL;
    ag_label *labels = NULL;
    AG_TRY(member_array(&array, (ag_json_at){r->top, "grid"}, "labels"));
    size_t count = json_array_size(array);
    AG_TRY(allocate(&labels, r, count, sizeof *labels));
    for (size_t i = 0; i < count; i++)
        AG_TRY(read_label(&labels[i], r, json_array_get(array, i)));
    r->grid->labels = labels;
    r->grid->n_labels = count;
    return AG_OK;
}

/* The indices of a point's values, null where it does not name the axis; `what` has it. */
static ag_status read_point(ag_axis_value *point, reader *r, const json_t *array, const char *what)
{
    size_t index = 0;
    char each[64];
    snprintf(each, sizeof each, "%s[]", what);
    if (json_array_size(array) != r->grid->n_axes)
        return ag_fail(AG_ERR_INPUT, "%s: expected %zu values", what, r->grid->n_axes);
    for (size_t axis = 0; axis < r->grid->n_axes; axis++) {
        json_t *value = json_array_get(array, axis);
        if (json_is_null(value))
            continue;
        AG_TRY(read_index(&index, value, r->n_values[axis], each));
        point[axis] = r->values[axis][index];
    }
    return AG_OK;
}

static ag_status read_baseline(reader *r, ag_json_at at)
{
    json_t *array = NULL;
    ag_axis_value *values = NULL;
    AG_TRY(member_array(&array, at, "baseline"));
    AG_TRY(allocate(&values, r, r->grid->n_axes, sizeof *values));
    r->grid->compare.baseline = values;
    return read_point(values, r, array, "grid.compare.baseline");
}

static ag_status read_compare(reader *r)
{
    ag_json_at at = {NULL, "grid.compare"};
    json_t *margin = NULL;
    AG_TRY(ag_json_member(&at.object, (ag_json_at){r->top, "grid"}, "compare"));
    AG_TRY(copy_text(&r->grid->compare.metric, r, at, "metric"));
    AG_TRY(ag_json_member(&margin, at, "margin"));
    if (!json_is_number(margin))
        return ag_fail(AG_ERR_INPUT, "grid.compare.margin: expected a number");
    r->grid->compare.margin = json_number_value(margin);
    int family = AG_FAMILY_ALL; /* of grids that do not say */
    if (json_object_get(at.object, "family") != NULL)
        AG_TRY(ag_json_word(&family, at, "family", ag_family_words, AG_FAMILIES));
    r->grid->compare.family = (ag_family)family;
    return read_baseline(r, at);
}

static ag_status read_claim(ag_claim *claim, reader *r, json_t *object)
{
    ag_json_at at = {object, "grid.claims[]"};
    json_t *bound = NULL;
    json_t *array = NULL;
    ag_axis_value *points = NULL;
    int kind = 0;
    AG_TRY(copy_text(&claim->name, r, at, "name"));
    AG_TRY(copy_text(&claim->text, r, at, "text"));
    AG_TRY(copy_text(&claim->source, r, at, "source"));
    AG_TRY(ag_json_word(&kind, at, "kind", ag_claim_words, AG_CLAIM_KINDS));
    AG_TRY(ag_json_member(&bound, at, "bound"));
    AG_TRY(member_array(&array, at, "points"));
    if (!json_is_number(bound))
        return ag_fail(AG_ERR_INPUT, "grid.claims[].bound: expected a number");
    claim->kind = (ag_claim_kind)kind;
    claim->bound = json_number_value(bound);
    claim->n_points = json_array_size(array);
    if (claim->n_points < (claim->kind == AG_CLAIM_DIVERGES ? 1 : 2))
        return ag_fail(AG_ERR_INPUT, "grid.claims[].points: too few for a claim of its kind");
    AG_TRY(allocate(&points, r, claim->n_points * r->grid->n_axes, sizeof *points));
    for (size_t i = 0; i < claim->n_points; i++)
        AG_TRY(read_point(&points[i * r->grid->n_axes], r, json_array_get(array, i),
                          "grid.claims[].points[]"));
    claim->points = points;
    return AG_OK;
}

static ag_status read_claims(reader *r)
{
    json_t *array = json_object_get(r->top, "claims");
    ag_claim *claims = NULL;
    if (array == NULL)
        return AG_OK;
    if (!json_is_array(array))
        return ag_fail(AG_ERR_INPUT, "grid.claims: expected an array, [...]");
    AG_TRY(allocate(&claims, r, json_array_size(array), sizeof *claims));
    for (size_t i = 0; i < json_array_size(array); i++)
        AG_TRY(read_claim(&claims[i], r, json_array_get(array, i)));
    r->grid->claims = claims;
    r->grid->n_claims = json_array_size(array);
    return AG_OK;
}

static ag_status read_seeds(reader *r)
{
    enum { MOST = 10000 }; /* as many as an axis may have */
    static const char *const known[] = {"from", "at_most", NULL};
    ag_json_at at = {json_object_get(r->top, "seeds"), "grid.seeds"};
    const ag_axis *last = r->grid->n_axes > 0 ? &r->grid->axes[r->grid->n_axes - 1] : NULL;
    if (at.object == NULL)
        return AG_OK;
    AG_TRY(ag_json_known(at, known));
    if (last == NULL || last->type != AG_AXIS_INT || strcmp(last->name, "seed") != 0)
        return ag_fail(AG_ERR_INPUT, "grid.seeds: the last axis is not 'seed'");
    AG_TRY(ag_json_whole(&r->grid->seeds.at_most, at, "at_most", 2, MOST));
    return ag_json_whole(&r->grid->seeds.from, at, "from", 2, r->grid->seeds.at_most);
}

/* In version 1, val_loss was the loss of the whole validation part. The experiment's author meant
 * that loss, and gets it. */
static void name_final_loss(ag_compare *compare)
{
    if (strcmp(compare->metric, "val_loss") == 0)
        compare->metric = "final_val_loss";
    if (strcmp(compare->metric, "val_loss_hp") == 0)
        compare->metric = "final_val_loss_hp";
}

/* Before version 3 there was one version of the numerics, and nothing said so. A version that this
 * program does not know cannot be in a grid that it wrote. */
static ag_status read_numerics(ag_grid *grid, ag_json_at at, int64_t version)
{
    grid->numerics = 1;
    if (version < 3)
        return AG_OK;
    return ag_json_whole(&grid->numerics, at, "numerics", 1, AG_NUMERICS_VERSION);
}

/* The version first: it decides what the rest may mean. */
static ag_status read_grid(reader *r)
{
    static const char *const known[] = {"altgrad_grid", "numerics", "name",  "yaml",
                                        "axes",         "layers",   "runs",  "labels",
                                        "compare",      "claims",   "seeds", NULL};
    ag_json_at at = {r->top, "grid"};
    int64_t version = 0;
    AG_TRY(ag_json_whole(&version, at, "altgrad_grid", 0, AG_MAX_WHOLE));
    if (version < 1 || version > AG_GRID_VERSION)
        return ag_fail(AG_ERR_INPUT, "grid: version %" PRId64 ", this program reads 1 to %d",
                       version, AG_GRID_VERSION);
    AG_TRY(ag_json_known(at, known));
    AG_TRY(read_numerics(r->grid, at, version));
    AG_TRY(copy_text(&r->grid->name, r, at, "name"));
    AG_TRY(copy_text(&r->grid->yaml, r, at, "yaml"));
    AG_TRY(read_axes(r));
    AG_TRY(read_runs(r));
    AG_TRY(read_labels(r));
    AG_TRY(read_compare(r));
    AG_TRY(read_claims(r));
    AG_TRY(read_seeds(r));
    if (version == 1)
        name_final_loss(&r->grid->compare);
    return AG_OK;
}

ag_status ag_grid_from_json(ag_grid *grid, const char *text, size_t size, ag_arena *arena)
{
    *grid = (ag_grid){0};
    reader r = {.grid = grid, .arena = arena};
    AG_TRY(ag_json_parse(&r.top, text, size, "the grid"));
    ag_status status = read_grid(&r);
    json_decref(r.top);
    return status;
}
