/* Weights of other programs as those of a model here. Strict on purpose: a name that is left over
 * or a bias that is dropped would be another model, and every number after it wrong. */
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "foreign/stored.h"
#include "foreign/weights.h"
#include "foreign_internal.h"

typedef struct reading {
    const ag_run *run;
    ag_architecture which;
    ag_stored_file file;
    ag_tensor_table layout; /* as the file should be */
    float *laid;            /* [layout.total] */
    bool *used;             /* [file.count] */
    ag_arena arena;
} reading;

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for the initial weights");
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t ending = strlen(end);
    return length >= ending && strcmp(text + length - ending, end) == 0;
}

/* --- which file */

/* By name or by the first bytes. A safetensors file begins with a length and then "{". */
bool ag_architecture_is_file(const char *path)
{
    unsigned char first[9] = {0};
    FILE *file = NULL;
    if (ag_is_folder(path) || ends_in(path, ".safetensors") || ends_in(path, ".npz") ||
        ends_in(path, ".index.json"))
        return true;
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t count = fread(first, 1, sizeof first, file);
    (void)fclose(file);
    return count == sizeof first && (memcmp(first, "PK\3\4", 4) == 0 || first[8] == '{');
}

static ag_status refuse_shards(const char *path)
{
    return ag_fail(AG_ERR_INPUT,
                   "%s: the weights are spread over several files, of which this is the index; "
                   "save them as one, in Python model.save_pretrained(DIR, max_shard_size='1TB')",
                   path);
}

/* A folder is what save_pretrained or `altgrad export` has made. */
static ag_status find_file(const char **file, const char *path, ag_arena *arena)
{
    static const char *const names[] = {AG_MODEL_FILE, AG_NANOGPT_FILE};
    char name[AG_PATH_SIZE];
    *file = path;
    if (ends_in(path, ".index.json"))
        return refuse_shards(path);
    if (!ag_is_folder(path))
        return AG_OK;
    for (size_t i = 0; i < 2; i++) {
        AG_TRY(ag_path_join(name, path, names[i]));
        if (ag_is_file(name)) {
            *file = ag_arena_strdup(arena, name);
            return *file != NULL ? AG_OK : no_memory();
        }
    }
    AG_TRY(ag_path_join(name, path, AG_MODEL_FILE ".index.json"));
    if (ag_is_file(name))
        return refuse_shards(name);
    return ag_fail(AG_ERR_INPUT, "%s: the folder has no " AG_MODEL_FILE, path);
}

/* --- one tensor */

/* By its name, or without what only classes with a head put before it. */
static const ag_stored *find(reading *r, const char *name)
{
    static const char *const prefixes[] = {"transformer.", "model."};
    char wrapped[AG_FOREIGN_NAME + 16];
    snprintf(wrapped, sizeof wrapped, "_orig_mod.%s", name); /* of torch.compile */
    const ag_stored *stored = ag_stored_find(&r->file, name);
    if (stored == NULL)
        stored = ag_stored_find(&r->file, wrapped);
    for (size_t i = 0; stored == NULL && i < 2; i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], length) == 0)
            stored = ag_stored_find(&r->file, name + length);
    }
    if (stored != NULL)
        r->used[stored - r->file.items] = true;
    return stored;
}

static bool is_norm_bias(ag_tensor_id id)
{
    return id == AG_T_LN_1_B || id == AG_T_LN_2_B || id == AG_T_LN_F_B || id == AG_T_LN_1_POST_B ||
           id == AG_T_LN_2_POST_B;
}

/* The key that gives the model this tensor of the file; NULL where it has it. */
static const char *lacking_key(const ag_model_spec *model, const ag_tensor *tensor)
{
    bool is_norm = is_norm_bias(tensor->id) || tensor->init == AG_INIT_GAIN;
    bool is_qk = tensor->id == AG_T_Q_NORM_W || tensor->id == AG_T_K_NORM_W;
    if (tensor->id == AG_T_LM_HEAD_W)
        return model->tie_weights ? "model.tie_weights: false" : NULL;
    if (is_norm && !is_qk && !model->norm_affine)
        return "model.norm_affine: true";
    return tensor->init == AG_INIT_ZEROS && !model->bias ? "model.bias: true" : NULL;
}

static void show_shape(char *text, size_t size, const uint64_t *dims, size_t n_dims)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n_dims && i < AG_STORED_DIMS && used < size; i++) {
        int length = snprintf(text + used, size - used, "%s%llu", i > 0 ? ", " : "",
                              (unsigned long long)dims[i]);
        used += length > 0 ? (size_t)length : 0;
    }
}

/* Shapes as Python shows them, which is where most users look next. */
static ag_status refuse_shape(const reading *r, const ag_stored *stored, const uint64_t *wanted,
                              size_t n_dims, const char *cure)
{
    char has[200];
    char wants[100];
    show_shape(has, sizeof has, stored->dims, stored->n_dims);
    show_shape(wants, sizeof wants, wanted, n_dims);
    return ag_fail(AG_ERR_INPUT, "%s: %s has the shape [%s], the model wants [%s]%s", r->file.path,
                   stored->name, has, wants, cure);
}

/* Rows of positions beyond block_size are left out: no token ever stands there. */
static ag_status check_shape(const reading *r, const ag_stored *stored, const ag_tensor *tensor,
                             bool is_turned)
{
    const uint64_t wanted[AG_STORED_DIMS] = {tensor->dims[is_turned ? 1 : 0],
                                             tensor->dims[is_turned ? 0 : 1]};
    bool same = stored->n_dims == tensor->n_dims;
    for (size_t i = 0; same && i < tensor->n_dims && i < 2; i++)
        same = stored->dims[i] == wanted[i] ||
               (tensor->id == AG_T_WPE && i == 0 && stored->dims[0] > wanted[0]);
    if (same)
        return AG_OK;
    const char *cure = ": are the model's sizes the file's?";
    if (tensor->id == AG_T_WTE)
        cure = ": [vocabulary, n_embd] of both must be the same; data.vocab gives a vocabulary "
               "larger than the largest token";
    if (tensor->id == AG_T_WPE)
        cure = ": it has positions for so many tokens; model.block_size may be at most that";
    return refuse_shape(r, stored, wanted, tensor->n_dims, cure);
}

/* Straight to their place, but for a matrix that is turned or a table with more rows than the
 * model's. */
static ag_status read_elements(reading *r, const ag_stored *stored, const ag_tensor *tensor,
                               bool is_turned)
{
    float *to = r->laid + tensor->offset;
    if (!is_turned && stored->count == tensor->count)
        return ag_stored_read(to, &r->file, stored);
    float *whole = ag_arena_floats(&r->arena, (size_t)stored->count);
    if (whole == NULL)
        return no_memory();
    AG_TRY(ag_stored_read(whole, &r->file, stored));
    if (is_turned)
        ag_stored_transpose(to, whole, tensor->dims[0], tensor->dims[1]);
    else
        memcpy(to, whole, tensor->count * sizeof *to);
    return AG_OK;
}

/* What the model has not must be what it computes with instead: no bias is a bias of 0. */
static ag_status check_extra(const reading *r, const ag_stored *stored, const ag_tensor *tensor,
                             const char *key)
{
    const float *has = r->laid + tensor->offset;
    const ag_tensor *wte = ag_tensor_find(&r->layout, AG_T_WTE, 0);
    bool same = true;
    for (size_t i = 0; i < tensor->count; i++) {
        float expected = ag_architecture_absent(tensor);
        if (tensor->id == AG_T_LM_HEAD_W && wte != NULL)
            expected = r->laid[wte->offset + i];
        same = same && has[i] == expected;
    }
    if (same)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "%s: the model has no %s, and the file's has an effect: set %s",
                   r->file.path, stored->name, key);
}

/* A tensor of the file that the model does without is read too: it may be left out only if it has
 * no effect. */
static ag_status read_tensor(reading *r, const ag_tensor *tensor)
{
    char name[AG_FOREIGN_NAME];
    bool turns = ag_architecture_turns(r->which, tensor);
    const char *key = lacking_key(&r->run->model, tensor);
    ag_architecture_name(name, r->which, tensor);
    const ag_stored *stored = find(r, name);
    if (stored == NULL && key != NULL) /* the model has none either */
        return AG_OK;
    if (stored == NULL)
        return ag_fail(AG_ERR_INPUT, "%s: has no %s, which the model needs (read as %s)",
                       r->file.path, name, ag_architecture_class(r->which));
    AG_TRY(check_shape(r, stored, tensor, turns));
    AG_TRY(read_elements(r, stored, tensor, turns != stored->is_turned));
    return key != NULL ? check_extra(r, stored, tensor, key) : AG_OK;
}

/* --- all of them */

/* Masks and tables that a class computes for itself, in files of earlier versions. */
static bool is_buffer(const char *name)
{
    return ends_in(name, ".attn.bias") || ends_in(name, ".attn.masked_bias") ||
           ends_in(name, "rotary_emb.inv_freq");
}

/* A tensor that nobody asked for: of a deeper model, or of another one. */
static ag_status check_left(const reading *r)
{
    for (size_t i = 0; i < r->file.count; i++) {
        if (!r->used[i] && !is_buffer(r->file.items[i].name))
            return ag_fail(AG_ERR_INPUT,
                           "%s: has %.100s, which the model has not: is the file of another model, "
                           "or model.n_layer too small? (read as %s)",
                           r->file.path, r->file.items[i].name, ag_architecture_class(r->which));
    }
    return AG_OK;
}

/* Memory for the file's tensors: with a lm_head beside tied weights where it has one. */
static ag_status lay_out(reading *r)
{
    ag_model_spec spec = ag_architecture_layout(r->which, &r->run->model);
    r->used = ag_arena_alloc(&r->arena, (r->file.count + 1) * sizeof *r->used);
    if (r->used == NULL)
        return no_memory();
    spec.tie_weights = r->run->model.tie_weights && find(r, "lm_head.weight") == NULL;
    AG_TRY(ag_tensor_table_make(&r->layout, &spec, r->run->facts.vocab_size, &r->arena));
    r->laid = ag_arena_floats(&r->arena, r->layout.total);
    return r->laid != NULL ? AG_OK : no_memory();
}

/* config.json is compared first: its message names a key, where a shape would only differ. */
static ag_status read_file(reading *r)
{
    static const char hint[] = "weights of any model come from results, from 'altgrad export "
                               "--nanogpt', or from a .npz with nanoGPT's names";
    if (r->file.is_nanogpt) {
        r->which = AG_ARCHITECTURE_NANOGPT;
    } else {
        AG_TRY(ag_architecture_of(&r->which, r->run, r->file.path, hint));
        AG_TRY(ag_architecture_compare(r->file.path, r->which, r->run));
    }
    AG_TRY(lay_out(r));
    for (size_t i = 0; i < r->layout.count; i++)
        AG_TRY(read_tensor(r, &r->layout.rows[i]));
    return check_left(r);
}

ag_status ag_architecture_import(float *weights, const ag_tensor_table *tensors, const ag_run *run,
                                 const char *path)
{
    reading r = {.run = run, .file = {.fd = -1}};
    const char *file = NULL;
    ag_arena_init_growing(&r.arena);
    ag_status status = find_file(&file, path, &r.arena);
    if (status == AG_OK)
        status = ag_stored_open(&r.file, file);
    if (status == AG_OK)
        status = read_file(&r);
    if (status == AG_OK)
        ag_architecture_convert(weights, tensors, r.laid, &r.layout);
    ag_stored_close(&r.file);
    ag_arena_deinit(&r.arena);
    return status;
}
