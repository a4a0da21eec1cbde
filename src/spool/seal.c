/* The checksums inside of a run file cover its arrays, those of HDF5 its headers; texts and gaps
 * have none. The seal covers every byte. HDF5 does not look behind its own end of the file. */
#include "spool/seal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32.h"
#include "base/files.h"

/* A fixed length at the end of the file is found without reading anything else. Numbers have all
 * their digits, so that the text of a size is always as long. */
enum { SEAL_BYTES = 64, PART_BYTES = 1 << 18 };

static const char s_title[] = "altgrad-seal 1 ";

/* "altgrad-seal 1 bytes=... crc32=..." of SEAL_BYTES, a newline among them. */
static void print_seal(char seal[SEAL_BYTES + 1], uint64_t size, uint32_t crc)
{
    char text[SEAL_BYTES];
    snprintf(text, sizeof text, "%sbytes=%020" PRIu64 " crc32=%08" PRIx32, s_title, size, crc);
    snprintf(seal, SEAL_BYTES + 1, "%-*s\n", SEAL_BYTES - 1, text);
}

/* In parts: results files can be larger than memory. A file that shrinks meanwhile is being written
 * by somebody, which is no damage. */
static ag_status crc_of(uint32_t *crc, int fd, uint64_t size, const char *path)
{
    unsigned char *part = malloc(PART_BYTES);
    uint32_t sum = 0;
    uint64_t done = 0;
    ssize_t got = 1;
    if (part == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    while (done < size && got > 0) {
        uint64_t left = size - done;
        got = ag_read_at(fd, part, left < PART_BYTES ? (size_t)left : PART_BYTES, done);
        sum = ag_crc32_add(sum, part, got > 0 ? (size_t)got : 0);
        done += got > 0 ? (uint64_t)got : 0;
    }
    ag_status status = got < 0 ? ag_fail_errno("cannot read %s", path) : AG_OK;
    free(part);
    *crc = sum;
    if (status == AG_OK && done < size)
        return ag_fail(AG_ERR_SYSTEM, "%s became shorter while it was read", path);
    return status;
}

/* For a file without a name, as trainers write it in memory. */
ag_status ag_seal_fd(int fd, const char *path)
{
    char seal[SEAL_BYTES + 1];
    struct stat facts;
    uint32_t crc = 0;
    if (fstat(fd, &facts) != 0)
        return ag_fail_errno("cannot read %s", path);
    AG_TRY(crc_of(&crc, fd, (uint64_t)facts.st_size, path));
    print_seal(seal, (uint64_t)facts.st_size, crc);
    if (!ag_write_at(fd, seal, SEAL_BYTES, (uint64_t)facts.st_size))
        return ag_fail_errno("cannot write %s", path);
    return AG_OK;
}

ag_status ag_seal_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return ag_fail_errno("cannot open %s", path);
    ag_status status = ag_seal_fd(fd, path);
    if (status == AG_OK && fsync(fd) != 0)
        status = ag_fail_errno("cannot write %s", path);
    close(fd);
    return status;
}

/* The last bytes of a file; *found is false where it has fewer, or they are no seal. */
static ag_status read_seal(bool *found, char seal[SEAL_BYTES], uint64_t *size, int fd,
                           const char *path)
{
    struct stat facts;
    *found = false;
    if (fstat(fd, &facts) != 0)
        return ag_fail_errno("cannot read %s", path);
    if (facts.st_size < SEAL_BYTES)
        return AG_OK;
    ssize_t got = pread(fd, seal, SEAL_BYTES, facts.st_size - SEAL_BYTES);
    if (got < 0)
        return ag_fail_errno("cannot read %s", path);
    *size = (uint64_t)facts.st_size - SEAL_BYTES;
    *found = got == SEAL_BYTES && strncmp(seal, s_title, strlen(s_title)) == 0;
    return AG_OK;
}

/* The seal that the file should have is printed and compared as text: one comparison for size, sum
 * and layout. */
static ag_status check(int fd, const char *path)
{
    char seal[SEAL_BYTES];
    char expected[SEAL_BYTES + 1];
    uint64_t size;
    uint32_t crc = 0;
    bool found;
    AG_TRY(read_seal(&found, seal, &size, fd, path));
    if (!found)
        return ag_fail(AG_ERR_FILE,
                       "%s: damaged, or changed by another program: it lacks the checksum that it "
                       "ends in when it is "
                       "written",
                       path);
    AG_TRY(crc_of(&crc, fd, size, path));
    print_seal(expected, size, crc);
    if (memcmp(seal, expected, SEAL_BYTES) != 0)
        return ag_fail(AG_ERR_FILE,
                       "%s: damaged, or changed by another program: it does not match the checksum "
                       "of when it was "
                       "written",
                       path);
    return AG_OK;
}

ag_status ag_seal_check(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ag_fail_errno("cannot read %s", path);
    ag_status status = check(fd, path);
    close(fd);
    return status;
}

/* A sign that the file was once ours, even if all of its beginning is damaged. */
bool ag_seal_is_there(const char *path)
{
    char seal[SEAL_BYTES];
    uint64_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool found = false;
    if (read_seal(&found, seal, &size, fd, path) != AG_OK)
        ag_error_clear();
    close(fd);
    return found;
}

/* HDF5 marks a file that it has open for writing in its superblock, of version 2 in ours. Such a
 * file changes while it is looked at, and is not damaged for that. */
bool ag_seal_is_opened(const char *path)
{
    static const char start[] = "\x89HDF\r\n\x1a\n\x02";
    enum { FLAGS_AT = 11, OPEN_TO_WRITE = 1 };
    char bytes[FLAGS_AT + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool whole = read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes;
    close(fd);
    return whole && memcmp(bytes, start, sizeof start - 1) == 0 &&
           (bytes[FLAGS_AT] & OPEN_TO_WRITE) != 0;
}

ag_status ag_seal_tell_open(const char *path)
{
    return ag_fail(AG_ERR_SYSTEM,
                   "%s: another program has it open for writing: close it there. Where that "
                   "program was killed, 'h5clear -s %s' tells HDF5 so",
                   path, path);
}
