/* Files that are whole under their name, or not there: written beside it, synced, and renamed, as
 * POSIX makes a rename replace its target at once. The folder is synced after the rename, without
 * which a power failure could undo it. Readers need no lock: they see the old file or the new one.
 *
 * Failures carry the path and what the system said, since "no space left" without a path helps
 * nobody. Folders and files are made with all permissions that the umask leaves, as a shell would.
 */
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"

/* The message shows both ends of the path, whose middle is what is too long. */
ag_status ag_path_join(char path[AG_PATH_SIZE], const char *folder, const char *name)
{
    int length = snprintf(path, AG_PATH_SIZE, "%s/%s", folder, name);
    if (length < 0 || length >= AG_PATH_SIZE)
        return ag_fail(AG_ERR_INPUT, "the path %.80s.../%.80s is longer than %d characters", folder,
                       name, AG_PATH_SIZE);
    return AG_OK;
}

/* As dirname(1), without changing its argument. */
void ag_folder_of(char folder[AG_PATH_SIZE], const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(folder, AG_PATH_SIZE, ".");
    else
        snprintf(folder, AG_PATH_SIZE, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

ag_status ag_temporary_path(char temporary[AG_PATH_SIZE], const char *path)
{
    int length = snprintf(temporary, AG_PATH_SIZE, "%s" AG_TEMPORARY, path);
    if (length < 0 || length >= AG_PATH_SIZE)
        return ag_fail(AG_ERR_INPUT, "the path %.80s... is too long", path);
    return AG_OK;
}

/* Some file systems cannot sync a folder; their renames are as safe as they get. */
ag_status ag_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ag_fail_errno("cannot open %s", folder);
    bool failed = fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP;
    ag_status status = failed ? ag_fail_errno("cannot sync %s", folder) : AG_OK;
    close(fd);
    return status;
}

ag_status ag_rename_synced(const char *from, const char *to)
{
    char folder[AG_PATH_SIZE];
    ag_folder_of(folder, to);
    if (rename(from, to) != 0)
        return ag_fail_errno("cannot rename %s to %s", from, to);
    return ag_sync_folder(folder);
}

/* At an offset; NULL: where the descriptor stands. */
static bool write_all_at(int fd, const char *bytes, size_t size, const uint64_t *offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = offset == NULL
                              ? write(fd, bytes + done, size - done)
                              : pwrite(fd, bytes + done, size - done, (off_t)(*offset + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

bool ag_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
    return write_all_at(fd, bytes, size, &offset);
}

static bool last_line_is_cut(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && ag_read_at(fd, &last, 1, (uint64_t)size - 1) == 1 && last != '\n';
}

/* Opened for reading too, to see the last byte. */
bool ag_append_lines(const char *path, const char *lines, bool anew)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (anew ? O_TRUNC : 0), 0666);
    if (fd < 0)
        return false;
    bool written = !last_line_is_cut(fd) || write_all_at(fd, "\n", 1, NULL);
    written = written && write_all_at(fd, lines, strlen(lines), NULL);
    return close(fd) == 0 && written;
}

/* A disk that fills up shows only when data is synced, so both are one failure with the size in it.
 */
static ag_status write_all(int fd, const char *path, const ag_piece *pieces, size_t count)
{
    size_t size = 0;
    bool written = true;
    for (size_t i = 0; i < count; i++)
        size += pieces[i].size;
    for (size_t i = 0; i < count && written; i++)
        written = write_all_at(fd, pieces[i].data, pieces[i].size, NULL);
    if (!written || fsync(fd) != 0)
        return ag_fail_errno("cannot write the %zu bytes of %s", size, path);
    return AG_OK;
}

/* Writes and syncs the temporary file. Messages name `path`, which the user knows. */
static ag_status write_new(const char *temporary, const char *path, const ag_piece *pieces,
                           size_t count)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return ag_fail_errno("cannot create %s", temporary);
    ag_status status = write_all(fd, path, pieces, count);
    if (close(fd) != 0 && status == AG_OK)
        status = ag_fail_errno("cannot write %s", path);
    return status;
}

/* The check comes after the sync and before the rename: another process may have taken over
 * meanwhile, and then its file must stay. */
ag_status ag_write_checked(const char *path, const ag_piece *pieces, size_t count,
                           ag_write_check *check, void *context)
{
    char temporary[AG_PATH_SIZE];
    AG_TRY(ag_temporary_path(temporary, path));
    ag_status status = write_new(temporary, path, pieces, count);
    if (status == AG_OK && check != NULL)
        status = check(context);
    if (status == AG_OK)
        status = ag_rename_synced(temporary, path);
    if (status != AG_OK)
        unlink(temporary);
    return status;
}

ag_status ag_write_pieces(const char *path, const ag_piece *pieces, size_t count)
{
    return ag_write_checked(path, pieces, count, NULL, NULL);
}

ag_status ag_write_whole(const char *path, const void *bytes, size_t size)
{
    return ag_write_pieces(path, &(ag_piece){bytes, size}, 1);
}

ssize_t ag_read_at(int fd, void *out, size_t size, uint64_t offset)
{
    char *to = out;
    size_t done = 0;
    ssize_t got = 1;
    while (done < size && got != 0) {
        got = pread(fd, to + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR)
            return -1;
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

/* A file that is not there is AG_ERR_FILE, so that callers can tell it from a disk that fails. */
ag_status ag_read_whole(ag_text *text, const char *path)
{
    char part[16 * 1024];
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT)
        return ag_fail(AG_ERR_FILE, "cannot read %s: %s", path, strerror(errno));
    if (file == NULL)
        return ag_fail_errno("cannot read %s", path);
    size_t count;
    while ((count = fread(part, 1, sizeof part, file)) > 0)
        ag_text_add_n(text, part, count);
    ag_status status = AG_OK;
    if (ferror(file) != 0)
        status = ag_fail_errno("cannot read %s", path);
    else if (text->failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory for %s", path);
    (void)fclose(file);
    return status;
}

/* As mkdir -p: what exists already is fine, also if another process has just made it. */
ag_status ag_make_folders(const char *path)
{
    char partial[AG_PATH_SIZE];
    snprintf(partial, sizeof partial, "%s", path);
    for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST)
            return ag_fail_errno("cannot create the folder %s", partial);
        *slash = '/';
    }
    if (mkdir(partial, 0777) != 0 && errno != EEXIST)
        return ag_fail_errno("cannot create the folder %s", partial);
    return AG_OK;
}

ag_status ag_make_parent(const char *path)
{
    char folder[AG_PATH_SIZE];
    ag_folder_of(folder, path);
    return ag_make_folders(folder);
}

bool ag_is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool ag_is_file(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* A folder of files, without folders inside. Best effort: what stays is removed the next time. */
void ag_remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path);
}

/* f_bavail, not f_bfree: the blocks that root keeps are not for us. */
ag_status ag_room_check(const char *folder, const char *what, double bytes)
{
    struct statvfs fs;
    if (statvfs(folder, &fs) != 0)
        return ag_fail_errno("cannot tell how full the disk of %s is", folder);
    double room = (double)fs.f_bavail * (double)fs.f_frsize;
    if (room < bytes)
        return ag_fail(AG_ERR_SYSTEM,
                       "%s: no space left: about %.0f MiB are needed and the disk has %.0f MiB. "
                       "What is stored already is safe; make room and run the same command again",
                       what, bytes / 1048576, room / 1048576);
    return AG_OK;
}

/* A file without a name, so that a kill leaves nothing; where there are none, or the file system
 * cannot reserve, the size of its free space must do. */
ag_status ag_reserve(const char *folder, const char *what, double bytes)
{
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EOPNOTSUPP || errno == EISDIR ? AG_OK
                                                      : ag_fail_errno("cannot write in %s", folder);
    int failed;
    do
        failed = fallocate(fd, 0, 0, (off_t)bytes); /* in memory a signal may end it */
    while (failed != 0 && errno == EINTR);
    ag_status status = AG_OK;
    if (failed != 0 && errno != EOPNOTSUPP)
        status = ag_fail_errno("%s: there is no room for about %.1f MiB (what is stored already is "
                               "safe; make room and run the same command again)",
                               what, bytes / 1048576);
    close(fd);
    return status;
}
