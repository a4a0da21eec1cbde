/* Labels by their points: what a baseline and the sides of a claim are found by. */
#include <string.h>

#include "run/grid.h"

/* Values of one axis mostly share their text, so the pointers are compared first. */
bool ag_label_value_is(const ag_axis_value *a, const ag_axis_value *b)
{
    return a->text == b->text || strcmp(a->text, b->text) == 0;
}

bool ag_label_is_on(const ag_label *label, const ag_axis_value *point, size_t n_axes)
{
    for (size_t axis = 0; axis < n_axes; axis++) {
        if (point[axis].text != NULL && !ag_label_value_is(&label->values[axis], &point[axis]))
            return false;
    }
    return true;
}

const ag_label *ag_grid_partner(const ag_grid *grid, const ag_label *label,
                                const ag_axis_value *point)
{
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *other = &grid->labels[i];
        size_t axis = 0;
        while (axis < grid->n_axes &&
               ag_label_value_is(&other->values[axis],
                                 point[axis].text != NULL ? &point[axis] : &label->values[axis]))
            axis++;
        if (axis == grid->n_axes)
            return other;
    }
    return NULL;
}
