/* --only and --again on an expanded grid. */
#include "config/select.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Whether the text of `length` bytes is this value: numbers by value, names letter by letter but
 * formats whatever their case. */
static bool is_value(const ag_axis *axis, const ag_axis_value *value, const char *text,
                     size_t length)
{
    char copy[128];
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end = NULL;
    double number = strtod(copy, &end);
    bool is_number = length > 0 && *end == '\0';
    if (axis->type == AG_AXIS_INT && is_number)
        return (double)value->integer == number;
    if (axis->type == AG_AXIS_REAL && is_number)
        return value->real == number;
    if (strcmp(axis->name, "format") == 0)
        return strcasecmp(value->text, copy) == 0;
    return strcmp(value->text, copy) == 0;
}

static ag_status find_axis(size_t *found, const ag_grid *grid, const char *name, size_t length)
{
    for (size_t a = 0; a < grid->n_axes; a++) {
        if (strlen(grid->axes[a].name) == length &&
            strncmp(grid->axes[a].name, name, length) == 0) {
            *found = a;
            return AG_OK;
        }
    }
    char copy[64];
    memcpy(copy, name, length < 63 ? length : 63);
    copy[length < 63 ? length : 63] = '\0';
    const char *names[64];
    size_t count = grid->n_axes < 64 ? grid->n_axes : 64;
    for (size_t a = 0; a < count; a++)
        names[a] = grid->axes[a].name;
    const char *nearest = ag_nearest_word(copy, names, count);
    if (nearest != NULL)
        return ag_fail(AG_ERR_INPUT, "the grid has no axis '%s'; did you mean '%s'?", copy,
                       nearest);
    return ag_fail(AG_ERR_INPUT, "the grid has no axis '%s' ('altgrad plan FILE' lists its axes)",
                   copy);
}

static ag_status no_value(const ag_grid *grid, size_t axis, const char *text, size_t length)
{
    char copy[128];
    size_t kept = length < sizeof copy - 1 ? length : sizeof copy - 1;
    memcpy(copy, text, kept);
    copy[kept] = '\0';
    const char *nearest = NULL;
    for (size_t i = 0; i < grid->n_labels && nearest == NULL; i++)
        nearest = ag_nearest_word(copy, &grid->labels[i].values[axis].text, 1);
    return ag_fail(AG_ERR_INPUT, "axis '%s' of the grid has no point '%s'%s%s%s",
                   grid->axes[axis].name, copy, nearest != NULL ? "; did you mean '" : "",
                   nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* Marks the labels whose point on `axis` is the value; fails when there is none. */
static ag_status mark_value(bool *marked, const ag_grid *grid, size_t axis, const char *text,
                            size_t length)
{
    bool found = false;
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (!is_value(&grid->axes[axis], &grid->labels[i].values[axis], text, length))
            continue;
        marked[i] = true;
        found = true;
    }
    return found ? AG_OK : no_value(grid, axis, text, length);
}

static ag_status mark_axis(bool *marked, const ag_grid *grid, const char *selector,
                           const char *equals)
{
    size_t axis = 0;
    AG_TRY(find_axis(&axis, grid, selector, (size_t)(equals - selector)));
    const char *text = equals + 1;
    /* a point may hold a comma itself, such as [0.9, 0.99] */
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (is_value(&grid->axes[axis], &grid->labels[i].values[axis], text, strlen(text)))
            return mark_value(marked, grid, axis, text, strlen(text));
    }
    for (;;) {
        size_t length = strcspn(text, ",");
        AG_TRY(mark_value(marked, grid, axis, text, length));
        if (text[length] == '\0')
            return AG_OK;
        text += length + 1;
    }
}

static ag_status mark_id(bool *marked, const ag_grid *grid, const char *selector)
{
    size_t length = strlen(selector);
    bool found = false;
    for (size_t i = 0; i < grid->n_labels && length > 0; i++) {
        if (strncmp(grid->runs[grid->labels[i].run].id, selector, length) != 0)
            continue;
        marked[i] = true;
        found = true;
    }
    if (found)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "no run's id begins with '%.60s' (a selector is axis=value[,value] or the "
                   "beginning of a run id)",
                   selector);
}

ag_status ag_select_runs(bool *selected, const ag_grid *grid, const char *const *selectors,
                         size_t n_selectors)
{
    ag_status status = AG_OK;
    bool *kept = malloc(grid->n_labels + 1);
    bool *marked = malloc(grid->n_labels + 1);
    if (kept == NULL || marked == NULL) {
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
        goto cleanup;
    }
    memset(kept, true, grid->n_labels);
    for (size_t s = 0; s < n_selectors; s++) {
        memset(marked, false, grid->n_labels);
        const char *equals = strchr(selectors[s], '=');
        status = equals != NULL ? mark_axis(marked, grid, selectors[s], equals)
                                : mark_id(marked, grid, selectors[s]);
        if (status != AG_OK)
            goto cleanup;
        for (size_t i = 0; i < grid->n_labels; i++)
            kept[i] = kept[i] && marked[i];
    }
    memset(selected, false, grid->n_runs);
    for (size_t i = 0; i < grid->n_labels; i++)
        selected[grid->labels[i].run] |= kept[i];
cleanup:
    free(kept);
    free(marked);
    return status;
}
