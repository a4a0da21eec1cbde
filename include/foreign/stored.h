/* Tensors in files of other programs: safetensors, and numpy's .npz. What stands in them is checked
 * whole before the first element is read; anybody may have made them. */
#ifndef AG_FOREIGN_STORED_H
#define AG_FOREIGN_STORED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum ag_stored_type {
    AG_STORED_F64,
    AG_STORED_F32,
    AG_STORED_F16,
    AG_STORED_BF16,
    AG_STORED_TYPES
} ag_stored_type;

enum { AG_STORED_DIMS = 8 };

typedef struct ag_stored {
    const char *name;
    const char *type_name; /* as the file has it */
    ag_stored_type type;   /* AG_STORED_TYPES: one that is no number for weights */
    size_t n_dims;
    uint64_t dims[AG_STORED_DIMS];
    uint64_t count;  /* elements */
    bool is_turned;  /* a matrix of Fortran's order: what is read is its transpose */
    uint64_t offset; /* of the first, in the file; row-major, little-endian */
} ag_stored;

typedef struct ag_stored_file {
    const char *path;
    int fd;
    bool is_nanogpt; /* it says that its names and shapes are nanoGPT's */
    size_t count;
    ag_stored *items; /* [count], in the arena */
    ag_arena arena;
} ag_stored_file;

/* Opens a file and reads what is in it. AG_ERR_INPUT where it is not there, or neither kind of
 * file; AG_ERR_FILE with the fault where it is damaged. Close it after a failure too. */
ag_status ag_stored_open(ag_stored_file *file, const char *path);
void ag_stored_close(ag_stored_file *file);

/* The tensor of that name, or NULL. */
const ag_stored *ag_stored_find(const ag_stored_file *file, const char *name);

/* Its elements as float32, into out [stored->count]; of float64 the nearest. AG_ERR_INPUT where it
 * has another type. */
ag_status ag_stored_read(float *out, const ag_stored_file *file, const ag_stored *stored);

/* A tensor to be written. */
typedef struct ag_outgoing {
    const char *name;
    size_t n_dims; /* 1 or 2 */
    size_t dims[2];
    const float *data; /* [dims[0], dims[1]]; where is_transposed [dims[1], dims[0]] */
    bool is_transposed;
} ag_outgoing;

/* Writes a safetensors file whole, its tensors in the order of their names: sorts `tensors`.
 * is_nanogpt: it will say so. */
ag_status ag_safetensors_write(const char *path, ag_outgoing *tensors, size_t count,
                               bool is_nanogpt);

#endif
