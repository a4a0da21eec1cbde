/* A new optimizer is a row here, a word in params.c and a row of arithmetic in train/optimizer.c;
 * ids, sites, checks and the parameters' conditions follow from this table. */
#include "run/optimizers.h"

/* clang-format off */
const ag_optimizer_traits ag_optimizers[AG_OPTIMIZERS] = {
    [AG_OPTIMIZER_ADAMW] = {
        .plain = AG_OPTIMIZER_ADAMW, .has_variance = true, .has_betas = true, .fits_mup = true},
    [AG_OPTIMIZER_SGD] = {
        .plain = AG_OPTIMIZER_SGD},
    [AG_OPTIMIZER_MANIFOLD_ADAMW] = {
        .plain = AG_OPTIMIZER_ADAMW, .has_variance = true, .has_betas = true,
        .fits_mup = true, .has_moving_spacing = true},
    [AG_OPTIMIZER_GRID] = {
        .plain = AG_OPTIMIZER_SGD, .fixes_scale = true},
    [AG_OPTIMIZER_LION] = {
        .plain = AG_OPTIMIZER_LION, .has_betas = true, .fits_mup = true},
    [AG_OPTIMIZER_MUON] = {
        .plain = AG_OPTIMIZER_MUON, .has_variance = true, .has_betas = true,
        .orthogonalises = true},
};
/* clang-format on */
