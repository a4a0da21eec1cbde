/* --only and --again on an expanded grid: which runs a user means. Values are compared as the
 * experiment file reads them, so that 1e-3 finds 0.001; a list in a selector is tried as one value
 * first, since a name may hold commas. */
#include "config/select.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "config_internal.h"

typedef struct selection {
    const ag_grid *grid;
    ag_arena arena;  /* of one selector */
    bool *marked;    /* [n_labels] */
    char *candidate; /* [length of the selector + 1]: the value that is looked for */
} selection;

/* --- a value, by the type of its axis, as the experiment file is read */

/* The value as altgrad writes it, or NULL where the parameter does not take it. */
static const char *canonical(selection *s, const ag_param *param, const char *text)
{
    ag_run scratch = {0};
    if (ag_param_set(&scratch, param, text, &s->arena) == AG_OK)
        return ag_param_get(&scratch, param, &s->arena);
    ag_error_clear();
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* A file's name as the experiment file has it, or as a path from the current directory, which a
 * shell completes. */
static bool is_path(selection *s, const ag_param *param, const ag_label *label, const char *said)
{
    const char *text = s->candidate;
    const char *plain = ag_plain_path(text, &s->arena);
    if (same_text(plain, ag_plain_path(said, &s->arena)))
        return true;
    char folder[PATH_MAX];
    const char *full = ag_param_get(&s->grid->runs[label->run], param, &s->arena);
    if (full == NULL || getcwd(folder, sizeof folder) == NULL)
        return false;
    if (text[0] != '/')
        plain = ag_plain_path(ag_arena_printf(&s->arena, "%s/%s", folder, text), &s->arena);
    return same_text(plain, ag_plain_path(full, &s->arena));
}

/* Whether the candidate is the label's point on the axis: numbers by value, lists and truth values
 * however they are written, names letter by letter but formats whatever their case. */
static bool is_value(selection *s, size_t axis, const ag_label *label)
{
    const ag_axis *about = &s->grid->axes[axis];
    const ag_axis_value *value = &label->values[axis];
    const char *text = s->candidate;
    char *end = NULL;
    double number = strtod(text, &end);
    bool is_number = end != text && *end == '\0';
    if (strcmp(value->text, text) == 0)
        return true;
    if (about->type == AG_AXIS_INT && is_number)
        return (double)value->integer == number;
    if (about->type == AG_AXIS_REAL && is_number)
        return value->real == number;
    if (strcmp(about->name, "format") == 0)
        return strcasecmp(value->text, text) == 0;
    const ag_param *param = ag_param_find(about->name);
    if (param == NULL)
        return false;
    if (param->type == AG_PARAM_TEXT)
        return is_path(s, param, label, value->text);
    const char *wanted = canonical(s, param, text);
    return wanted != NULL && same_text(wanted, canonical(s, param, value->text));
}

/* Marks the labels whose point on the axis is the candidate; false when there is none. */
static bool mark_candidate(selection *s, size_t axis)
{
    bool found = false;
    const char *last = NULL; /* neighbours mostly share their point, text and all */
    bool is_last = false;
    for (size_t i = 0; i < s->grid->n_labels; i++) {
        const ag_label *label = &s->grid->labels[i];
        if (label->values[axis].text != last)
            is_last = is_value(s, axis, label);
        last = label->values[axis].text;
        s->marked[i] |= is_last;
        found |= is_last;
    }
    return found;
}

/* --- what is known, for those who mistype */

/* All axes are named, since a grid has few. */
static ag_status unknown_axis(const ag_grid *grid, const char *name)
{
    const char *names[AG_MAX_AXES + 3];
    size_t count = grid->n_axes < AG_MAX_AXES + 3 ? grid->n_axes : AG_MAX_AXES + 3;
    ag_text known;
    ag_text_init(&known);
    for (size_t a = 0; a < count; a++)
        names[a] = grid->axes[a].name;
    ag_add_listed(&known, names, count);
    const char *nearest = ag_nearest_word(name, names, count);
    ag_status status =
        ag_fail(AG_ERR_INPUT, "the grid has no axis '%.60s'%s%s%s (its axes are %s)", name,
                nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'?" : "", known.data);
    ag_text_deinit(&known);
    return status;
}

/* The first points of an axis: one more than ag_add_listed shows. */
enum { KNOWN_POINTS = 13 };

/* The first different points of an axis, for a message. */
static size_t known_points(const char *names[KNOWN_POINTS], const ag_grid *grid, size_t axis)
{
    size_t count = 0;
    for (size_t i = 0; i < grid->n_labels && count < KNOWN_POINTS; i++) {
        const char *text = grid->labels[i].values[axis].text;
        size_t at = 0;
        while (at < count && strcmp(names[at], text) != 0)
            at++;
        if (at == count)
            names[count++] = text;
    }
    return count;
}

static ag_status unknown_value(const ag_grid *grid, size_t axis, const char *text)
{
    const char *names[KNOWN_POINTS];
    size_t count = known_points(names, grid, axis);
    const char *nearest = NULL;
    ag_text known;
    ag_text_init(&known);
    ag_add_listed(&known, names, count);
    for (size_t i = 0; i < grid->n_labels && nearest == NULL; i++)
        nearest = ag_nearest_word(text, &grid->labels[i].values[axis].text, 1);
    if (grid->axes[axis].type != AG_AXIS_TEXT) /* no number is a misspelt other */
        nearest = NULL;
    ag_status status = ag_fail(
        AG_ERR_INPUT, "axis '%.60s' of the grid has no point '%.60s'%s%s%s (its points are %s)",
        grid->axes[axis].name, text, nearest != NULL ? "; did you mean '" : "",
        nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "", known.data);
    ag_text_deinit(&known);
    return status;
}

/* --- axis=value[,value] */

/* The axis whose name stands before a '='; names may hold one themselves. */
static size_t find_axis(const ag_grid *grid, const char *selector)
{
    size_t found = SIZE_MAX;
    size_t longest = 0;
    for (size_t a = 0; a < grid->n_axes; a++) {
        size_t length = strlen(grid->axes[a].name);
        if (length < longest || strncmp(grid->axes[a].name, selector, length) != 0 ||
            selector[length] != '=')
            continue;
        found = a;
        longest = length;
    }
    return found;
}

/* Where the piece that begins at `text` ends: the next comma from `from` on, brackets skipped. */
static size_t piece_end(const char *text, size_t from)
{
    size_t depth = 0;
    for (; text[from] != '\0' && (depth > 0 || text[from] != ','); from++) {
        depth += text[from] == '[';
        depth -= text[from] == ']' && depth > 0;
    }
    return from;
}

/* Makes the first `length` bytes the candidate. */
static void set_candidate(selection *s, const char *text, size_t length)
{
    memcpy(s->candidate, text, length);
    s->candidate[length] = '\0';
}

/* Marks the longest beginning of `text` that is a value: a list and a name may hold commas. Returns
 * where it ends, 0 for none. */
static size_t mark_first(selection *s, size_t axis, const char *text)
{
    bool whole = s->grid->axes[axis].type == AG_AXIS_TEXT;
    size_t end = whole ? strlen(text) : strcspn(text, ",");
    while (end > 0) {
        set_candidate(s, text, end);
        if (mark_candidate(s, axis))
            return end;
        do
            end--;
        while (end > 0 && text[end] != ',');
    }
    return 0;
}

/* axis=value,value: every value must be found, or a misspelt one would be left out unseen. */
static ag_status mark_axis(selection *s, const char *selector)
{
    size_t axis = find_axis(s->grid, selector);
    if (axis == SIZE_MAX) {
        set_candidate(s, selector, strcspn(selector, "="));
        return unknown_axis(s->grid, s->candidate);
    }
    const char *text = selector + strlen(s->grid->axes[axis].name) + 1;
    for (;; text++) {
        size_t end = mark_first(s, axis, text);
        if (end == 0) {
            set_candidate(s, text, piece_end(text, 0));
            return unknown_value(s->grid, axis, s->candidate);
        }
        text += end;
        if (*text == '\0')
            return AG_OK;
    }
}

/* The beginning of an id, as git takes them; several runs may share it. */
static ag_status mark_id(selection *s, const char *selector)
{
    size_t length = strlen(selector);
    bool found = false;
    for (size_t i = 0; i < s->grid->n_labels && length > 0; i++) {
        if (strncmp(s->grid->runs[s->grid->labels[i].run].id, selector, length) != 0)
            continue;
        s->marked[i] = true;
        found = true;
    }
    if (found)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "no run's id begins with '%.60s' (a selector is axis=value[,value] or the "
                   "beginning of a run id)",
                   selector);
}

/* Marks what one selector means. */
static ag_status mark(selection *s, const char *selector)
{
    memset(s->marked, false, s->grid->n_labels);
    ag_arena_init_growing(&s->arena);
    s->candidate = ag_arena_alloc(&s->arena, strlen(selector) + 1);
    ag_status status = AG_ERR_SYSTEM;
    if (s->candidate == NULL)
        ag_fail(status, "out of memory");
    else
        status = strchr(selector, '=') != NULL ? mark_axis(s, selector) : mark_id(s, selector);
    ag_arena_deinit(&s->arena);
    return status;
}

ag_status ag_select_labels(bool *selected, const ag_grid *grid, const char *const *selectors,
                           size_t n_selectors)
{
    ag_status status = AG_OK;
    selection s = {.grid = grid, .marked = malloc(grid->n_labels + 1)};
    if (s.marked == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    memset(selected, true, grid->n_labels);
    for (size_t n = 0; n < n_selectors && status == AG_OK; n++) {
        status = mark(&s, selectors[n]);
        for (size_t i = 0; i < grid->n_labels; i++)
            selected[i] = selected[i] && s.marked[i];
    }
    free(s.marked);
    return status;
}

ag_status ag_select_runs(bool *selected, const ag_grid *grid, const char *const *selectors,
                         size_t n_selectors)
{
    bool *labels = calloc(grid->n_labels + 1, sizeof *labels);
    if (labels == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    ag_status status = ag_select_labels(labels, grid, selectors, n_selectors);
    if (status == AG_OK) {
        memset(selected, false, grid->n_runs);
        for (size_t i = 0; i < grid->n_labels; i++)
            selected[grid->labels[i].run] |= labels[i];
    }
    free(labels);
    return status;
}
