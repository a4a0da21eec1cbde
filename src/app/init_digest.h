/* The weights that model.init names: config asks for them, store can read them. */
#ifndef AG_APP_INIT_DIGEST_H
#define AG_APP_INIT_DIGEST_H

#include "config/experiment.h"

/* The digest of the weights of model.init.file and model.init.run. */
ag_status ag_init_digest_read(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run);

/* An ag_init_find that opens HDF5 files in this process; `context` is not used. */
ag_status ag_init_find_here(ag_init_weights *found, const ag_run *run, void *context);

/* The id of the run of the results at `path` that has all labels of `where`, a line "axis=value"
 * each. AG_ERR_INPUT unless exactly one has, and it is done. */
ag_status ag_init_run_where(char id[AG_ID_LENGTH + 1], const char *path, const char *where);

/* AG_ERR_INPUT with the ids and names of the runs when results at `path` hold several. */
ag_status ag_init_expect_one(const char *path);

#endif
