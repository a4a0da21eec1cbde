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

/* Whether it is a file of other programs' weights, or a folder that may hold one: by its name, or
 * its first bytes. */
bool ag_architecture_is_file(const char *path);

/* Reads such a file, or a folder's AG_MODEL_FILE or AG_NANOGPT_FILE, into weights
 * [tensors->total] of the run's model. Strict: AG_ERR_INPUT where a tensor is missing or left over,
 * has another shape, or a value that the model has no place for, and where a config.json beside it
 * contradicts the model; AG_ERR_FILE where the file is damaged. */
ag_status ag_architecture_import(float *weights, const ag_tensor_table *tensors, const ag_run *run,
                                 const char *path);

#endif
