/* The sites' part of the model's memory. */
#ifndef AG_TRAIN_SITE_LAYOUT_H
#define AG_TRAIN_SITE_LAYOUT_H

#include <stddef.h>

#include "layout.h"
#include "run/run.h"

typedef struct ag_model ag_model;

/* A phase of a run. */
typedef struct ag_run_phase {
    const ag_run *run;
    size_t phase;
} ag_run_phase;

/* So many of the state's scales and amaxes, in which the layers come before the sites. */
typedef struct ag_scale_cursor {
    size_t scales;
    size_t amaxes;
} ag_scale_cursor;

/* Their scales begin at `next`. */
ag_status ag_sites_lay_out(ag_model *model, const ag_run *run, const ag_run_phase *of,
                           ag_scale_cursor next, ag_layout *layout);

/* Scales and amaxes that they take. */
ag_scale_cursor ag_sites_scales(const ag_run *run);

#endif
