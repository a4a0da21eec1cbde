/* Tokens out of a trained model, one after the other. */
#ifndef AG_TRAIN_SAMPLE_H
#define AG_TRAIN_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/corpus.h"
#include "kernels/kernels.h"
#include "run/run.h"

typedef struct ag_sampling {
    uint64_t seed;
    double temperature; /* logits are divided by it; 0: the likeliest token, the first of equals */
    int64_t top_k;      /* only the likeliest so many; 0: all */
    bool hp;            /* every role null, as val_loss_hp */
} ag_sampling;

/* Appends `count` tokens to the n of `tokens` [n + count], n > 0, by weights in the layout of the
 * run's table of tensors, with the quantisers of the run's last phase. A token sees the block_size
 * tokens before it. Where there are fewer, they are repeated behind the last one: no token sees
 * those, but a scale of a whole tensor does. Token i takes word i of AG_STREAM_SAMPLE. AG_ERR_INPUT
 * where a scale depends on amaxes of training steps, which are not kept. */
ag_status ag_sample(int32_t *tokens, size_t n, size_t count, const ag_sampling *how,
                    const ag_run *run, const ag_corpus *corpus, const float *weights,
                    const ag_kernels *kernels);

#endif
