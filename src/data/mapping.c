/* Memory that is mapped: files, of which all trainers of a host share one copy in the page cache,
 * and room for tokens, of which only what is touched is taken from the system. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data_internal.h"

/* Whatever is no regular file could wait, or change, or never end. */
static ag_status map_open_file(ag_mapping *mapping, int file, const char *key, const char *path)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return ag_fail_errno("%s '%s': cannot be examined", key, path);
    if (!S_ISREG(info.st_mode))
        return ag_fail(AG_ERR_INPUT, "%s '%s': is %s, expected a regular file", key, path,
                       S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
    if (info.st_size == 0)
        return ag_fail(AG_ERR_INPUT, "%s '%s': the file is empty", key, path);
    size_t bytes = (size_t)info.st_size;
    void *base = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (base == MAP_FAILED)
        return ag_fail_errno("%s '%s': cannot be read", key, path);
    (void)madvise(base, bytes, MADV_SEQUENTIAL);
    *mapping = (ag_mapping){.base = base, .bytes = bytes};
    return AG_OK;
}

ag_status ag_map_file(ag_mapping *mapping, const char *key, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make it wait */
    if (file < 0)
        return ag_fail(AG_ERR_INPUT, "%s '%s': cannot be opened: %s%s", key, path, strerror(errno),
                       errno == ENOENT ? " (a path in the experiment file is relative to that "
                                         "file; --set KEY=PATH names another)"
                                       : "");
    ag_status status = map_open_file(mapping, file, key, path);
    close(file);
    return status;
}

/* MAP_NORESERVE: a text of n bytes has at most n tokens, usually far fewer; the rest costs nothing.
 */
ag_status ag_map_memory(ag_mapping *mapping, size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return ag_fail_errno("no memory for %zu bytes of tokens", bytes);
    *mapping = (ag_mapping){.base = base, .bytes = bytes};
    return AG_OK;
}

/* mremap(2) in place; where it fails, the rest stays, untouched and so without memory. */
void ag_map_shrink(ag_mapping *mapping, size_t bytes)
{
    void *base = mremap(mapping->base, mapping->bytes, bytes, 0);
    if (base != MAP_FAILED)
        *mapping = (ag_mapping){.base = base, .bytes = bytes};
}

void ag_unmap(ag_mapping *mapping)
{
    if (mapping->base != NULL)
        munmap(mapping->base, mapping->bytes);
    *mapping = (ag_mapping){0};
}
