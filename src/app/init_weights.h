/* The weights that model.init names: of a results file or a run file, of a safetensors or .npz
 * file, or of a folder with one of them. */
#ifndef AG_APP_INIT_WEIGHTS_H
#define AG_APP_INIT_WEIGHTS_H

#include "base/status.h"
#include "run/run.h"
#include "run/tensors.h"

/* Into weights [tensors->total], of the run's model. */
ag_status ag_init_read_weights(float *weights, const ag_tensor_table *tensors, const ag_run *run);

#endif
