/* Pairs, compiled for NEON. */
#define PACK(name) ag_pair_##name##_neon
#include "pack.inc"
