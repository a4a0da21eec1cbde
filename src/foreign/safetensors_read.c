/* The header of a safetensors file: a length, and so much JSON that says where each tensor lies.
 * All of it is checked, as the format asks: whoever reads a file that claims more than it has reads
 * what is not there. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "foreign_internal.h"

/* The format's own limit. */
static const uint64_t s_most_header = 100000000;

static const struct {
    const char *name;
    ag_stored_type type;
} s_types[] = {
    {"F64",  AG_STORED_F64 },
    {"F32",  AG_STORED_F32 },
    {"F16",  AG_STORED_F16 },
    {"BF16", AG_STORED_BF16}
};

static ag_status damaged(const ag_stored_file *file, const char *name, const char *what)
{
    return ag_fail(AG_ERR_FILE, "%s: a damaged safetensors file: tensor '%.100s' %s", file->path,
                   name, what);
}

/* AG_STORED_TYPES for one that we do not read: a file may have such tensors beside the weights. */
static ag_stored_type type_of(const char *name)
{
    for (size_t i = 0; i < sizeof s_types / sizeof s_types[0]; i++) {
        if (strcmp(s_types[i].name, name) == 0)
            return s_types[i].type;
    }
    return AG_STORED_TYPES;
}

/* A whole number that is none of JSON's negative or broken ones. */
static bool read_whole(uint64_t *value, const json_t *json)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *value = (uint64_t)json_integer_value(json);
    return true;
}

/* Elements may be more than 64 bits count: that is no tensor. */
static ag_status read_shape(ag_stored *stored, const ag_stored_file *file, const json_t *shape)
{
    if (!json_is_array(shape))
        return damaged(file, stored->name, "has no shape");
    if (json_array_size(shape) > AG_STORED_DIMS)
        return damaged(file, stored->name, "has more dimensions than any weights");
    stored->n_dims = json_array_size(shape);
    stored->count = 1;
    for (size_t i = 0; i < stored->n_dims; i++) {
        if (!read_whole(&stored->dims[i], json_array_get(shape, i)))
            return damaged(file, stored->name, "has a shape that is no list of whole numbers");
        if (__builtin_mul_overflow(stored->count, stored->dims[i], &stored->count))
            return damaged(file, stored->name, "has more elements than can be");
    }
    return AG_OK;
}

/* Checked against the type's size; of a type that is not known the bytes may be any. */
static ag_status check_size(const ag_stored *stored, const ag_stored_file *file, uint64_t bytes)
{
    uint64_t wanted = 0;
    if (stored->type == AG_STORED_TYPES)
        return AG_OK;
    if (__builtin_mul_overflow(stored->count, ag_stored_sizes[stored->type], &wanted) ||
        wanted != bytes)
        return damaged(file, stored->name, "has other bytes than its shape and type need");
    return AG_OK;
}

/* A tensor on its way: where its bytes end is needed for the check of holes alone. */
typedef struct span {
    uint64_t begin;
    uint64_t end;
    const char *name;
} span;

static ag_status read_tensor(ag_stored *stored, span *place, const ag_stored_file *file,
                             const json_t *json)
{
    const json_t *offsets = json_object_get(json, "data_offsets");
    const char *type = json_string_value(json_object_get(json, "dtype"));
    if (type == NULL)
        return damaged(file, stored->name, "has no dtype");
    stored->type_name = type;
    stored->type = type_of(type);
    AG_TRY(read_shape(stored, file, json_object_get(json, "shape")));
    if (json_array_size(offsets) != 2 || !read_whole(&place->begin, json_array_get(offsets, 0)) ||
        !read_whole(&place->end, json_array_get(offsets, 1)) || place->end < place->begin)
        return damaged(file, stored->name, "has no two data_offsets in order");
    place->name = stored->name;
    return check_size(stored, file, place->end - place->begin);
}

/* Empty tensors begin where the next one does: they come first. */
static int by_begin(const void *a, const void *b)
{
    const span *x = a;
    const span *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* One after the other, from the first byte to the last of the file. */
static ag_status check_spans(span *spans, size_t count, const ag_stored_file *file, uint64_t bytes)
{
    uint64_t end = 0;
    qsort(spans, count, sizeof *spans, by_begin);
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin < end)
            return damaged(file, spans[i].name, "overlaps another");
        if (spans[i].begin > end)
            return damaged(file, spans[i].name, "has a hole before it");
        end = spans[i].end;
    }
    if (end != bytes)
        return ag_fail(AG_ERR_FILE,
                       "%s: a damaged safetensors file: its header counts %llu bytes of tensors, "
                       "%llu follow it",
                       file->path, (unsigned long long)end, (unsigned long long)bytes);
    return AG_OK;
}

/* What `altgrad export --nanogpt` notes, since names alone could be those of another class. */
static bool says_nanogpt(const json_t *header)
{
    const json_t *metadata = json_object_get(header, "__metadata__");
    const char *names = json_string_value(json_object_get(metadata, "names"));
    return names != NULL && strcmp(names, "nanogpt") == 0;
}

/* Texts of the header go to the arena: json dies before they are read. */
static ag_status read_tensors(ag_stored_file *file, span *spans, json_t *header, uint64_t start)
{
    const char *name = NULL;
    json_t *json = NULL;
    json_object_foreach(header, name, json)
    {
        ag_stored *stored = &file->items[file->count];
        if (strcmp(name, "__metadata__") == 0)
            continue;
        stored->name = ag_arena_strdup(&file->arena, name);
        if (stored->name == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        AG_TRY(read_tensor(stored, &spans[file->count], file, json));
        stored->type_name = ag_arena_strdup(&file->arena, stored->type_name);
        stored->offset = start + spans[file->count].begin;
        if (stored->type_name == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        file->count++;
    }
    return AG_OK;
}

static ag_status read_header(ag_stored_file *file, const char *text, size_t length, uint64_t size)
{
    json_error_t error;
    json_t *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL)
        return ag_fail(AG_ERR_FILE, "%s: no safetensors file, or a damaged one: its header, %s",
                       file->path, error.text);
    size_t most = json_object_size(header);
    file->items = ag_arena_alloc(&file->arena, (most + 1) * sizeof *file->items);
    span *spans = ag_arena_alloc(&file->arena, (most + 1) * sizeof *spans);
    ag_status status = AG_OK;
    if (!json_is_object(header))
        status = ag_fail(AG_ERR_FILE, "%s: no safetensors file: its header is no JSON object",
                         file->path);
    else if (file->items == NULL || spans == NULL)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
    else
        status = read_tensors(file, spans, header, 8 + length);
    if (status == AG_OK && spans != NULL)
        status = check_spans(spans, file->count, file, size - 8 - length);
    file->is_nanogpt = says_nanogpt(header);
    json_decref(header);
    return status;
}

/* The length comes first and from the file: it is checked before that much memory is taken. */
ag_status ag_safetensors_list(ag_stored_file *file, uint64_t size)
{
    uint64_t length = 0;
    if (size < 8)
        return ag_fail(AG_ERR_FILE, "%s: no safetensors file: it has %llu bytes", file->path,
                       (unsigned long long)size);
    AG_TRY(ag_stored_bytes(&length, file, 0, 8));
    if (length > s_most_header || length > size - 8)
        return ag_fail(AG_ERR_FILE,
                       "%s: no safetensors file, or one that was cut short: its first 8 bytes "
                       "announce a header of %llu bytes, and it has %llu",
                       file->path, (unsigned long long)length, (unsigned long long)size);
    char *text = malloc((size_t)length + 1);
    if (text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the header of %s", file->path);
    ag_status status = ag_stored_bytes(text, file, 8, (size_t)length);
    if (status == AG_OK)
        status = read_header(file, text, (size_t)length, size);
    free(text);
    return status;
}
