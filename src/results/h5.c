/* Opening, creating and closing HDF5 files. */
#include "h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/guard.h"
#include "spool/seal.h"

/* HDF5 locks each file that it opens, and fails where the file system has no locks or another
 * program holds one. altgrad needs none: it has an owner, and renames. The variable is read before
 * HDF5's first call, outranks the property, and is all that older versions know. */
static void start(ag_h5 *h5, const char *path)
{
    *h5 = (ag_h5){.id = H5I_INVALID_HID, .path = path};
    (void)setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* failures are told once, by us */
}

/* The setting came with different releases of each branch of libhdf5. */
static hid_t make_access(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 14, 0) || (H5_VERS_MINOR == 12 && H5_VERS_RELEASE >= 1) ||                    \
    (H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7)
    H5Pset_file_locking(access, false, true);
#endif
    return access;
}

/* The bounds make a file that HDF5 1.8 reads, with a superblock whose checksum and open-for-writing
 * mark seal.c knows. */
static void create(ag_h5 *h5, const char *path, hid_t access)
{
    hid_t creation = ag_h5_properties(H5P_FILE_CREATE);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    h5->writes = true;
    h5->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    if (h5->id < 0)
        ag_h5_fail(h5, "create", "it");
    H5Pclose(access);
    H5Pclose(creation);
}

/* The guard learns the path before libhdf5 writes: a full disk crashes it. */
void ag_h5_create(ag_h5 *h5, const char *path)
{
    start(h5, path);
    ag_guard_writes(path);
    create(h5, path, make_access());
}

/* The driver that libhdf5 takes by default looks up where a link leads, which for a file without a
 * name is nowhere; the one upon stdio does not. */
void ag_h5_create_on(ag_h5 *h5, int fd, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    start(h5, name);
    hid_t access = make_access();
    H5Pset_fapl_stdio(access);
    create(h5, path, access);
}

/* By an attribute and not by the name of the file, which users change. */
static void check_format(ag_h5 *h5, const char *format, const char *other)
{
    char text[64] = "";
    const ag_column column = {"format", AG_CELL_TEXT, 0, sizeof text};
    bool is_ours = H5Aexists(h5->id, "format") > 0;
    if (is_ours)
        ag_h5_get(h5, h5->id, &column, 1, text);
    if (h5->status != AG_OK || strcmp(text, format) == 0 ||
        (other != NULL && strcmp(text, other) == 0))
        return;
    h5->status = ag_fail(AG_ERR_FILE,
                         "%s: an HDF5 file, but not one of altgrad's (its attribute 'format' is "
                         "%s%s%s, not '%s')",
                         h5->path, is_ours ? "'" : "", is_ours ? text : "missing",
                         is_ours ? "'" : "", format);
}

/* A newer file could mean something else by the same names, and is refused rather than misread. */
static void check_version(ag_h5 *h5)
{
    int64_t version = 0;
    const ag_column column = {"format_version", AG_CELL_I64, 0, 0};
    ag_h5_get(h5, h5->id, &column, 1, &version);
    if (h5->status == AG_OK && (version < 1 || version > AG_FORMAT_VERSION))
        h5->status =
            ag_fail(AG_ERR_FILE,
                    "%s: its format_version is %lld and this altgrad reads 1 to %d; use the "
                    "altgrad that wrote it",
                    h5->path, (long long)version, AG_FORMAT_VERSION);
}

/* To HDF5, a file that cannot be read is one that is not right. */
static ag_status try_to_read(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool can = fd >= 0 && read(fd, &byte, 1) >= 0;
    int code = errno;
    if (fd >= 0)
        close(fd);
    if (can)
        return AG_OK;
    if (code == EISDIR)
        return ag_fail(AG_ERR_INPUT, "%s: a folder, not a results file", path);
    return ag_fail(code == ENOENT ? AG_ERR_INPUT : AG_ERR_SYSTEM, "%s: %s", path, strerror(code));
}

/* Why HDF5 does not open a file that can be read. "Damaged" is only what the seal does not vouch
 * for. */
static ag_status tell_refusal(const char *path)
{
    char reason[512];
    ag_h5_reason(reason, sizeof reason);
    if (H5Fis_hdf5(path) <= 0 && !ag_seal_is_there(path))
        return ag_fail(AG_ERR_FILE, "%s: not an HDF5 file", path);
    if (ag_h5_is_of_system(reason))
        return ag_fail(AG_ERR_SYSTEM, "%s: cannot be opened%s", path, reason);
    ag_status status = ag_seal_check(path);
    if (status == AG_ERR_SYSTEM)
        return status;
    ag_error_clear();
    if (status == AG_OK)
        return ag_fail(AG_ERR_SYSTEM, "%s: cannot be opened, though its checksum is right%s", path,
                       reason);
    return ag_fail(AG_ERR_FILE, "%s: a damaged HDF5 file%s", path, reason);
}

/* Read-only in every case: nothing is ever written into a file that has its name. */
static void open_file(ag_h5 *h5, const char *path)
{
    h5->status = try_to_read(path);
    if (h5->status != AG_OK)
        return;
    ag_guard_reads(path);
    hid_t access = make_access();
    h5->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (h5->id < 0)
        h5->status = tell_refusal(path);
    H5Pclose(access);
}

/* Any HDF5 file will do where no format is asked for: to tell a damaged one of ours from another
 * program's. */
void ag_h5_open(ag_h5 *h5, const char *path, const char *format, const char *other)
{
    start(h5, path);
    open_file(h5, path);
    if (h5->status != AG_OK)
        return;
    if (format != NULL) {
        check_format(h5, format, other);
        check_version(h5);
    }
}

/* By HDF5's driver for files in memory: the run that was trained again has no file. */
void ag_h5_open_bytes(ag_h5 *h5, const char *name, const void *bytes, size_t size)
{
    start(h5, name);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, false);
    H5Pset_file_image(access, (void *)bytes, size); /* copies, though it takes no const */
    h5->id = H5Fopen(name, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (h5->id < 0)
        ag_h5_fail(h5, "open", "it");
    else
        check_format(h5, AG_RUN_FORMAT, NULL);
}

/* The first failure since the file was opened is what is returned: calls in between need not be
 * looked at one by one. */
ag_status ag_h5_close(ag_h5 *h5)
{
    if (h5->id >= 0 && H5Fclose(h5->id) < 0)
        ag_h5_fail(h5, "close", "it");
    if (h5->writes)
        ag_guard_writes("");
    h5->id = H5I_INVALID_HID;
    return h5->status;
}
