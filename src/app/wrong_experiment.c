/* A results file in the place of an experiment file, known by its first bytes: rank 0 of `altgrad
 * run` looks at it too, and must not open it with libhdf5. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "wrong_file.h"

/* A file that cannot be opened is the experiment reader's to tell: it knows what it wanted there.
 */
ag_status ag_app_expect_experiment(const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char start[sizeof signature - 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return AG_OK;
    bool is_hdf5 = read(fd, start, sizeof start) == (ssize_t)sizeof start &&
                   memcmp(start, signature, sizeof start) == 0;
    close(fd);
    if (!is_hdf5)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "%s is a results file (HDF5), and an experiment file is expected here: 'altgrad "
                   "summary %s' shows it; the text of its experiment is in its /experiment/yaml",
                   path, path);
}
