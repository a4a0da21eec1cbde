/* Memory in large pages. */
#ifndef AG_BASE_PAGES_H
#define AG_BASE_PAGES_H

#include <stddef.h>

/* At least `bytes` bytes aligned to 64, or NULL; free() releases them. They lie in pages of 2 MiB
 * where there is enough of them and the system has such pages: a training step walks over all of
 * its memory, and in pages of 4 KiB it spends a good part of its time on finding them. */
void *ag_pages_alloc(size_t bytes);

#endif
