/* Queries, keys and values, between the layers that make them and attention. */
#ifndef AG_TRAIN_QUERIES_H
#define AG_TRAIN_QUERIES_H

#include "model.h"

/* block->qkv from the input of the block's c_attn, or of c_q, c_k and c_v, which share theirs. */
void ag_queries_forward(ag_model *model, ag_block *block, const ag_pass *pass);

/* model->dbranch, the gradient of that input, from model->dqkv, which is overwritten. */
void ag_queries_backward(ag_model *model, ag_block *block, const ag_pass *pass);

/* Fills in the cosines and sines [T, half] of a rotation of so many channels: of the angles
 * t theta^(-j / half), in double. */
void ag_queries_angles(float *cosines, float *sines, const ag_rotation *turn, double theta);

#endif
