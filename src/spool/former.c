/* What runs were called when the grid still named them, so that orphans keep their names.
 *
 *   OUT.h5.d/labels.json, /experiment/labels
 *     {"<id>": [{"axis": "format", "type": "text", "text": "E4M3"},
 *               {"axis": "seed", "type": "int", "text": "1", "value": 1}, ...], ...} */
#include "spool/former.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "run/grid.h"
#include "spool/ids.h"
#include "spool/places.h"

/* Written into files, and so kept beside the enum that may be reordered. */
static const char *const s_types[] = {
    [AG_AXIS_TEXT] = "text", [AG_AXIS_INT] = "int", [AG_AXIS_REAL] = "real"};

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for the labels of orphans");
}

/* --- writing */

/* The number beside its text: 1e-3 and 0.001 are one value, and a reader should not have to parse a
 * label. */
static json_t *value_of(const ag_axis *axis, const ag_axis_value *value)
{
    if (axis->type == AG_AXIS_INT)
        return json_integer(value->integer);
    return axis->type == AG_AXIS_REAL ? json_real(value->real) : NULL;
}

/* By the axes' names, not by their order: the next experiment may have others, in another order. */
static json_t *describe(const ag_grid *grid, const ag_label *label)
{
    json_t *cells = json_array();
    for (size_t i = 0; i < grid->n_axes; i++) {
        const ag_axis *axis = &grid->axes[i];
        json_t *cell =
            json_pack("{s:s, s:s, s:s, s:o*}", "axis", axis->name, "type", s_types[axis->type],
                      "text", label->values[i].text, "value", value_of(axis, &label->values[i]));
        json_array_append_new(cells, cell);
    }
    return cells;
}

/* The first label of a run is its name, so it is set last. */
static void add_labels(json_t *labels, const ag_grid *before, const ag_ids *now,
                       const ag_ids *complete)
{
    for (size_t i = before->n_labels; i-- > 0;) {
        const ag_label *label = &before->labels[i];
        const char *id = before->runs[label->run].id;
        if (!ag_ids_have(now, id) && (complete == NULL || ag_ids_have(complete, id)))
            json_object_set_new(labels, id, describe(before, label));
    }
}

static json_t *load(const char *text)
{
    json_t *labels = json_loads(text, 0, NULL);
    if (json_is_object(labels))
        return labels;
    json_decref(labels);
    return json_object(); /* a damaged one costs names, and nothing else */
}

static json_t *load_file(const ag_places *places, ag_arena *arena)
{
    const char *text = "{}";
    if (ag_former_text(&text, places, arena) != AG_OK)
        ag_error_clear();
    return load(text);
}

/* By rename, as everything: half of a list of names would be none. */
static ag_status write_file(const ag_places *places, const json_t *labels)
{
    char *text = json_dumps(labels, JSON_INDENT(0));
    if (text == NULL)
        return no_memory();
    ag_status status = ag_write_whole(places->labels, text, strlen(text));
    free(text);
    return status;
}

/* Where the results are packed, the names of files cannot tell what is complete; then all that the
 * old grid named is noted, and a name too many does no harm. */
static ag_status note(const ag_places *places, const ag_grid *before, const ag_grid *now,
                      const char *known, ag_arena *arena)
{
    ag_ids named;
    ag_ids complete;
    bool is_spooled = ag_is_folder(places->runs);
    AG_TRY(ag_ids_of_grid(&named, now, arena));
    AG_TRY(ag_list_ids(&complete, places->runs, ".h5", arena));
    json_t *labels = load_file(places, arena);
    json_t *others = load(known);
    json_object_update(labels, others);
    json_decref(others);
    add_labels(labels, before, &named, is_spooled ? &complete : NULL);
    ag_status status = json_object_size(labels) > 0 ? write_file(places, labels) : AG_OK;
    json_decref(labels);
    return status;
}

/* A grid that cannot be read costs the names of its orphans, which is no reason to refuse the new
 * experiment. */
ag_status ag_former_note(const ag_places *places, const char *before, const ag_grid *now,
                         const char *known)
{
    ag_arena arena;
    ag_grid old = {0};
    ag_arena_init_growing(&arena);
    if (ag_grid_from_json(&old, before, strlen(before), &arena) != AG_OK) {
        ag_error_clear(); /* of another version, or damaged */
        old = (ag_grid){0};
    }
    ag_status status = note(places, &old, now, known, &arena);
    ag_arena_deinit(&arena);
    return status;
}

/* --- reading */

ag_status ag_former_text(const char **text, const ag_places *places, ag_arena *arena)
{
    ag_text read;
    ag_status status = AG_OK;
    ag_text_init(&read);
    if (ag_is_file(places->labels))
        status = ag_read_whole(&read, places->labels);
    *text = status == AG_OK ? ag_arena_strdup(arena, read.length > 0 ? read.data : "{}") : "{}";
    ag_text_deinit(&read);
    return *text != NULL ? status : no_memory();
}

/* False for a word of a later version: that cell is skipped, the others keep their names. */
static bool read_type(ag_axis_type *type, const char *word)
{
    for (size_t i = 0; i < sizeof s_types / sizeof s_types[0]; i++) {
        *type = (ag_axis_type)i;
        if (strcmp(s_types[i], word) == 0)
            return true;
    }
    return false;
}

/* n_axes where there is none. */
static size_t find_axis(const ag_grid *former, const char *name)
{
    size_t i = 0;
    while (i < former->n_axes && strcmp(former->axes[i].name, name) != 0)
        i++;
    return i;
}

/* One column holds the values of all grids there were: numbers of both kinds as reals, anything
 * else as texts. A number is still in its text. */
static ag_axis_type widen(ag_axis_type a, ag_axis_type b)
{
    if (a == b)
        return a;
    return a == AG_AXIS_TEXT || b == AG_AXIS_TEXT ? AG_AXIS_TEXT : AG_AXIS_REAL;
}

/* At most so many axes can be added. */
static size_t count_cells(json_t *labels)
{
    size_t count = 0;
    const char *id;
    json_t *cells;
    json_object_foreach(labels, id, cells) count += json_array_size(cells);
    return count;
}

/* The axes of today's grid come first and in its order, so that orphans stand in columns that the
 * user knows; what only old grids had follows. */
static ag_status collect_axes(ag_grid *former, const ag_grid *now, json_t *labels,
                              const char *const *ids, size_t count, ag_arena *arena)
{
    size_t most = now->n_axes + count_cells(labels);
    ag_axis *axes = ag_arena_alloc(arena, (most + 1) * sizeof *axes);
    if (axes == NULL)
        return no_memory();
    if (now->n_axes > 0)
        memcpy(axes, now->axes, now->n_axes * sizeof *axes);
    *former = (ag_grid){.n_axes = now->n_axes, .axes = axes};
    for (size_t run = 0; run < count; run++) {
        size_t i;
        json_t *cell;
        json_array_foreach(json_object_get(labels, ids[run]), i, cell)
        {
            const char *name;
            const char *type;
            ag_axis_type read;
            if (json_unpack(cell, "{s:s, s:s}", "axis", &name, "type", &type) != 0 ||
                !read_type(&read, type))
                continue;
            size_t at = find_axis(former, name);
            if (at < former->n_axes)
                axes[at].type = widen(axes[at].type, read);
            else
                axes[former->n_axes++] = (ag_axis){ag_arena_strdup(arena, name), read};
        }
    }
    return AG_OK;
}

/* Starts from "not known" for each axis: an orphan may be of a grid that did not have it. */
static ag_status fill_values(ag_axis_value *values, const ag_grid *former, json_t *cells,
                             ag_arena *arena)
{
    size_t i;
    json_t *cell;
    for (size_t axis = 0; axis < former->n_axes; axis++)
        values[axis] = (ag_axis_value){"", INT64_MIN, NAN};
    json_array_foreach(cells, i, cell)
    {
        const char *name = "";
        const char *text = "";
        if (json_unpack(cell, "{s:s, s:s}", "axis", &name, "text", &text) != 0)
            continue;
        size_t at = find_axis(former, name);
        const json_t *value = json_object_get(cell, "value");
        if (at == former->n_axes)
            continue;
        values[at].text = ag_arena_strdup(arena, text);
        if (values[at].text == NULL)
            return no_memory();
        if (json_is_integer(value))
            values[at].integer = json_integer_value(value);
        if (json_is_number(value))
            values[at].real = json_number_value(value);
    }
    return AG_OK;
}

/* As labels of a grid of their own, since the writer of tables takes any grid with axes and labels.
 */
static ag_status read_labels(ag_grid *former, json_t *labels, const char *const *ids, size_t count,
                             ag_arena *arena)
{
    ag_label *made = ag_arena_alloc(arena, (count + 1) * sizeof *made);
    if (made == NULL)
        return no_memory();
    for (size_t run = 0; run < count; run++) {
        ag_axis_value *values = ag_arena_alloc(arena, (former->n_axes + 1) * sizeof *values);
        if (values == NULL)
            return no_memory();
        made[run] = (ag_label){run, values};
        AG_TRY(fill_values(values, former, json_object_get(labels, ids[run]), arena));
    }
    former->n_labels = count;
    former->labels = made;
    return AG_OK;
}

ag_status ag_former_read(ag_grid *former, const ag_grid *now, const char *text,
                         const char *const *ids, size_t count, ag_arena *arena)
{
    json_t *labels = load(text);
    ag_status status = collect_axes(former, now, labels, ids, count, arena);
    if (status == AG_OK)
        status = read_labels(former, labels, ids, count, arena);
    json_decref(labels);
    return status;
}

/* Without the names of the axes: values of format and layers speak for themselves, and it is a note
 * in a list, not an address. */
const char *ag_former_name(const ag_label *label, size_t n_axes, ag_arena *arena)
{
    ag_text text;
    ag_text_init(&text);
    for (size_t i = 0; i < n_axes; i++) {
        if (label->values[i].text[0] != '\0')
            ag_text_printf(&text, "%s%s", text.length > 0 ? " " : "", label->values[i].text);
    }
    const char *name = text.failed ? NULL : ag_arena_strdup(arena, text.data);
    ag_text_deinit(&text);
    return name;
}
