/* The axes of the grid and their points. */
#ifndef AG_CONFIG_AXES_H
#define AG_CONFIG_AXES_H

#include "config/experiment.h"
#include "layer_formats.h"
#include "run/grid.h"
#include "run/run.h"

enum { AG_MAX_POINTS = 10000 }; /* of one axis */

typedef enum ag_axis_kind {
    AG_AXIS_FORMAT,
    AG_AXIS_LAYERS,
    AG_AXIS_PARAM,
    AG_AXIS_NAMED,
    AG_AXIS_SEED
} ag_axis_kind;

/* Format and layers come first, then the axes of the file, seed last: it runs fastest. */
enum { AG_FORMAT_AXIS = 0, AG_LAYERS_AXIS = 1 };

/* A parameter's value, as the bytes of its member of ag_run. */
typedef struct ag_setting {
    const ag_param *param;
    ag_place place;
    unsigned char value[sizeof(ag_step_list)]; /* the largest */
} ag_setting;

typedef struct ag_point {
    ag_axis_value value;   /* as the user wrote it */
    const char *canonical; /* equal for points that mean the same */
    ag_place place;
    size_t n_settings; /* PARAM and NAMED */
    const ag_setting *settings;
} ag_point;

typedef struct ag_axis_points {
    const char *name;
    ag_axis_kind kind;
    ag_axis_type type;
    const ag_param *param; /* PARAM */
    ag_place place;
    size_t n_grid; /* points that multiply; those after them came from include */
    size_t n_points;
    size_t capacity;
    ag_point *points;
    bool broken; /* had errors: what seems missing may be what was wrong */
} ag_axis_points;

ag_point *ag_axis_add(ag_axis_points *axis, ag_findings *findings, const ag_point *point);
bool ag_axis_add_format(ag_axis_points *axis, ag_findings *findings, const ag_format_entry *entry);
bool ag_axis_add_seed(ag_axis_points *axis, ag_findings *findings, int64_t seed, ag_place place);
bool ag_axis_seed(int64_t *seed, ag_findings *findings, const ag_node *node);
bool ag_axis_param_point(ag_point *point, ag_experiment *experiment, const ag_axis_points *axis,
                         const ag_node *node);

#endif
