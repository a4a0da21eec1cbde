/* Is the results file as it was written? Both libhdf5 and the seal are asked. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "h5.h"
#include "results/guard.h"
#include "spool/places.h"
#include "spool/seal.h"
#include "state.h"

/* Whether this is, or was, a file of HDF5. As much of the beginning as there is: a file that was
 * cut off within its first bytes was one too. */
static bool begins_as_hdf5(const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char start[sizeof signature] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, start, sizeof signature - 1);
    close(fd);
    return got >= 0 && memcmp(start, signature, (size_t)got) == 0;
}

/* Whether libhdf5 opens it and finds our mark there. */
static ag_status open_ours(void *context)
{
    const ag_places *places = context;
    ag_h5 h5;
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    return ag_h5_close(&h5);
}

static ag_status open_any(void *context)
{
    const ag_places *places = context;
    ag_h5 h5;
    ag_h5_open(&h5, places->results, NULL, NULL);
    return ag_h5_close(&h5);
}

/* Two witnesses. The seal says whether a byte was changed, HDF5 whether the file is ours; only a
 * file that is ours and was changed is damaged, and only that may be moved away. Where it is our
 * mark that was changed, the seal at the end says whose file it is. One that libhdf5 cannot open at
 * all is of nobody else. */
ag_status ag_judge_results(bool *damaged, char *reason, size_t size, const ag_places *places)
{
    const char *path = places->results;
    void *context = (void *)places;
    *damaged = false;
    ag_status status = ag_seal_check(path);
    if (status != AG_OK && status != AG_ERR_FILE)
        return status;
    bool sealed = status == AG_OK;
    ag_error_take(reason, size);
    ag_status any = ag_guard(open_any, context);
    if (any != AG_OK && any != AG_ERR_FILE)
        return any;
    ag_error_clear();
    status = ag_guard(open_ours, context);
    if (status != AG_OK && status != AG_ERR_FILE)
        return status;
    if (status == AG_OK && !sealed && ag_seal_is_opened(path))
        return ag_seal_tell_open(path);
    bool is_ours =
        status == AG_OK || ag_seal_is_there(path) || (any != AG_OK && begins_as_hdf5(path));
    if (sealed || !is_ours)
        return status;
    ag_error_clear();
    *damaged = true;
    return AG_OK;
}
