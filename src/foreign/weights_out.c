/* A model's weights and what builds it, into a folder that other programs take. */
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "foreign/stored.h"
#include "foreign/weights.h"

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for the weights");
}

/* Weights that somebody keeps there are not replaced by others. */
static ag_status path_in(char path[AG_PATH_SIZE], const char *folder, const char *name)
{
    AG_TRY(ag_path_join(path, folder, name));
    if (ag_is_file(path))
        return ag_fail(AG_ERR_INPUT, "%s is there already: remove it, or name another folder",
                       path);
    return AG_OK;
}

static ag_status write_config(const char *path, ag_architecture which, const ag_run *run)
{
    ag_text text;
    ag_text_init(&text);
    ag_architecture_config(&text, which, &run->model, run->facts.vocab_size);
    ag_status status = text.failed ? no_memory() : ag_write_whole(path, text.data, text.length);
    ag_text_deinit(&text);
    return status;
}

/* The weights as the file has them, each with its name there. */
/* The layout may have tensors that the model has not: they are filled with what the model computes
 * with instead. */
static ag_status write_weights(const char *path, ag_architecture which, const ag_run *run,
                               const ag_tensor_table *tensors, const float *weights,
                               ag_arena *arena)
{
    ag_tensor_table layout;
    const ag_model_spec spec = ag_architecture_layout(which, &run->model);
    AG_TRY(ag_tensor_table_make(&layout, &spec, run->facts.vocab_size, arena));
    float *laid = ag_arena_floats(arena, layout.total);
    ag_outgoing *out = ag_arena_alloc(arena, layout.count * sizeof *out);
    char(*names)[AG_FOREIGN_NAME] = ag_arena_alloc(arena, layout.count * sizeof *names);
    if (laid == NULL || out == NULL || names == NULL)
        return no_memory();
    ag_architecture_convert(laid, &layout, weights, tensors);
    for (size_t i = 0; i < layout.count; i++) {
        const ag_tensor *row = &layout.rows[i];
        bool turned = ag_architecture_turns(which, row);
        ag_architecture_name(names[i], which, row);
        out[i] = (ag_outgoing){
            .name = names[i],
            .n_dims = row->n_dims,
            .dims = {row->dims[turned ? 1 : 0], row->dims[turned ? 0 : 1]},
            .data = laid + row->offset,
            .is_transposed = turned
        };
    }
    return ag_safetensors_write(path, out, layout.count, which == AG_ARCHITECTURE_NANOGPT);
}

/* config.json first: a folder with weights is whole. */
ag_status ag_architecture_export(const char *folder, ag_architecture which, const ag_run *run,
                                 const ag_tensor_table *tensors, const float *weights)
{
    char path[AG_PATH_SIZE];
    char config[AG_PATH_SIZE];
    bool is_nanogpt = which == AG_ARCHITECTURE_NANOGPT;
    AG_TRY(path_in(path, folder, is_nanogpt ? AG_NANOGPT_FILE : AG_MODEL_FILE));
    AG_TRY(path_in(config, folder, "config.json"));
    AG_TRY(ag_make_folders(folder));
    if (!is_nanogpt)
        AG_TRY(write_config(config, which, run));
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_status status = write_weights(path, which, run, tensors, weights, &arena);
    ag_arena_deinit(&arena);
    return status;
}
