/* One model in two layouts: c_attn or c_q, c_k and c_v, one c_fc for gate and up or two, with gains
 * and biases that another program always has. Rows are never turned or mixed, so that a layout and
 * back is the identity. */
#include <string.h>

#include "foreign/architecture.h"
#include "foreign_internal.h"

/* Layers whose rows, one after the other, are those of one that is fused. */
typedef struct fusion {
    ag_tensor_id fused;
    size_t n_parts;
    ag_tensor_id parts[AG_MOST_PARTS];
} fusion;

/* A fused c_fc has the name of its second half, so that its row is told by its size. */
static const fusion s_fusions[] = {
    {AG_T_C_ATTN_W, 3, {AG_T_C_Q_W, AG_T_C_K_W, AG_T_C_V_W}},
    {AG_T_C_ATTN_B, 3, {AG_T_C_Q_B, AG_T_C_K_B, AG_T_C_V_B}},
    {AG_T_C_FC_W,   2, {AG_T_C_GATE_W, AG_T_C_FC_W}        },
    {AG_T_C_FC_B,   2, {AG_T_C_GATE_B, AG_T_C_FC_B}        },
};

enum { N_FUSIONS = sizeof s_fusions / sizeof s_fusions[0] };

typedef struct layout {
    const ag_tensor_table *tensors;
    const float *weights;
} layout;

/* The tensor itself, of the same size. */
static bool copy_same(float *to, const ag_tensor *tensor, const layout *from)
{
    const ag_tensor *same = ag_tensor_find(from->tensors, tensor->id, tensor->block);
    if (same == NULL || same->count != tensor->count)
        return false;
    memcpy(to, from->weights + same->offset, tensor->count * sizeof *to);
    return true;
}

static bool fuse(float *to, const ag_tensor *tensor, const fusion *f, const layout *from)
{
    size_t done = 0;
    for (size_t i = 0; i < f->n_parts; i++) {
        const ag_tensor *part = ag_tensor_find(from->tensors, f->parts[i], tensor->block);
        if (part == NULL || done + part->count > tensor->count)
            return false;
        memcpy(to + done, from->weights + part->offset, part->count * sizeof *to);
        done += part->count;
    }
    return true;
}

/* A part of a fused tensor begins where the parts before it end: their sizes stand in the table of
 * the split layout. */
static bool split(float *to, const ag_tensor *tensor, const fusion *f,
                  const ag_tensor_table *to_tensors, const layout *from)
{
    size_t first = 0;
    const ag_tensor *fused = ag_tensor_find(from->tensors, f->fused, tensor->block);
    for (size_t i = 0; fused != NULL && i < f->n_parts; i++) {
        const ag_tensor *part = ag_tensor_find(to_tensors, f->parts[i], tensor->block);
        if (part == NULL || first + part->count > fused->count)
            return false;
        if (part->id == tensor->id) {
            memcpy(to, from->weights + fused->offset + first, part->count * sizeof *to);
            return true;
        }
        first += part->count;
    }
    return false;
}

static bool copy_rows(float *to, const ag_tensor *tensor, const ag_tensor_table *to_tensors,
                      const layout *from)
{
    for (size_t i = 0; i < N_FUSIONS; i++) {
        if (tensor->id == s_fusions[i].fused && fuse(to, tensor, &s_fusions[i], from))
            return true;
        if (split(to, tensor, &s_fusions[i], to_tensors, from))
            return true;
    }
    return false;
}

void ag_stored_transpose(float *to, const float *from, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < columns; k++)
            to[i * columns + k] = from[k * rows + i];
    }
}

float ag_architecture_absent(const ag_tensor *tensor)
{
    return tensor->init == AG_INIT_GAIN ? 1.0f : 0.0f;
}

void ag_architecture_convert(float *to, const ag_tensor_table *to_tensors, const float *from,
                             const ag_tensor_table *from_tensors)
{
    const layout source = {from_tensors, from};
    const ag_tensor *wte = ag_tensor_find(from_tensors, AG_T_WTE, 0);
    for (size_t i = 0; i < to_tensors->count; i++) {
        const ag_tensor *tensor = &to_tensors->rows[i];
        float *out = to + tensor->offset;
        if (copy_same(out, tensor, &source) || copy_rows(out, tensor, to_tensors, &source))
            continue;
        if (tensor->id == AG_T_LM_HEAD_W && wte != NULL) {
            memcpy(out, from + wte->offset, tensor->count * sizeof *out);
            continue;
        }
        for (size_t k = 0; k < tensor->count; k++)
            out[k] = ag_architecture_absent(tensor);
    }
}
