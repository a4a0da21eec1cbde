/* The digest of the weights that model.init names: config asks for it, store can read them. */
#ifndef AG_APP_INIT_DIGEST_H
#define AG_APP_INIT_DIGEST_H

#include "config/experiment.h"

/* An ag_init_digest; `context` is not used. */
ag_status ag_init_digest_read(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, void *context);

#endif
