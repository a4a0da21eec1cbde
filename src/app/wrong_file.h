/* An experiment file in the place of a results file, and the other way round. */
#ifndef AG_APP_WRONG_FILE_H
#define AG_APP_WRONG_FILE_H

#include <stdbool.h>

#include "base/status.h"

/* AG_ERR_INPUT where the path leads to an experiment file; says where its results are. */
ag_status ag_app_expect_results(const char *path);

/* AG_ERR_INPUT where it leads to an HDF5 file. */
ag_status ag_app_expect_experiment(const char *path);

/* Whether it leads to a folder that lies beside results: a shell's glob takes them along. */
bool ag_app_is_folder_of_results(const char *path);

#endif
