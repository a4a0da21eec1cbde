/* Float32 with fmaf, for every CPU: slow where it has no fused multiply-add. */
#include <math.h>
#include <string.h>

#define ENGINE(name) ag_scalar_##name
#define PAIRED 0
enum { LANES = 1 };
typedef float vec __attribute__((vector_size(4)));
#define SPLAT(word) (*(const vec *)(word))
#define MULTIPLY_ADD(x, b, s) ((vec){fmaf((x)[0], (b)[0], (s)[0])})
#define VECTORS 4
#define ROWS(V) 4
#include "engine.inc"
