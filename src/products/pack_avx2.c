/* Pairs, compiled for AVX2. */
#define PACK(name) ag_pair_##name##_avx2
#include "pack.inc"
