/* Safetensors as Hugging Face's own library lays them out: the same tensors give the same bytes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/text.h"
#include "foreign_internal.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ag_outgoing *)a)->name, ((const ag_outgoing *)b)->name);
}

/* A vector has one dimension. */
static size_t count_of(const ag_outgoing *tensor)
{
    return tensor->dims[0] * (tensor->n_dims > 1 ? tensor->dims[1] : 1);
}

/* Padded with spaces to a multiple of 8, so that the tensors are aligned. */
static void add_header(ag_text *text, const ag_outgoing *tensors, size_t count, bool is_nanogpt)
{
    uint64_t offset = 0;
    ag_text_printf(text, "{\"__metadata__\":{\"format\":\"pt\"%s}",
                   is_nanogpt ? ",\"names\":\"nanogpt\"" : "");
    for (size_t i = 0; i < count; i++) {
        const ag_outgoing *tensor = &tensors[i];
        uint64_t end = offset + count_of(tensor) * sizeof(float);
        ag_text_printf(text, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", tensor->name,
                       tensor->dims[0]);
        if (tensor->n_dims > 1)
            ag_text_printf(text, ",%zu", tensor->dims[1]);
        ag_text_printf(text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", offset, end);
        offset = end;
    }
    ag_text_add(text, "}");
    while (text->length % 8 != 0 && !text->failed)
        ag_text_add(text, " ");
}

/* Of a matrix that is kept the other way round. */
static float *turned_copy(const ag_outgoing *tensor)
{
    float *copy = malloc((count_of(tensor) + 1) * sizeof *copy);
    if (copy != NULL)
        ag_stored_transpose(copy, tensor->data, tensor->dims[0], tensor->dims[1]);
    return copy;
}

/* turned [count]: what has to be freed afterwards. */
static ag_status write_pieces(const char *path, const ag_outgoing *tensors, size_t count,
                              const ag_text *header, ag_piece *pieces, float **turned)
{
    uint64_t length = header->length;
    pieces[0] = (ag_piece){&length, sizeof length};
    pieces[1] = (ag_piece){header->data, header->length};
    for (size_t i = 0; i < count; i++) {
        const float *data = tensors[i].data;
        if (tensors[i].is_transposed) {
            turned[i] = turned_copy(&tensors[i]);
            data = turned[i];
        }
        if (data == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory for the weights");
        pieces[2 + i] = (ag_piece){data, count_of(&tensors[i]) * sizeof *data};
    }
    return ag_write_pieces(path, pieces, count + 2);
}

/* In the order of names, as the library writes float32 tensors: it sorts by size of type, then by
 * name. */
ag_status ag_safetensors_write(const char *path, ag_outgoing *tensors, size_t count,
                               bool is_nanogpt)
{
    ag_text header;
    ag_text_init(&header);
    qsort(tensors, count, sizeof *tensors, by_name);
    add_header(&header, tensors, count, is_nanogpt);
    ag_piece *pieces = calloc(count + 2, sizeof *pieces);
    float **turned = calloc(count + 1, sizeof *turned);
    ag_status status = AG_OK;
    if (pieces == NULL || turned == NULL || header.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory for the weights");
    else
        status = write_pieces(path, tensors, count, &header, pieces, turned);
    for (size_t i = 0; turned != NULL && i < count; i++)
        free(turned[i]);
    free(turned);
    free(pieces);
    ag_text_deinit(&header);
    return status;
}
