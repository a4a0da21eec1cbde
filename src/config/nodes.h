/* The YAML tree with its places, and typed values out of its nodes. A node has no type of its own:
 * what a key expects comes from its reader. */
#ifndef AG_CONFIG_NODES_H
#define AG_CONFIG_NODES_H

#include <stdint.h>

#include "base/status.h"
#include "findings.h"
#include "run/params.h"

/* Far beyond what people write, and little enough that no file makes what follows slow. */
enum {
    AG_MAX_FILE_BYTES = 1 << 20,
    AG_MAX_DEPTH = 32,
    AG_MAX_NODES = 50000, /* aliases counted at what they stand for */
    AG_MAX_NAME = 1000,   /* bytes of a name */
};

typedef enum ag_node_kind { AG_NODE_NULL, AG_NODE_SCALAR, AG_NODE_LIST, AG_NODE_MAP } ag_node_kind;

typedef struct ag_node ag_node;
struct ag_node {
    ag_node_kind kind;
    ag_place place;
    const char *text;     /* SCALAR; "" elsewhere */
    size_t count;         /* items of LIST, entries of MAP */
    const ag_node **keys; /* MAP: scalars, [count] */
    const ag_node **items;
    bool flawed;   /* SCALAR with a control character, which was told: nothing else is */
    size_t weight; /* nodes below, this one included, aliases counted at what they stand for */
};

/* Reads a file into the arena: a regular file of at most AG_MAX_FILE_BYTES, UTF-8, without 0. */
ag_status ag_source_read(ag_yaml_source *source, const char *path, ag_findings *findings);

/* The tree of one YAML document, or NULL with its findings. */
const ag_node *ag_yaml_parse(const ag_yaml_source *source, ag_findings *findings);

/* The value of a key, or NULL. */
const ag_node *ag_node_get(const ag_node *map, const char *key);

/* Whether the node is of that kind; else an error "`what` must be a mapping ...". */
bool ag_node_is(ag_findings *findings, const ag_node *node, ag_node_kind kind, const char *what);

/* Errors for keys that `words` does not hold. */
void ag_node_check_keys(ag_findings *findings, const ag_node *map, const char *const *words,
                        size_t n_words, const char *what);

/* The same, where words of `list` are answered with ours. */
void ag_node_check_words(ag_findings *findings, const ag_node *map, const char *const *words,
                         size_t n_words, const char *what, ag_foreign_list list);

/* Typed scalars. Each returns false after an error at the node. A name has at most AG_MAX_NAME
 * bytes. */
bool ag_node_name(const char **out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_text(const char **out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_int(int64_t *out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_int_within(int *out, ag_findings *findings, const ag_node *node, const char *what,
                        int least, int most);
bool ag_node_bool(bool *out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_word(int *out, ag_findings *findings, const ag_node *node, const char *what,
                  const char *const *words, size_t n_words);

/* The node as ag_param_set takes it: a scalar's text, "[a, b]" of a list of scalars; "none" for
 * null where the type has it. NULL after an error. */
const char *ag_node_param_text(ag_findings *findings, const ag_node *node, const ag_param *param);

#endif
