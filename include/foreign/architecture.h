/* Models as other programs know them: which of Hugging Face's classes computes what a model of ours
 * does, how its tensors are called there, and how they lie. */
#ifndef AG_FOREIGN_ARCHITECTURE_H
#define AG_FOREIGN_ARCHITECTURE_H

#include "base/text.h"
#include "run/run.h"
#include "run/tensors.h"

typedef enum ag_architecture {
    AG_ARCHITECTURE_GPT2,
    AG_ARCHITECTURE_LLAMA,
    AG_ARCHITECTURE_QWEN3,
    AG_ARCHITECTURE_OLMO2,
    AG_ARCHITECTURE_NANOGPT, /* names and shapes as they are here, lm_head always there */
    AG_ARCHITECTURES
} ag_architecture;

/* The class that computes what the run's model does. AG_ERR_INPUT names the key that none has,
 * after `what` the model is needed for and before a `hint`. */
ag_status ag_architecture_of(ag_architecture *which, const ag_run *run, const char *what,
                             const char *hint);

/* "LlamaForCausalLM". */
const char *ag_architecture_class(ag_architecture which);

/* Appends its config.json. */
void ag_architecture_config(ag_text *text, ag_architecture which, const ag_model_spec *model,
                            int64_t vocab_size);

enum { AG_FOREIGN_NAME = 96 };

/* The name that one of our tensors has there. */
void ag_architecture_name(char name[AG_FOREIGN_NAME], ag_architecture which,
                          const ag_tensor *tensor);

/* Whether its matrix lies there the other way round, [inputs, outputs]. */
bool ag_architecture_turns(ag_architecture which, const ag_tensor *tensor);

/* The model whose tensors are those of the architecture's file: fused or split, with gains and
 * biases, as it has them. */
ag_model_spec ag_architecture_layout(ag_architecture which, const ag_model_spec *model);

/* Weights of one layout of a model as those of another: rows of fused layers and of split ones,
 * gains 1 and biases 0 where the other has none, wte as a lm_head that was tied. Tensors of `from`
 * without a place in `to` are left out. */
void ag_architecture_convert(float *to, const ag_tensor_table *to_tensors, const float *from,
                             const ag_tensor_table *from_tensors);

#endif
