/* Maxima and minima that threads find together. */
#ifndef AG_BASE_ATOMIC_H
#define AG_BASE_ATOMIC_H

#include <stdatomic.h>

static inline void ag_raise_to(atomic_uint *largest, unsigned value)
{
    unsigned seen = atomic_load(largest);
    while (value > seen && !atomic_compare_exchange_weak(largest, &seen, value))
        ;
}

static inline void ag_lower_to(atomic_uint *least, unsigned value)
{
    unsigned seen = atomic_load(least);
    while (value < seen && !atomic_compare_exchange_weak(least, &seen, value))
        ;
}

#endif
