/* What a checkpoint holds, and where it begins. */
#ifndef AG_TRAIN_TRAIN_STATE_H
#define AG_TRAIN_TRAIN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "muon.h"
#include "operand.h"
#include "run/tensors.h"
#include "site.h"
#include "site_layout.h"

/* The grid that the weights of a tensor are quantised on, and how they are stored. */
typedef struct ag_tensor_grid {
    const ag_scheme *scheme; /* NULL: none, see ag_layer_grid */
    ag_scale *scale;
    uint32_t place;
    ag_site_operands *store; /* NULL: as float32 */
} ag_tensor_grid;

/* Where the groups of a tensor's weights lie, while an optimizer asks. */
typedef struct ag_grid_groups {
    ag_scales scales;
    float *amaxes;
} ag_grid_groups;

typedef struct ag_train_state {
    const ag_model_spec *model; /* borrowed */
    int64_t step;               /* steps trained */
    int64_t updates;            /* of them, those that changed the weights: Adam's t */
    ag_tensor_table tensors;
    ag_tensor_grid *grids; /* [tensors.count] */
    float *weights;        /* [tensors.total] */
    float *m;              /* [tensors.total]: the first moment, or SGD's velocity */
    float *v;              /* [n_v]: Adam's second moment */
    size_t n_v;            /* tensors.total, or 0 */
    float *lost;           /* [n_lost]: kahan's c, what storing the weights lost so far */
    size_t n_lost;         /* tensors.total, or 0 */
    float *unstored;       /* scratch: a tensor before it is stored */
    ag_grid_groups groups; /* scratch of the optimizer, large enough for any tensor, */
    ag_muon_space muon;    /* and this */
    size_t n_scales; /* layer by layer, role by role, use by use; then site by site, if any is on */
    ag_scale *scales;
    size_t n_amaxes; /* the histories of all scales, one after another */
    float *amaxes;
} ag_train_state;

/* What lasts from the first step to the last. */
ag_status ag_train_state_lay_out(ag_train_state *state, const ag_run *run, ag_layout *layout);

/* What depends on the precision of a phase, which is that of `run`: grids, scales and histories,
 * all as before the first step. */
ag_status ag_train_state_enter(ag_train_state *state, const ag_run *run, ag_layout *layout);

/* The scales and amaxes that takes. */
ag_scale_cursor ag_all_scales(const ag_run *run);

void ag_train_state_reset_scales(ag_train_state *state);

/* Before the first step, but for the weights. */
void ag_train_state_reset(ag_train_state *state);

/* Initial weights of `seed`, the same for every format. */
void ag_weights_init(float *weights, const ag_tensor_table *tensors, uint64_t seed);

#endif
