/* Pairs, compiled for AVX-512. */
#define PACK(name) ag_pair_##name##_avx512
#include "pack.inc"
