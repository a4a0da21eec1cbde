/* The kernels of optimizer.inc, compiled for the vectors of the machine at hand. */
#include "kernels_internal.h"

#define CLONES AG_CLONES
#define KERNEL(name) ag_##name##_fast
#include "optimizer.inc"
