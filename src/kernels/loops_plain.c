/* The kernels whose plain loop is all that a compiler needs, compiled for the base target: the
 * plain table's. loops_fast.c compiles the same text for wider vectors, so that the two can differ
 * only by a fault of a compiler; what judges them both are the formulas in double of
 * tests/kernels/test_kernel_values.c. */
#include "kernels_internal.h"

#define CLONES
#define KERNEL(name) ag_##name##_plain
#include "blocks.inc"
#include "elementwise.inc"
#include "optimizer.inc"
#include "rowwise.inc"
