/* The kernels of optimizer.inc, as the compiler's base target has them: the reference. */
#include "kernels_internal.h"

#define CLONES
#define KERNEL(name) ag_##name##_ref
#include "optimizer.inc"
