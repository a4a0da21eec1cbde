/* Files that survive a kill and a full disk: whole under their name, or not there. Plain file
 * calls; a failure is AG_ERR_SYSTEM, with the path and the reason, unless something else is said.
 */
#ifndef AG_BASE_FILES_H
#define AG_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"
#include "base/text.h"

#define AG_TEMPORARY ".part"
enum { AG_PATH_SIZE = 4096 };

/* A part of a file to be written. */
typedef struct ag_piece {
    const void *data;
    size_t size;
} ag_piece;

/* "folder/name". AG_ERR_INPUT where that is too long. */
ag_status ag_path_join(char path[AG_PATH_SIZE], const char *folder, const char *name);
/* Reads `size` bytes at an offset, beginning again where a signal came between. Returns how many
 * the file had, or -1 with errno. */
ssize_t ag_read_at(int fd, void *out, size_t size, uint64_t offset);

/* Writes all bytes at an offset, going on after a part of them or a signal. False with errno: a
 * disk that fills up in between says so only then. */
bool ag_write_at(int fd, const void *bytes, size_t size, uint64_t offset);

/* Appends whole lines by one write, so that a kill leaves at most the last one cut; a line that was
 * cut before stays one of its own. `anew`: in place of what is there. False with errno. */
bool ag_append_lines(const char *path, const char *lines, bool anew);

/* Writes a file whole: beside its name, synced, then renamed. What was there stays until then, and
 * after a failure. */
ag_status ag_write_whole(const char *path, const void *bytes, size_t size);
ag_status ag_write_pieces(const char *path, const ag_piece *pieces, size_t count);

/* The same; the bytes, written and synced, get their name only if `check` says AG_OK then. */
typedef ag_status ag_write_check(void *context);
ag_status ag_write_checked(const char *path, const ag_piece *pieces, size_t count,
                           ag_write_check *check, void *context);

/* Appends a whole file. AG_ERR_FILE where there is none. */
ag_status ag_read_whole(ag_text *text, const char *path);
/* path + AG_TEMPORARY */
ag_status ag_temporary_path(char temporary[AG_PATH_SIZE], const char *path);
/* The folder that a path lies in, "." for a bare name. */
void ag_folder_of(char folder[AG_PATH_SIZE], const char *path);

/* A rename that survives a power failure: the folder is synced after it. */
ag_status ag_rename_synced(const char *from, const char *to);
ag_status ag_sync_folder(const char *folder);

/* Makes a folder and those above it (mkdir -p), and those above a file. */
ag_status ag_make_folders(const char *path);
ag_status ag_make_parent(const char *path);

/* Removes a folder with the files in it, as far as that is possible; folders within stay. */
void ag_remove_folder(const char *path);
bool ag_is_folder(const char *path);
bool ag_is_file(const char *path);

/* libhdf5 crashes where the disk is full, so the room is looked for before it writes. */
ag_status ag_room_check(const char *folder, const char *what, double bytes);

/* Whether so many bytes can be had in a folder, by having them for a moment: quotas and limits of
 * size do not show otherwise. */
ag_status ag_reserve(const char *folder, const char *what, double bytes);

#endif
