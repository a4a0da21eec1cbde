/* Counter-based random numbers: each is a pure function of (key, counter), that is of what it is
 * for, never of how many came before.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef AG_BASE_PHILOX_H
#define AG_BASE_PHILOX_H

#include <stdint.h>

typedef struct ag_philox_block {
    uint32_t word[4];
} ag_philox_block;

/* Philox4x32-10. */
ag_philox_block ag_philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3);

/* The streams of a run are independent: turning one on or off changes no other. */
typedef enum ag_stream {
    AG_STREAM_INIT = 0x494e,
    AG_STREAM_DATA = 0x4441,
    AG_STREAM_DROPOUT = 0x4452,
    AG_STREAM_ROUNDING = 0x5352,
    AG_STREAM_SHARPNESS = 0x5348, /* the first direction that the diagnostic looks along */
    AG_STREAM_SAMPLE = 0x5341,    /* of altgrad sample; its seed is --seed */
    AG_STREAM_BOOTSTRAP = 0x4253, /* resamples of the summary; of no run */
    AG_STREAM_CORPUS = 0x434f,    /* the synthetic corpus; its seed is data.seed */
} ag_stream;

/* The Philox key of a stream: the first output of splitmix64 from state seed ^ stream. */
uint64_t ag_stream_key(uint64_t seed, ag_stream stream);

/* The next output of splitmix64 (Steele, Lea, Flood, OOPSLA 2014); advances *state. */
uint64_t ag_splitmix64(uint64_t *state);

/* Uniform in [0, 1) with 53 bits, from two words. */
double ag_uniform53(uint32_t high, uint32_t low);

#endif
