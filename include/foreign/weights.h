/* A model's weights into files of other programs, and back. */
#ifndef AG_FOREIGN_WEIGHTS_H
#define AG_FOREIGN_WEIGHTS_H

#include "base/status.h"
#include "foreign/architecture.h"

#define AG_MODEL_FILE "model.safetensors"
#define AG_NANOGPT_FILE "nanogpt.safetensors"

/* Writes weights [tensors->total] of the run's model into a folder, which it makes where there is
 * none: AG_MODEL_FILE and config.json, or AG_NANOGPT_FILE. AG_ERR_INPUT where one of them is there
 * already. */
ag_status ag_architecture_export(const char *folder, ag_architecture which, const ag_run *run,
                                 const ag_tensor_table *tensors, const float *weights);

#endif
