/* What the files of this folder share. */
#ifndef AG_SPEC_SPEC_INTERNAL_H
#define AG_SPEC_SPEC_INTERNAL_H

#include "spec/params.h"

/* Where a parameter lives in a run; the type must be the parameter's. */
const char **ag_param_text_at(ag_run *run, const ag_param *param);

#endif
