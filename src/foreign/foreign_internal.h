/* What the sources of this module share. */
#ifndef AG_FOREIGN_INTERNAL_H
#define AG_FOREIGN_INTERNAL_H

#include "foreign/architecture.h"
#include "foreign/stored.h"

/* Bytes of an element. */
extern const size_t ag_stored_sizes[AG_STORED_TYPES];

/* Reads exactly `size` bytes at `offset`; AG_ERR_FILE where the file ends before. */
ag_status ag_stored_bytes(void *out, const ag_stored_file *file, uint64_t offset, size_t size);

/* Fills items of the opened file, which has `size` bytes. */
ag_status ag_safetensors_list(ag_stored_file *file, uint64_t size);

/* Likewise of a .npz file, whose names and shapes are taken for nanoGPT's. */
ag_status ag_npz_list(ag_stored_file *file, uint64_t size);

/* to [rows, columns] from its transpose. */
void ag_stored_transpose(float *to, const float *from, size_t rows, size_t columns);

/* What every element is of a gain or bias that a model does without: 1 or 0. */
float ag_architecture_absent(const ag_tensor *tensor);

/* Compares the config.json beside a file of weights, where there is one, with the run's model.
 * AG_ERR_INPUT names the key in which they differ. */
ag_status ag_architecture_compare(const char *weights, ag_architecture which, const ag_run *run);

#endif
