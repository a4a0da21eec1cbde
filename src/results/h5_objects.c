/* Handles and groups, and how a call fails: the first failure is kept, with HDF5's own reason, and
 * told when the file is closed. */
#include <stdio.h>
#include <string.h>

#include "h5.h"

enum { MAX_ATTRIBUTES = 4096 }; /* kept in the object's header, which jsfive and others need */

/* The innermost description of the error stack is what went wrong; the outer ones are who called
 * whom. */
static herr_t keep_innermost(unsigned depth, const H5E_error2_t *error, void *out)
{
    (void)depth;
    *(const char **)out = error->desc;
    return 0;
}

void ag_h5_reason(char *text, size_t size)
{
    const char *reason = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_innermost, (void *)&reason);
    snprintf(text, size, "%s%s", reason != NULL ? ": HDF5 says " : "",
             reason != NULL ? reason : "");
    text[strcspn(text, "\n")] = '\0';
}

/* libhdf5 prints the system's error number into its text and offers it nowhere else. */
bool ag_h5_is_of_system(const char *reason)
{
    return strstr(reason, "errno = ") != NULL;
}

void ag_h5_fail(ag_h5 *h5, const char *what, const char *name)
{
    char reason[512];
    if (h5->status != AG_OK)
        return;
    ag_h5_reason(reason, sizeof reason);
    h5->status = ag_fail(ag_h5_is_of_system(reason) ? AG_ERR_SYSTEM : AG_ERR_FILE,
                         "%s: cannot %s %s%s", h5->path, what, name, reason);
}

/* Without times, since equal results must be equal files. Links in the order of their creation, so
 * that tools list them as they were written. */
hid_t ag_h5_properties(hid_t class)
{
    hid_t list = H5Pcreate(class);
    if (class == H5P_FILE_CREATE || class == H5P_GROUP_CREATE)
        H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED);
    H5Pset_obj_track_times(list, false);
    H5Pset_attr_phase_change(list, MAX_ATTRIBUTES, 0);
    return list;
}

hid_t ag_h5_make_group(ag_h5 *h5, hid_t parent, const char *name)
{
    if (h5->status != AG_OK)
        return H5I_INVALID_HID;
    hid_t creation = ag_h5_properties(H5P_GROUP_CREATE);
    hid_t group = H5Gcreate2(parent, name, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (group < 0)
        ag_h5_fail(h5, "create group", name);
    H5Pclose(creation);
    return group;
}

hid_t ag_h5_group(ag_h5 *h5, hid_t parent, const char *name)
{
    if (h5->status != AG_OK)
        return H5I_INVALID_HID;
    hid_t group = H5Gopen2(parent, name, H5P_DEFAULT);
    if (group < 0)
        ag_h5_fail(h5, "open group", name);
    return group;
}

/* By reference count: it closes whatever kind of object the handle is of. */
void ag_h5_release(hid_t handle)
{
    if (handle >= 0)
        H5Idec_ref(handle);
}

bool ag_h5_has(const ag_h5 *h5, hid_t parent, const char *name)
{
    return h5->status == AG_OK && H5Lexists(parent, name, H5P_DEFAULT) > 0;
}
