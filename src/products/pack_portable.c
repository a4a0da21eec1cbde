/* Pairs, compiled for any processor. */
#define PACK(name) ag_pair_##name##_portable
#include "pack.inc"
