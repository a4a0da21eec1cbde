/* The state of an unfinished run as one file, from which it goes on bit for bit.
 *
 *   header     magic, versions, whose it is, the sections' names, sizes and crc32, and the SHA-256
 *              of all that
 *   sections   arrays as they lie in memory, little-endian, one after another
 *
 * Plain file calls: a full disk is an error and nothing worse, and the checkpoint before stays.
 * The file knows neither time nor host nor rank. */
#ifndef AG_RECORD_CHECKPOINT_H
#define AG_RECORD_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "record/record.h"

enum { AG_CHECKPOINT_SECTIONS = 32, AG_CHECKPOINT_NAME = 24, AG_CHECKPOINT_KERNELS = 96 };

/* Whose a checkpoint is; somebody else's is refused. */
typedef struct ag_checkpoint_key {
    const char *run_id;
    const char *digest_initial;          /* of the weights that the run began with */
    char kernels[AG_CHECKPOINT_KERNELS]; /* what computes: others give other bits */
} ag_checkpoint_key;

/* Replaces the checkpoint at `path`, whose folder is made where it is missing: temporary name,
 * fsync, rename, fsync of the folder. At most AG_CHECKPOINT_SECTIONS sections, with names shorter
 * than AG_CHECKPOINT_NAME. */
ag_status ag_checkpoint_write(const char *path, const ag_checkpoint_key *key,
                              const ag_section *sections, size_t count);

typedef struct ag_checkpoint ag_checkpoint;

/* Opens the checkpoint at `path` and checks its header. No file is no failure: *out is NULL then.
 * AG_ERR_FILE, with the path and the reason, when it is damaged, of another version, or not the
 * key's. */
ag_status ag_checkpoint_open(ag_checkpoint **out, const char *path, const ag_checkpoint_key *key);
void ag_checkpoint_close(ag_checkpoint *checkpoint);

/* Fills each section from its namesake. AG_ERR_FILE when that is missing, has another size or does
 * not match its crc32; sections may then be filled in part. */
ag_status ag_checkpoint_read(ag_checkpoint *checkpoint, const ag_section *sections, size_t count);

/* Bytes of the section of that name; 0 where there is none. */
size_t ag_checkpoint_size(const ag_checkpoint *checkpoint, const char *name);

/* Whether every byte of the checkpoint is as it was written, and of that run. AG_ERR_FILE, with the
 * path and the reason, where it is not. */
ag_status ag_checkpoint_verify(const char *path, const char *run_id);

/* Name and beginning of the section that says where the run stands: its step, an int64_t. */
#define AG_CHECKPOINT_STANDING "standing"

/* The steps that the checkpoint of a run at `path` has behind it; 0 where there is none that this
 * program could go on from. Nothing but the header and that number is read. */
int64_t ag_checkpoint_step(const char *path, const char *run_id);

/* Removes the checkpoint of a run whose results are safe, and what a kill may have left of one.
 * Best effort: what stays does no harm. */
void ag_checkpoint_remove(const char *path);

/* Renames a file that was refused, so that the next checkpoint does not overwrite what may be
 * somebody's; returns the ending that its name has now, or NULL when it stays where it is. */
const char *ag_checkpoint_set_aside(const char *path);

#endif
