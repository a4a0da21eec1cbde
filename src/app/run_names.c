/* What runs are called: the values of those axes on which the grid's runs differ. The axes of one
 * point would say the same of each. */
#include "run_names.h"

#include <string.h>

#include "base/text.h"

/* Compared with the first label alone: all are equal to it, or some differ. */
static bool varies(const ag_grid *grid, size_t axis)
{
    for (size_t i = 1; i < grid->n_labels; i++) {
        if (strcmp(grid->labels[i].values[axis].text, grid->labels[0].values[axis].text) != 0)
            return true;
    }
    return false;
}

/* Values of format and layers are known by themselves; of a number nobody knows what it is, so it
 * has its axis's name before it. */
static const char *make_name(const ag_grid *grid, const ag_label *label, const bool *shown,
                             ag_arena *arena)
{
    ag_text text;
    ag_text_init(&text);
    for (size_t axis = 0; axis < grid->n_axes; axis++) {
        const char *name = grid->axes[axis].name;
        bool plain = strcmp(name, "format") == 0 || strcmp(name, "layers") == 0;
        if (shown[axis])
            ag_text_printf(&text, "%s%s%s%s", text.length > 0 ? " " : "", plain ? "" : name,
                           plain ? "" : "=", label->values[axis].text);
    }
    const char *made =
        ag_arena_strdup(arena, text.length > 0 ? text.data : grid->runs[label->run].id);
    ag_text_deinit(&text);
    return made;
}

const char **ag_run_names(const ag_grid *grid, ag_arena *arena)
{
    const char **names = ag_arena_alloc(arena, grid->n_runs * sizeof *names);
    bool *shown = ag_arena_alloc(arena, grid->n_axes * sizeof *shown);
    if (names == NULL || shown == NULL)
        return NULL;
    for (size_t axis = 0; axis < grid->n_axes; axis++)
        shown[axis] = varies(grid, axis);
    for (size_t i = grid->n_labels; i-- > 0;) { /* the first label of a run is its name */
        const ag_label *label = &grid->labels[i];
        names[label->run] = make_name(grid, label, shown, arena);
        if (names[label->run] == NULL)
            return NULL;
    }
    return names;
}
