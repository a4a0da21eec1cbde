/* numpy's .npz: a zip archive of arrays that np.savez stored as they are. Every offset comes from
 * the file and is checked before it is followed; each array's crc32 is, too. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "foreign_internal.h"

/* Records of the format (APPNOTE 4.3), without their variable parts. */
enum { LOCAL = 30, CENTRAL = 46, END = 22, LONGEST_COMMENT = 65535 };
enum { LONGEST_NAME = 200, LONGEST_HEADER = 4096 };

/* An entry as the directory has it. */
typedef struct entry {
    char name[LONGEST_NAME + 1];
    unsigned method;
    uint32_t crc;
    uint64_t size;
    uint64_t local; /* where its local header is */
} entry;

typedef struct archive {
    ag_stored_file *file;
    uint64_t size;
    unsigned char *directory; /* [directory_size] */
    size_t directory_size;
    size_t count;
} archive;

/* Little-endian, byte by byte: fields of the format are aligned nowhere. */
static uint64_t whole(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static ag_status damaged(const archive *a, const char *what)
{
    return ag_fail(AG_ERR_FILE, "%s: a damaged .npz file, or none: %s", a->file->path, what);
}

/* The last record, behind which only a comment may be. */
static ag_status find_directory(archive *a)
{
    size_t tail = a->size < END + LONGEST_COMMENT ? (size_t)a->size : END + LONGEST_COMMENT;
    unsigned char *bytes = ag_arena_alloc(&a->file->arena, tail + 1);
    if (bytes == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_stored_bytes(bytes, a->file, a->size - tail, tail));
    for (size_t at = tail < END ? 0 : tail - END + 1; at-- > 0;) {
        if (memcmp(bytes + at, "PK\5\6", 4) != 0)
            continue;
        uint64_t first = whole(bytes + at + 16, 4);
        a->count = (size_t)whole(bytes + at + 10, 2);
        a->directory_size = (size_t)whole(bytes + at + 12, 4);
        if (a->count == 0xffff || first == 0xffffffff)
            return damaged(a, "it has more entries or bytes than 32 bits count");
        if (first + a->directory_size > a->size)
            return damaged(a, "its directory lies beyond its end");
        a->directory = ag_arena_alloc(&a->file->arena, a->directory_size + 1);
        if (a->directory == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        return ag_stored_bytes(a->directory, a->file, first, a->directory_size);
    }
    return damaged(a, "it has no directory: it was cut short");
}

/* numpy reserves fields of 64 bits for what needs none; the directory has them where it does. */
static ag_status next_entry(entry *e, size_t *at, const archive *a)
{
    const unsigned char *record = a->directory + *at;
    if (a->directory == NULL || a->directory_size - *at < CENTRAL ||
        memcmp(record, "PK\1\2", 4) != 0)
        return damaged(a, "its directory ends early");
    size_t name = (size_t)whole(record + 28, 2);
    size_t rest = (size_t)whole(record + 30, 2) + (size_t)whole(record + 32, 2);
    if (a->directory_size - *at - CENTRAL < name + rest)
        return damaged(a, "its directory ends early");
    *e = (entry){.method = (unsigned)whole(record + 10, 2),
                 .crc = (uint32_t)whole(record + 16, 4),
                 .size = whole(record + 24, 4),
                 .local = whole(record + 42, 4)};
    if (name > LONGEST_NAME || memchr(record + CENTRAL, '\0', name) != NULL)
        return damaged(a, "an entry has a name that no tensor has");
    memcpy(e->name, record + CENTRAL, name);
    *at += CENTRAL + name + rest;
    if (e->method != 0)
        return ag_fail(AG_ERR_INPUT, "%s: its arrays are compressed; write it by np.savez",
                       a->file->path);
    if (e->size == 0xffffffff || e->local == 0xffffffff)
        return damaged(a, "an array of 4 GiB or more");
    return AG_OK;
}

/* Read once more in pieces: arrays go to their places only when all of the file is good. */
static ag_status check_crc(const archive *a, const entry *e, uint64_t first)
{
    unsigned char piece[16384];
    uint32_t crc = 0;
    for (uint64_t done = 0; done < e->size;) {
        uint64_t left = e->size - done;
        size_t count = left < sizeof piece ? (size_t)left : sizeof piece;
        AG_TRY(ag_stored_bytes(piece, a->file, first + done, count));
        crc = ag_crc32_add(crc, piece, count);
        done += count;
    }
    return crc == e->crc ? AG_OK : damaged(a, "an array does not match its crc32");
}

/* --- the array */

static const struct {
    const char *name;
    ag_stored_type type;
} s_types[] = {
    {"'<f4'", AG_STORED_F32},
    {"'<f8'", AG_STORED_F64},
    {"'<f2'", AG_STORED_F16}
};

/* "{'descr': '<f4', 'fortran_order': False, 'shape': (11, 16), }" */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    return at != NULL ? at + strlen(key) + strspn(at + strlen(key), ": ") : NULL;
}

/* "(11, 16)", "(11,)" or "()". A count beyond 64 bits is refused: nothing so large is in the file.
 */
static bool read_shape(ag_stored *stored, const char *text)
{
    if (text == NULL || *text++ != '(')
        return false;
    stored->count = 1;
    while (*text != ')') {
        char *end = NULL;
        uint64_t dim = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || stored->n_dims == AG_STORED_DIMS ||
            __builtin_mul_overflow(stored->count, dim, &stored->count))
            return false;
        stored->dims[stored->n_dims++] = dim;
        text = end + strspn(end, ", ");
    }
    return true;
}

/* A Python literal, but always by numpy and with these three keys. Types that are not ours are left
 * to the message of who reads them. */
static bool read_header(ag_stored *stored, const char *header, ag_arena *arena)
{
    const char *type = value_of(header, "'descr'");
    const char *order = value_of(header, "'fortran_order'");
    if (type == NULL || order == NULL || !read_shape(stored, value_of(header, "'shape'")))
        return false;
    stored->type = AG_STORED_TYPES;
    stored->type_name = ag_arena_strndup(arena, type, strcspn(type, ",}"));
    for (size_t i = 0; i < sizeof s_types / sizeof s_types[0]; i++) {
        if (strncmp(type, s_types[i].name, strlen(s_types[i].name)) == 0)
            stored->type = s_types[i].type;
    }
    stored->is_turned = stored->n_dims > 1 && strncmp(order, "True", 4) == 0;
    return stored->type_name != NULL;
}

/* Magic, version, length of the header, header (numpy.lib.format). */
static ag_status read_array(ag_stored *stored, const archive *a, const entry *e, uint64_t first)
{
    unsigned char start[12] = {0};
    char header[LONGEST_HEADER + 1] = "";
    if (e->size < sizeof start)
        return damaged(a, "an entry is no array");
    AG_TRY(ag_stored_bytes(start, a->file, first, sizeof start));
    bool is_first = start[6] == 1;
    size_t before = is_first ? 10 : 12;
    size_t length = (size_t)whole(start + 8, is_first ? 2 : 4);
    if (memcmp(start, "\x93NUMPY", 6) != 0 || length > LONGEST_HEADER || before + length > e->size)
        return damaged(a, "an entry is no array");
    AG_TRY(ag_stored_bytes(header, a->file, first + before, length));
    if (!read_header(stored, header, &a->file->arena))
        return damaged(a, "an array has a header that numpy does not write");
    uint64_t bytes = 0;
    stored->offset = first + before + length;
    if (stored->type != AG_STORED_TYPES &&
        (__builtin_mul_overflow(stored->count, ag_stored_sizes[stored->type], &bytes) ||
         bytes != e->size - before - length))
        return damaged(a, "an array has other bytes than its shape needs");
    return AG_OK;
}

/* The local header repeats the name, and may have other extra fields than the directory says: its
 * own lengths count. */
static ag_status read_entry(ag_stored *stored, const archive *a, const entry *e)
{
    unsigned char local[LOCAL] = {0};
    if (e->local > a->size || a->size - e->local < LOCAL)
        return damaged(a, "an entry lies beyond its end");
    AG_TRY(ag_stored_bytes(local, a->file, e->local, LOCAL));
    uint64_t first = e->local + LOCAL + whole(local + 26, 2) + whole(local + 28, 2);
    if (memcmp(local, "PK\3\4", 4) != 0 || first > a->size || a->size - first < e->size)
        return damaged(a, "an entry lies beyond its end");
    size_t length = strlen(e->name);
    size_t stem = length > 4 && strcmp(e->name + length - 4, ".npy") == 0 ? length - 4 : length;
    stored->name = ag_arena_strndup(&a->file->arena, e->name, stem);
    if (stored->name == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (ag_stored_find(a->file, stored->name) != NULL)
        return damaged(a, "two entries have one name");
    AG_TRY(read_array(stored, a, e, first));
    return check_crc(a, e, first);
}

/* By the directory at the end, as every reader of zip does: what lies between entries may be
 * anything. */
ag_status ag_npz_list(ag_stored_file *file, uint64_t size)
{
    archive a = {.file = file, .size = size};
    AG_TRY(find_directory(&a));
    file->is_nanogpt = true;
    file->items = ag_arena_alloc(&file->arena, (a.count + 1) * sizeof *file->items);
    if (file->items == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    size_t at = 0;
    for (size_t i = 0; i < a.count; i++) {
        entry e = {0};
        AG_TRY(next_entry(&e, &at, &a));
        AG_TRY(read_entry(&file->items[i], &a, &e));
        file->count++;
    }
    return AG_OK;
}
