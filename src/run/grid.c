/* Writes a grid as JSON. Thousands of runs differ in little: the first is written in full, the
 * others as what differs from it; layers that runs share, and the values of each axis, are written
 * once and named by their index.
 *
 *   {"altgrad_grid": 3, "numerics", "name", "yaml",
 *    "axes":    [{"name", "type", "values": [{"text", "value"}, ...]}, ...],
 *    "layers":  [{layer: ...}, ...],
 *    "runs":    [{"id", "layers": index, "phases": [[first step, index], ...], "seed", "compute",
 *                 "data", "init", "set": {key: value}}],
 *    "labels":  [[run, value index of each axis], ...],
 *    "compare": {"baseline": [value index or null, ...], "metric", "margin", "family"},
 *    "claims":  [{"name", "text", "source", "kind", "bound", "points": [[value index or null, ...],
 *                 ...]}],                                                   where there are any
 *    "seeds":   {"from", "at_most"}}                                        where they come in
 * rounds */
#include "run/grid.h"

#include <inttypes.h>
#include <string.h>

#include "params_internal.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/run_json.h"

const char *const ag_axis_words[AG_AXIS_TYPES] = {"text", "int", "real"};

const char *const ag_family_words[AG_FAMILIES + 1] = {"all", "none", NULL};

const char *const ag_claim_words[AG_CLAIM_KINDS] = {"better", "worse", "same", "order", "diverges"};

/* The distinct values of one axis, in the order of their first label. */
typedef struct value_list {
    size_t count;
    const ag_axis_value **values; /* [n_labels + 1] */
} value_list;

/* The layers and sites of a phase of a run. */
typedef struct layer_set {
    const ag_run *run;
    size_t phase;
} layer_set;

typedef struct writer {
    ag_text *text;
    const ag_grid *grid;
    value_list *axes;  /* [n_axes] */
    size_t n_layers;   /* sets of layers that are not shared */
    layer_set *layers; /* [phases of all runs]: a phase that has them */
} writer;

/* From the end: labels that follow each other mostly share their values. By text, because that is
 * what tells two points of an axis apart for the user. */
static size_t value_index(value_list *list, const ag_axis_value *value)
{
    for (size_t i = list->count; i-- > 0;) {
        if (strcmp(list->values[i]->text, value->text) == 0)
            return i;
    }
    list->values[list->count] = value;
    return list->count++;
}

/* By pointer: config makes one set of layers for all runs of a format and layer config, and
 * comparing thousands of sets by value would take longer than training some of the runs. */
static bool share_layers(const ag_run *a, const layer_set *set)
{
    ag_run b = ag_run_in_phase(set->run, set->phase);
    return a->layers == b.layers && a->sites == b.sites && a->model.n_layer == b.model.n_layer;
}

static size_t layers_index(writer *w, const ag_run *run, size_t phase)
{
    ag_run one = ag_run_in_phase(run, phase);
    for (size_t i = w->n_layers; i-- > 0;) {
        if (share_layers(&one, &w->layers[i]))
            return i;
    }
    w->layers[w->n_layers] = (layer_set){run, phase};
    return w->n_layers++;
}

/* --- runs */

/* As bytes, but for texts: what differs in a bit of a double is another value, and reads back so.
 */
static bool is_same_value(const ag_run *a, const ag_run *b, const ag_param *param)
{
    const char *left = (const char *)a + param->offset;
    const char *right = (const char *)b + param->offset;
    switch (param->type) {
    case AG_PARAM_TEXT:
    case AG_PARAM_FORMAT:
        return strcmp(*(const char *const *)left, *(const char *const *)right) == 0;
    case AG_PARAM_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case AG_PARAM_PAIR:
        return memcmp(left, right, 2 * sizeof(double)) == 0;
    case AG_PARAM_STEP_LIST:
        return memcmp(left, right, sizeof(ag_step_list)) == 0;
    default:
        return memcmp(left, right, sizeof(int64_t)) == 0;
    }
}

/* Everything for the first run, even defaults: a later version may have other defaults, and this
 * grid must still mean what it meant. */
static void add_settings(ag_text *text, const ag_run *run, const ag_run *first)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    const char *before = "\"";
    ag_text_add(text, ",\"set\":{");
    for (size_t i = 0; i < count; i++) {
        if (first != NULL && is_same_value(run, first, &params[i]))
            continue;
        ag_text_add(text, before);
        ag_text_add(text, params[i].key);
        ag_text_add(text, "\":");
        ag_param_to_json(text, run, &params[i]);
        before = ",\"";
    }
    ag_text_add(text, "}");
}

static bool is_same_data(const ag_data_facts *a, const ag_data_facts *b)
{
    return strcmp(a->digest, b->digest) == 0 && a->vocab_size == b->vocab_size &&
           a->train_tokens == b->train_tokens && a->val_tokens == b->val_tokens;
}

/* [first step, index of the set] of each phase after the first. */
static void add_phases(writer *w, const ag_run *run)
{
    for (size_t i = 0; i < run->n_phases; i++)
        ag_text_printf(w->text, "%s[%" PRId64 ",%zu]%s", i == 0 ? ",\"phases\":[" : ",",
                       run->phases[i].from, layers_index(w, run, i + 1),
                       i + 1 == run->n_phases ? "]" : "");
}

/* `first` is NULL for the first run itself. What it has in common with the first is left out: a
 * grid of thousands stays a few megabytes. */
static void add_run(writer *w, const ag_run *run, const ag_run *first)
{
    ag_text_printf(w->text, "{\"id\":\"%s\",\"layers\":%zu,\"seed\":%" PRId64, run->id,
                   layers_index(w, run, 0), run->seed);
    add_phases(w, run);
    if (first == NULL || run->compute != first->compute)
        ag_text_printf(w->text, ",\"compute\":\"%s\"", ag_compute_words[run->compute]);
    if (first == NULL || !is_same_data(&run->facts, &first->facts)) {
        ag_text_add(w->text, ",\"data\":");
        ag_facts_to_json(w->text, &run->facts);
    }
    if (first == NULL || strcmp(run->init_digest, first->init_digest) != 0) {
        ag_text_add(w->text, ",\"init\":");
        ag_digest_to_json(w->text, run->init_digest);
    }
    if (strcmp(run->start_digest, first == NULL ? "" : first->start_digest) != 0) {
        ag_text_add(w->text, ",\"start\":");
        ag_digest_to_json(w->text, run->start_digest);
    }
    add_settings(w->text, run, first);
    ag_text_add(w->text, "}");
}

/* Layers follow the runs, because only then it is known which sets there are; JSON has no order of
 * members. */
static void add_runs(writer *w)
{
    const ag_grid *grid = w->grid;
    ag_text_add(w->text, ",\"runs\":[");
    for (size_t i = 0; i < grid->n_runs; i++) {
        ag_text_add(w->text, i > 0 ? ",\n" : "\n");
        add_run(w, &grid->runs[i], i > 0 ? &grid->runs[0] : NULL);
    }
    ag_text_add(w->text, "],\n\"layers\":[");
    for (size_t i = 0; i < w->n_layers; i++) {
        ag_run one = ag_run_in_phase(w->layers[i].run, w->layers[i].phase);
        ag_text_add(w->text, i > 0 ? ",\n" : "\n");
        ag_layers_to_json(w->text, &one);
    }
    ag_text_add(w->text, "]");
}

/* --- labels */

static void add_labels(writer *w)
{
    const ag_grid *grid = w->grid;
    ag_text_add(w->text, ",\n\"labels\":[");
    for (size_t i = 0; i < grid->n_labels; i++) {
        ag_text_printf(w->text, "%s[%zu", i > 0 ? "," : "", grid->labels[i].run);
        for (size_t axis = 0; axis < grid->n_axes; axis++)
            ag_text_printf(w->text, ",%zu",
                           value_index(&w->axes[axis], &grid->labels[i].values[axis]));
        ag_text_add(w->text, "]");
    }
    ag_text_add(w->text, "]");
}

/* NULL: one that names no axis. */
static void add_point(writer *w, const ag_axis_value *point)
{
    ag_text_add(w->text, "[");
    for (size_t axis = 0; axis < w->grid->n_axes; axis++) {
        ag_text_add(w->text, axis > 0 ? "," : "");
        if (point == NULL || point[axis].text == NULL)
            ag_text_add(w->text, "null");
        else
            ag_text_printf(w->text, "%zu", value_index(&w->axes[axis], &point[axis]));
    }
    ag_text_add(w->text, "]");
}

/* null for an axis that the baseline does not name: there, each run has its partner at its own
 * value. */
static void add_compare(writer *w)
{
    const ag_compare *compare = &w->grid->compare;
    char margin[32];
    ag_json_real(margin, compare->margin);
    ag_text_add(w->text, ",\n\"compare\":{\"metric\":");
    ag_json_string(w->text, compare->metric);
    ag_text_printf(w->text, ",\"margin\":%s,\"family\":\"%s\",\"baseline\":", margin,
                   ag_family_words[compare->family]);
    add_point(w, compare->baseline);
    ag_text_add(w->text, "}");
}

static void add_claim(writer *w, const ag_claim *claim)
{
    char bound[32];
    ag_json_real(bound, claim->bound);
    ag_text_add(w->text, "{\"name\":");
    ag_json_string(w->text, claim->name);
    ag_text_add(w->text, ",\"text\":");
    ag_json_string(w->text, claim->text);
    ag_text_add(w->text, ",\"source\":");
    ag_json_string(w->text, claim->source);
    ag_text_printf(w->text, ",\"kind\":\"%s\",\"bound\":%s,\"points\":[",
                   ag_claim_words[claim->kind], bound);
    for (size_t i = 0; i < claim->n_points; i++) {
        ag_text_add(w->text, i > 0 ? "," : "");
        add_point(w, &claim->points[i * w->grid->n_axes]);
    }
    ag_text_add(w->text, "]}");
}

/* Nothing where there are none: readers of before read such a grid. */
static void add_claims(writer *w)
{
    for (size_t i = 0; i < w->grid->n_claims; i++) {
        ag_text_add(w->text, i == 0 ? ",\n\"claims\":[\n" : ",\n");
        add_claim(w, &w->grid->claims[i]);
    }
    ag_text_add(w->text, w->grid->n_claims > 0 ? "]" : "");
}

/* Nothing where the grid has all its seeds, as for claims. */
static void add_seeds(writer *w)
{
    const ag_seed_rounds *seeds = &w->grid->seeds;
    if (seeds->at_most > 0)
        ag_text_printf(w->text, ",\n\"seeds\":{\"from\":%" PRId64 ",\"at_most\":%" PRId64 "}",
                       seeds->from, seeds->at_most);
}

/* The number beside the text, so that a reader gets it without knowing how altgrad reads numbers.
 */
static void add_value(ag_text *text, const ag_axis_value *value, ag_axis_type type)
{
    char real[32];
    ag_text_add(text, "{\"text\":");
    ag_json_string(text, value->text);
    if (type == AG_AXIS_INT)
        ag_text_printf(text, ",\"value\":%" PRId64, value->integer);
    if (type == AG_AXIS_REAL) {
        ag_json_real(real, value->real);
        ag_text_printf(text, ",\"value\":%s", real);
    }
    ag_text_add(text, "}");
}

/* Last, when every value has been met. Labels then name values by small numbers, instead of
 * repeating texts. */
static void add_axes(writer *w)
{
    ag_text_add(w->text, ",\n\"axes\":[");
    for (size_t axis = 0; axis < w->grid->n_axes; axis++) {
        const ag_axis *about = &w->grid->axes[axis];
        ag_text_add(w->text, axis > 0 ? ",\n{\"name\":" : "\n{\"name\":");
        ag_json_string(w->text, about->name);
        ag_text_printf(w->text, ",\"type\":\"%s\",\"values\":[", ag_axis_words[about->type]);
        for (size_t i = 0; i < w->axes[axis].count; i++) {
            ag_text_add(w->text, i > 0 ? "," : "");
            add_value(w->text, w->axes[axis].values[i], about->type);
        }
        ag_text_add(w->text, "]}");
    }
    ag_text_add(w->text, "]");
}

/* As many values as there are labels, and one of the baseline, which need not be on the grid. */
static bool make_lists(writer *w, ag_arena *arena)
{
    const ag_grid *grid = w->grid;
    size_t sets = 0;
    for (size_t i = 0; i < grid->n_runs; i++)
        sets += ag_phase_count(&grid->runs[i]);
    w->layers = ag_arena_alloc(arena, sets * sizeof *w->layers);
    w->axes = ag_arena_alloc(arena, grid->n_axes * sizeof *w->axes);
    if (w->layers == NULL || w->axes == NULL)
        return false;
    for (size_t axis = 0; axis < grid->n_axes; axis++) {
        size_t bytes = (grid->n_labels + 1) * sizeof(const ag_axis_value *);
        w->axes[axis].values = ag_arena_alloc(arena, bytes);
        if (w->axes[axis].values == NULL)
            return false;
    }
    return true;
}

/* A newline between runs: a grid of thousands is looked at with less and grep, too. */
void ag_grid_to_json(ag_text *text, const ag_grid *grid)
{
    writer w = {.text = text, .grid = grid};
    ag_arena arena;
    ag_arena_init_growing(&arena);
    if (make_lists(&w, &arena)) {
        ag_text_printf(text,
                       "{\"altgrad_grid\":%d,\"numerics\":%" PRId64 ",\"name\":", AG_GRID_VERSION,
                       grid->numerics);
        ag_json_string(text, grid->name);
        ag_text_add(text, ",\n\"yaml\":");
        ag_json_string(text, grid->yaml);
        add_runs(&w);
        add_labels(&w);
        add_compare(&w);
        add_claims(&w);
        add_seeds(&w);
        add_axes(&w);
        ag_text_add(text, "}\n");
    } else {
        text->failed = true;
    }
    ag_arena_deinit(&arena);
}
