/* The words of helper.h, for both sides: who asks and who answers are one program, but two
 * processes. */
#include "helper.h"

#include <stddef.h>

#include "base/status.h"
#include "spool/store.h"

const char *const ag_helper_status_words[] = {
    [AG_OK] = "ok",         [AG_ERR_INPUT] = "input", [AG_ERR_SYSTEM] = "system",
    [AG_ERR_FILE] = "file", [AG_ERR_BUG] = "bug",     NULL};

const char *const ag_helper_task_names[] = {[AG_STORE_PREPARE] = "prepare",
                                            [AG_STORE_UNPACK] = "unpack",
                                            [AG_STORE_PUBLISH] = "publish",
                                            [AG_STORE_PACK] = "pack",
                                            NULL};
