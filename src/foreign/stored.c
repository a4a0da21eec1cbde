/* A file of tensors: opened, searched, and its elements brought to float32. Elements are read in
 * pieces, not mapped: a file that is cut short meanwhile is an error, not a signal. */
#include "foreign/stored.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/files.h"
#include "foreign_internal.h"

enum { PIECE = 2048 }; /* elements */

const size_t ag_stored_sizes[AG_STORED_TYPES] = {
    [AG_STORED_F64] = 8, [AG_STORED_F32] = 4, [AG_STORED_F16] = 2, [AG_STORED_BF16] = 2};

/* O_NONBLOCK: a named pipe would wait for its writer. The kind of file is told by its first bytes,
 * never by its name. */
ag_status ag_stored_open(ag_stored_file *file, const char *path)
{
    struct stat facts;
    *file = (ag_stored_file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    ag_arena_init_growing(&file->arena);
    if (file->fd < 0 || fstat(file->fd, &facts) != 0) {
        ag_fail_errno("%s", path);
        return AG_ERR_INPUT;
    }
    if (!S_ISREG(facts.st_mode))
        return ag_fail(AG_ERR_INPUT, "%s: a folder or device, not a file of weights", path);
    char magic[4] = "";
    if (facts.st_size >= 4)
        AG_TRY(ag_stored_bytes(magic, file, 0, sizeof magic));
    if (memcmp(magic, "PK\3\4", sizeof magic) == 0)
        return ag_npz_list(file, (uint64_t)facts.st_size);
    return ag_safetensors_list(file, (uint64_t)facts.st_size);
}

void ag_stored_close(ag_stored_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    ag_arena_deinit(&file->arena);
    *file = (ag_stored_file){.fd = -1};
}

ag_status ag_stored_bytes(void *out, const ag_stored_file *file, uint64_t offset, size_t size)
{
    ssize_t got = ag_read_at(file->fd, out, size, offset);
    if (got < 0)
        return ag_fail_errno("%s: cannot read", file->path);
    if ((size_t)got < size)
        return ag_fail(AG_ERR_FILE, "%s: ends before byte %llu: it was cut short", file->path,
                       (unsigned long long)offset + size);
    return AG_OK;
}

const ag_stored *ag_stored_find(const ag_stored_file *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->items[i].name, name) == 0)
            return &file->items[i];
    }
    return NULL;
}

/* --- elements */

/* IEEE 754 binary16: every value is exact in float32, a NaN keeps its bits. */
static float from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 31;
    uint32_t fraction = half & 1023;
    if (exponent == 0) {
        float value = ldexpf((float)fraction, -24);
        return sign != 0 ? -value : value;
    }
    exponent = exponent == 31 ? 255 : exponent + 112;
    return ag_bits_float(sign | exponent << 23 | fraction << 13);
}

/* BF16 is the upper half of a float32. A double is rounded to nearest: the one conversion that is
 * not exact. */
static void widen(float *out, const void *bytes, size_t count, ag_stored_type type)
{
    const uint16_t *halves = bytes;
    const double *doubles = bytes;
    for (size_t i = 0; i < count; i++) {
        if (type == AG_STORED_F64)
            out[i] = (float)doubles[i];
        else
            out[i] = type == AG_STORED_F16 ? from_half(halves[i])
                                           : ag_bits_float((uint32_t)halves[i] << 16);
    }
}

/* float32 is read straight to its place; others go through a small piece, so that a file needs no
 * memory of its size beside the weights. */
ag_status ag_stored_read(float *out, const ag_stored_file *file, const ag_stored *stored)
{
    double piece[PIECE] = {0}; /* of the widest type, and so aligned for all */
    if (stored->type == AG_STORED_TYPES)
        return ag_fail(AG_ERR_INPUT,
                       "%s: %s has elements of type %s; weights are F32, BF16, F16 or F64: convert "
                       "the file",
                       file->path, stored->name, stored->type_name);
    size_t size = ag_stored_sizes[stored->type];
    if (stored->type == AG_STORED_F32)
        return ag_stored_bytes(out, file, stored->offset, stored->count * size);
    for (uint64_t first = 0; first < stored->count; first += PIECE) {
        uint64_t left = stored->count - first;
        size_t count = left < PIECE ? (size_t)left : PIECE;
        AG_TRY(ag_stored_bytes(piece, file, stored->offset + first * size, count * size));
        widen(out + first, piece, count, stored->type);
    }
    return AG_OK;
}
