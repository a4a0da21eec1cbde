/* The state of an unfinished run on disk. A checkpoint is worth hours, and a wrong one is worth
 * less than none: a run that went on from another run's weights would be a result that nobody can
 * repeat. So whatever does not match exactly is refused, and the run begins anew.
 *
 * Plain file calls only: the trainer that writes it may meet a full disk, which must be an error
 * and leave the checkpoint before it as it was. The header is one struct without padding, so that
 * writing and reading are one call each and its digest covers every byte of it. */
#include "record/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32.h"
#include "base/files.h"
#include "record/record.h"
#include "run/digest.h"
#include "run/run.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are little-endian");

/* Raised whenever the meaning of a section changes. Other versions are refused, not read: to lose a
 * checkpoint costs time, to misread one costs the truth. */
enum { VERSION = 1 };
static const char s_magic[16] = "altgrad-ckpt\r\n\x1a"; /* a transfer as text would show */
/* What was refused may be somebody's: it gets this ending instead of being overwritten by the next
 * one. */
static const char s_aside[] = ".unused";

/* Names are stored, not numbers, so that a section can be added or left out without moving others.
 * All sizes have 64 bits: a model of some billion weights has sections beyond 4 GiB. */
typedef struct section_row {
    char name[AG_CHECKPOINT_NAME];
    uint64_t bytes;
    uint32_t crc32;
    uint32_t zero;
} section_row;

typedef struct header {
    char magic[sizeof s_magic];
    uint32_t version;
    uint32_t numerics;
    uint64_t file_bytes;
    uint64_t n_sections;
    char run_id[16];
    char digest_initial[72];
    char kernels[AG_CHECKPOINT_KERNELS];
    section_row rows[AG_CHECKPOINT_SECTIONS];
    char digest[72]; /* SHA-256 of everything before it, in hexadecimal */
} header;

_Static_assert(sizeof(section_row) == 40 && sizeof(header) == 1576, "a file has no padding");

struct ag_checkpoint {
    int fd;
    const char *path; /* borrowed */
    header header;
};

/* Over the header as it lies in memory, all members before the digest itself. The crc32 of each
 * section stands in the header, so that this one digest vouches for the sections too. */
static ag_status digest_of(char hex[AG_DIGEST_LENGTH + 1], const header *h)
{
    return ag_sha256_of(hex, h, offsetof(header, digest));
}

/* --- writing */

/* Zeroed first: bytes behind a short name are part of the file and of the digest, and equal states
 * must be equal files. */
static ag_status fill_header(header *h, const ag_checkpoint_key *key, const ag_section *sections,
                             size_t count)
{
    *h = (header){.version = VERSION,
                  .numerics = AG_NUMERICS_VERSION,
                  .file_bytes = sizeof *h,
                  .n_sections = count};
    memcpy(h->magic, s_magic, sizeof s_magic);
    snprintf(h->run_id, sizeof h->run_id, "%s", key->run_id);
    snprintf(h->digest_initial, sizeof h->digest_initial, "%s", key->digest_initial);
    snprintf(h->kernels, sizeof h->kernels, "%s", key->kernels);
    for (size_t i = 0; i < count; i++) {
        section_row *row = &h->rows[i];
        snprintf(row->name, sizeof row->name, "%s", sections[i].name);
        row->bytes = sections[i].bytes;
        row->crc32 = ag_crc32(sections[i].data, sections[i].bytes);
        h->file_bytes += row->bytes;
    }
    return digest_of(h->digest, h);
}

/* In one call of ag_write_pieces, which writes under a temporary name, syncs and renames: a kill at
 * any moment leaves either the checkpoint before or this one. */
ag_status ag_checkpoint_write(const char *path, const ag_checkpoint_key *key,
                              const ag_section *sections, size_t count)
{
    header h;
    ag_piece pieces[1 + AG_CHECKPOINT_SECTIONS] = {
        {&h, sizeof h}
    };
    if (count > AG_CHECKPOINT_SECTIONS)
        return ag_fail(AG_ERR_BUG, "a checkpoint of %zu sections", count);
    AG_TRY(fill_header(&h, key, sections, count));
    for (size_t i = 0; i < count; i++)
        pieces[1 + i] = (ag_piece){sections[i].data, sections[i].bytes};
    AG_TRY(ag_make_parent(path));
    return ag_write_pieces(path, pieces, 1 + count);
}

/* --- reading */

/* The end of the file before the section's end is damage. */
static ag_status read_at(const ag_checkpoint *checkpoint, const ag_section *section,
                         uint64_t offset)
{
    ssize_t got = ag_read_at(checkpoint->fd, section->data, section->bytes, offset);
    if (got < 0)
        return ag_fail_errno("cannot read %s", checkpoint->path);
    if ((size_t)got < section->bytes)
        return ag_fail(AG_ERR_FILE, "%s: cut off in the %s", checkpoint->path, section->name);
    return AG_OK;
}

/* Magic and version first: they say what the rest means. */
static ag_status check_layout(const ag_checkpoint *checkpoint)
{
    const header *h = &checkpoint->header;
    char digest[sizeof h->digest] = "";
    if (memcmp(h->magic, s_magic, sizeof s_magic) != 0)
        return ag_fail(AG_ERR_FILE, "%s: not a checkpoint of altgrad", checkpoint->path);
    if (h->version != VERSION)
        return ag_fail(AG_ERR_FILE, "%s: a checkpoint of version %u; this program knows version %d",
                       checkpoint->path, h->version, VERSION);
    AG_TRY(digest_of(digest, h));
    if (memcmp(digest, h->digest, sizeof digest) != 0 || h->n_sections > AG_CHECKPOINT_SECTIONS)
        return ag_fail(AG_ERR_FILE,
                       "%s: its header does not match its digest: the file was damaged after it "
                       "was written",
                       checkpoint->path);
    return AG_OK;
}

/* The header's digest says nothing of bytes that are missing or were added behind the last section.
 */
static ag_status check_size(const ag_checkpoint *checkpoint)
{
    struct stat facts;
    if (fstat(checkpoint->fd, &facts) != 0)
        return ag_fail_errno("cannot read %s", checkpoint->path);
    if (facts.st_size < 0 || (uint64_t)facts.st_size != checkpoint->header.file_bytes)
        return ag_fail(AG_ERR_FILE, "%s: has %lld bytes of %llu", checkpoint->path,
                       (long long)facts.st_size, (unsigned long long)checkpoint->header.file_bytes);
    return AG_OK;
}

/* In the order in which a user would ask: is it this run's, by this arithmetic, on a machine that
 * computes the same bits, and from the same initial weights? The last can differ though the id is
 * the same only where a file was changed behind our back. */
static ag_status check_key(const ag_checkpoint *checkpoint, const ag_checkpoint_key *key)
{
    const header *h = &checkpoint->header;
    const char *path = checkpoint->path;
    if (strcmp(h->run_id, key->run_id) != 0)
        return ag_fail(AG_ERR_FILE, "%s: of run %s, not of %s", path, h->run_id, key->run_id);
    if (h->numerics != AG_NUMERICS_VERSION)
        return ag_fail(AG_ERR_FILE,
                       "%s: by version %u of the numerics; this program has version %d", path,
                       h->numerics, AG_NUMERICS_VERSION);
    if (strcmp(h->kernels, key->kernels) != 0)
        return ag_fail(AG_ERR_FILE, "%s: computed by %s; here it is %s, which gives other bits",
                       path, h->kernels, key->kernels);
    if (strcmp(h->digest_initial, key->digest_initial) != 0)
        return ag_fail(AG_ERR_FILE, "%s: began with other weights (digest %.12s, here %.12s)", path,
                       h->digest_initial, key->digest_initial);
    return AG_OK;
}

static ag_status open_file(ag_checkpoint *checkpoint, const ag_checkpoint_key *key)
{
    ag_section whole = {"header", &checkpoint->header, sizeof checkpoint->header};
    AG_TRY(read_at(checkpoint, &whole, 0));
    AG_TRY(check_layout(checkpoint));
    AG_TRY(check_size(checkpoint));
    return check_key(checkpoint, key);
}

ag_status ag_checkpoint_open(ag_checkpoint **out, const char *path, const ag_checkpoint_key *key)
{
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would make us wait */
    if (fd < 0)
        return errno == ENOENT ? AG_OK : ag_fail_errno("cannot read %s", path);
    ag_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint == NULL) {
        close(fd);
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %s", path);
    }
    checkpoint->fd = fd;
    checkpoint->path = path;
    ag_status status = open_file(checkpoint, key);
    if (status == AG_OK)
        *out = checkpoint;
    else
        ag_checkpoint_close(checkpoint);
    return status;
}

void ag_checkpoint_close(ag_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    close(checkpoint->fd);
    free(checkpoint);
}

static ag_status bad_crc(const ag_checkpoint *checkpoint, const char *section)
{
    return ag_fail(AG_ERR_FILE,
                   "%s: section %s does not match its crc32: the file was damaged after it was "
                   "written",
                   checkpoint->path, section);
}

/* By name: a checkpoint of an earlier build may hold its sections in another order. */
static ag_status read_section(const ag_checkpoint *checkpoint, const ag_section *section)
{
    const header *h = &checkpoint->header;
    uint64_t offset = sizeof *h;
    size_t i = 0;
    for (; i < h->n_sections && strcmp(h->rows[i].name, section->name) != 0; i++)
        offset += h->rows[i].bytes;
    if (i == h->n_sections)
        return ag_fail(AG_ERR_FILE, "%s: has no section %s", checkpoint->path, section->name);
    if (h->rows[i].bytes != section->bytes)
        return ag_fail(AG_ERR_FILE, "%s: section %s has %llu bytes where %zu are expected",
                       checkpoint->path, section->name, (unsigned long long)h->rows[i].bytes,
                       section->bytes);
    AG_TRY(read_at(checkpoint, section, offset));
    return ag_crc32(section->data, section->bytes) == h->rows[i].crc32
               ? AG_OK
               : bad_crc(checkpoint, section->name);
}

ag_status ag_checkpoint_read(ag_checkpoint *checkpoint, const ag_section *sections, size_t count)
{
    for (size_t i = 0; i < count; i++)
        AG_TRY(read_section(checkpoint, &sections[i]));
    return AG_OK;
}

size_t ag_checkpoint_size(const ag_checkpoint *checkpoint, const char *name)
{
    const header *h = &checkpoint->header;
    for (size_t i = 0; i < h->n_sections; i++) {
        if (strncmp(h->rows[i].name, name, sizeof h->rows[i].name) == 0)
            return (size_t)h->rows[i].bytes;
    }
    return 0;
}

/* --- without the run */

/* Into memory of its own: `altgrad check` looks at checkpoints without a run that would have room
 * for them. */
static ag_status verify_section(const ag_checkpoint *checkpoint, const section_row *row,
                                uint64_t offset)
{
    ag_section section = {row->name, malloc((size_t)row->bytes + 1), (size_t)row->bytes};
    if (section.data == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %s", checkpoint->path);
    ag_status status = read_at(checkpoint, &section, offset);
    if (status == AG_OK && ag_crc32(section.data, section.bytes) != row->crc32)
        status = bad_crc(checkpoint, row->name);
    free(section.data);
    return status;
}

/* For callers who know which run a checkpoint should be of, but not the weights that it began with.
 */
static ag_status read_header(const ag_checkpoint *checkpoint, const char *run_id)
{
    const header *h = &checkpoint->header;
    ag_section whole = {"header", (void *)h, sizeof *h};
    AG_TRY(read_at(checkpoint, &whole, 0));
    AG_TRY(check_layout(checkpoint));
    AG_TRY(check_size(checkpoint));
    if (strcmp(h->run_id, run_id) != 0)
        return ag_fail(AG_ERR_FILE, "%s: of run %s, not of %s", checkpoint->path, h->run_id,
                       run_id);
    return AG_OK;
}

static ag_status verify(const ag_checkpoint *checkpoint, const char *run_id)
{
    const header *h = &checkpoint->header;
    uint64_t offset = sizeof *h;
    AG_TRY(read_header(checkpoint, run_id));
    for (size_t i = 0; i < h->n_sections; i++) {
        AG_TRY(verify_section(checkpoint, &h->rows[i], offset));
        offset += h->rows[i].bytes;
    }
    return AG_OK;
}

ag_status ag_checkpoint_verify(const char *path, const char *run_id)
{
    ag_checkpoint checkpoint = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = path};
    if (checkpoint.fd < 0)
        return ag_fail_errno("cannot read %s", path);
    ag_status status = verify(&checkpoint, run_id);
    close(checkpoint.fd);
    return status;
}

/* The name of the section and its first member are a promise of the trainer's: `status` and `plan`
 * tell from them how far a run is, without linking the trainer. */
static ag_status read_step(int64_t *step, const ag_checkpoint *checkpoint, const char *run_id)
{
    const header *h = &checkpoint->header;
    uint64_t offset = sizeof *h;
    AG_TRY(read_header(checkpoint, run_id));
    for (size_t i = 0; i < h->n_sections; i++) {
        ag_section start = {h->rows[i].name, step, sizeof *step};
        if (strcmp(h->rows[i].name, AG_CHECKPOINT_STANDING) == 0 &&
            h->rows[i].bytes >= sizeof *step && h->numerics == AG_NUMERICS_VERSION)
            return read_at(checkpoint, &start, offset);
        offset += h->rows[i].bytes;
    }
    return AG_OK;
}

/* Every trouble counts as no checkpoint: the caller only shows a number, and the trainer will tell
 * what is wrong with the file. */
int64_t ag_checkpoint_step(const char *path, const char *run_id)
{
    int64_t step = 0;
    ag_checkpoint checkpoint = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = path};
    if (checkpoint.fd < 0)
        return 0;
    if (read_step(&step, &checkpoint, run_id) != AG_OK) {
        ag_error_clear();
        step = 0;
    }
    close(checkpoint.fd);
    return step > 0 ? step : 0;
}

/* The temporary too: a trainer that was killed while it wrote has left one, and nobody else would
 * look for it once the run is complete. */
void ag_checkpoint_remove(const char *path)
{
    char temporary[AG_PATH_SIZE];
    int length = snprintf(temporary, sizeof temporary, "%s" AG_TEMPORARY, path);
    unlink(path);
    if (length >= 0 && length < AG_PATH_SIZE)
        unlink(temporary);
}

const char *ag_checkpoint_set_aside(const char *path)
{
    char aside[AG_PATH_SIZE];
    int length = snprintf(aside, sizeof aside, "%s%s", path, s_aside);
    if (length < 0 || length >= AG_PATH_SIZE || rename(path, aside) != 0)
        return NULL;
    return s_aside;
}
