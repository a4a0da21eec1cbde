/* What the observer gathers of the model as a whole while a step is sampled. */
#ifndef AG_TRAIN_SEEN_H
#define AG_TRAIN_SEEN_H

/* Of the attention of one block, over the step's micro-batches. */
typedef struct ag_attn_seen {
    double logit_max;
    double sequences;
    double *entropy; /* [H]: sum over the rows of all sequences */
} ag_attn_seen;

/* What one head of one sequence adds to it. */
typedef struct ag_head_seen {
    double logit_max;
    double entropy;
} ag_head_seen;

/* Of the logits: sums over the step's tokens, but for the first. */
typedef struct ag_logits_seen {
    double max, logz, logz2, sharpness;
} ag_logits_seen;

/* Of the parts of a step's gradient, one for each backward pass. */
typedef struct ag_noise_seen {
    double squares;   /* of all of them, as they are added to the step's gradient */
    double parts;     /* their number */
    double sequences; /* of each */
    double big;       /* square of the step's */
} ag_noise_seen;

/* An eigenvalue of the Hessian H, and |Hv - eigenvalue v|. */
typedef struct ag_sharpness {
    double eigenvalue;
    double residual;
} ag_sharpness;

#endif
