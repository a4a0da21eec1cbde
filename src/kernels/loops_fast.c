/* The same kernels as loops_plain.c, once for each level of x86-64 vectors; the dynamic linker
 * chooses when the program starts (base/clones.h). Vectors change no bit, since every sum keeps a
 * fixed number of partial sums whatever the width of a register is. */
#include "kernels_internal.h"

#define CLONES AG_CLONES
#define KERNEL(name) ag_##name##_fast
#include "blocks.inc"
#include "elementwise.inc"
#include "optimizer.inc"
#include "rowwise.inc"
