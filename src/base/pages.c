#include "base/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/sizes.h"

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

void *ag_pages_alloc(size_t bytes)
{
    const size_t unit = bytes < 2 * (size_t)HUGE_PAGE ? ALIGNMENT : HUGE_PAGE;
    const size_t whole = ag_pieces(bytes, unit) * unit;
    void *memory = whole < bytes ? NULL : aligned_alloc(unit, whole);
#ifdef MADV_HUGEPAGE
    if (memory != NULL && unit == HUGE_PAGE)
        (void)madvise(memory, whole, MADV_HUGEPAGE); /* advice: a refusal costs speed alone */
#endif
    return memory;
}
