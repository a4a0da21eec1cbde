/* YAML to a tree of nodes with places. libfyaml gives the events; depth, size and aliases are
 * limited here, so that no input can make what follows slow or large ("a billion laughs": ten
 * aliases of ten aliases of ...). The tree is plain data: kinds, texts and places, no types.
 *
 * An event opens or closes a container, or brings a scalar or an alias; what is open is a stack of
 * levels, whose children become arrays when it is closed. Anchors are remembered by name, in the
 * order of the file, so that an alias finds the newest. Alone in seeing libfyaml. */
#include <libfyaml.h>
#include <string.h>

#include "base/printable.h"
#include "index.h"
#include "nodes.h"

typedef struct anchor {
    const char *name;
    const ag_node *node;
    struct anchor *next;
} anchor;

/* A list or mapping that is still open. A mapping's children alternate: key, value, key, ... */
typedef struct level {
    ag_node *node;
    const ag_node **children;
    size_t count;
    size_t capacity;
} level;

typedef struct tree_builder {
    ag_findings *findings;
    const ag_yaml_source *source;
    struct fy_parser *parser;
    anchor *anchors;
    level levels[AG_MAX_DEPTH];
    size_t depth;
    size_t nodes;
    size_t documents;
    ag_place last; /* of the newest event that had one: empty values have none */
    ag_node *root;
    bool stopped;
} tree_builder;

/* Some faults leave no tree to go on with; others are collected, up to a limit. */
static void stop(tree_builder *builder, ag_place place, const char *message)
{
    ag_config_error(builder->findings, place, "%s", message);
    builder->stopped = true;
}

static bool is_nothing(struct fy_event *event)
{
    size_t length = 0;
    struct fy_token *token = event->type == FYET_SCALAR ? fy_event_get_token(event) : NULL;
    return token != NULL && fy_token_scalar_style(token) == FYSS_PLAIN &&
           fy_token_get_text(token, &length) != NULL && length == 0;
}

/* Values that are empty get the place of the event before: up to libfyaml 0.7 they have none of
 * their own, from 0.8 on it is that of the colon. */
static ag_place event_place(tree_builder *builder, struct fy_event *event)
{
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);
    if (start == NULL || start->line < 0 || start->input_pos > builder->source->size ||
        is_nothing(event))
        return builder->last;
    ag_place place = {.source = builder->source, .offset = start->input_pos, .length = 1};
    if (end != NULL && end->input_pos > start->input_pos && end->line == start->line)
        place.length = end->input_pos - start->input_pos;
    builder->last = place;
    return place;
}

/* The newest of a name counts, as YAML wants it: anchors are added in front. */
static const ag_node *find_anchor(const tree_builder *builder, const char *name)
{
    for (const anchor *a = builder->anchors; a != NULL; a = a->next) {
        if (strcmp(a->name, name) == 0)
            return a->node;
    }
    return NULL;
}

/* Looked up by a list: a file that a person writes has few. */
static void add_anchor(tree_builder *builder, struct fy_event *event, const ag_node *node)
{
    struct fy_token *token = fy_event_get_anchor_token(event);
    if (token == NULL)
        return;
    anchor *a = ag_config_alloc(builder->findings, 1, sizeof *a);
    size_t length = 0;
    const char *text = fy_token_get_text(token, &length);
    if (a == NULL || text == NULL)
        return;
    a->name = ag_arena_strndup(builder->findings->arena, text, length);
    if (a->name == NULL)
        return;
    a->node = node;
    a->next = builder->anchors;
    builder->anchors = a;
}

static bool append(tree_builder *builder, level *top, const ag_node *node)
{
    void *children = top->children;
    if (!ag_config_grow(&children, &top->capacity, builder->findings, top->count,
                        sizeof(const ag_node *)))
        return false;
    top->children = children;
    top->children[top->count++] = node;
    return true;
}

/* Hangs a finished scalar or a container that was just opened into what is open. In a mapping every
 * second child is a key. */
static void attach(tree_builder *builder, ag_node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    level *top = &builder->levels[builder->depth - 1];
    bool is_key = top->node->kind == AG_NODE_MAP && top->count % 2 == 0;
    if (is_key && node->kind != AG_NODE_SCALAR)
        stop(builder, node->place, "a key must be a word");
    else if (!append(builder, top, node))
        builder->stopped = true;
}

static ag_node *new_node(tree_builder *builder, ag_node_kind kind, ag_place place)
{
    ag_node *node = ag_config_alloc(builder->findings, 1, sizeof *node);
    if (node == NULL)
        builder->stopped = true;
    else
        *node = (ag_node){.kind = kind, .place = place, .text = "", .weight = 1};
    return node;
}

/* The words of YAML 1.2's core schema. */
static bool is_null_text(const char *text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

/* Names become labels, columns, file names and lines on terminals: none of that survives these. */
static void check_printable(tree_builder *builder, ag_node *node)
{
    const char *found = ag_find_control(node->text);
    uint32_t character = 0;
    if (found == NULL)
        return;
    size_t length = ag_utf8_read(&character, found, strlen(found));
    const ag_place *place = &node->place;
    bool is_raw = memmem(place->source->text + place->offset, place->length, found, length) != NULL;
    node->flawed = true;
    ag_config_error(builder->findings, node->place, "the text holds the control character U+%04X%s",
                    (unsigned)character,
                    is_raw ? ": leave it out"
                           : ": in double quotes a backslash begins an escape (\\b is a "
                             "backspace); write patterns and names in single quotes");
}

/* Only plain scalars can be null: "" and "null" in quotes are texts. */
static void on_scalar(tree_builder *builder, struct fy_event *event)
{
    ag_node *node = new_node(builder, AG_NODE_SCALAR, event_place(builder, event));
    if (node == NULL)
        return;
    struct fy_token *token = fy_event_get_token(event);
    size_t length = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &length) : "";
    bool plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
    if (text == NULL || memchr(text, 0, length) != NULL) {
        stop(builder, node->place, "a text must not hold a zero character");
        return;
    }
    node->text = ag_arena_strndup(builder->findings->arena, text, length);
    if (node->text == NULL) {
        builder->stopped = true;
        return;
    }
    check_printable(builder, node);
    if (plain && is_null_text(node->text)) {
        node->kind = AG_NODE_NULL;
        node->text = "";
    }
    add_anchor(builder, event, node);
    attach(builder, node);
}

/* An alias is a copy of the node it stands for, with a place of its own; its weight, all that lies
 * below, counts against the limit. */
static void on_alias(tree_builder *builder, struct fy_event *event)
{
    ag_place place = event_place(builder, event);
    size_t length = 0;
    const char *text = fy_token_get_text(fy_event_get_token(event), &length);
    char *name = text == NULL ? NULL : ag_arena_strndup(builder->findings->arena, text, length);
    const ag_node *meant = name == NULL ? NULL : find_anchor(builder, name);
    if (meant == NULL || meant->weight == 0) {
        ag_config_error(builder->findings, place, "no earlier '&%s' stands for this alias",
                        name != NULL ? name : "");
        builder->stopped = true;
        return;
    }
    ag_node *node = new_node(builder, meant->kind, place);
    if (node == NULL)
        return;
    builder->nodes += meant->weight;
    *node = *meant;
    node->place = place;
    attach(builder, node);
}

/* The node is attached before its children are known: they fill it when it is closed. */
static void on_open(tree_builder *builder, struct fy_event *event, ag_node_kind kind)
{
    ag_node *node = new_node(builder, kind, event_place(builder, event));
    if (node == NULL)
        return;
    node->weight = 0; /* until it is closed: an alias to it would be a circle */
    add_anchor(builder, event, node);
    if (builder->depth == AG_MAX_DEPTH) {
        stop(builder, node->place, "nested too deeply");
        return;
    }
    attach(builder, node);
    builder->levels[builder->depth++] = (level){.node = node};
}

/* Children came as key, value, key, ...; the node has them in two arrays. */
static bool fill_map(tree_builder *builder, level *top)
{
    ag_node *node = top->node;
    node->count = top->count / 2;
    node->keys = ag_config_alloc(builder->findings, node->count, sizeof(const ag_node *));
    node->items = ag_config_alloc(builder->findings, node->count, sizeof(const ag_node *));
    if (node->keys == NULL || node->items == NULL)
        return false;
    for (size_t i = 0; i < node->count; i++) {
        node->keys[i] = top->children[2 * i];
        node->items[i] = top->children[2 * i + 1];
    }
    return true;
}

typedef struct wanted_key {
    const ag_node *map;
    const char *text;
} wanted_key;

static bool same_key(const void *context, size_t value)
{
    const wanted_key *wanted = context;
    return strcmp(wanted->map->keys[value]->text, wanted->text) == 0;
}

/* YAML leaves open which of two equal keys counts: neither does here. By hash, since a mapping may
 * be long. */
static void check_repeated(tree_builder *builder, const ag_node *map)
{
    ag_index index;
    if (!ag_index_init(&index, map->count, builder->findings))
        return;
    for (size_t i = 0; i < map->count; i++) {
        const char *text = map->keys[i]->text;
        wanted_key wanted = {map, text};
        size_t *slot = ag_index_find(&index, ag_index_hash(text, strlen(text)), same_key, &wanted);
        if (*slot != 0)
            ag_config_error(builder->findings, map->keys[i]->place,
                            "the key '%.100s' appears twice in this mapping", text);
        *slot = i + 1;
    }
}

/* Its weight is that of all below, so that an alias to it can be counted at once. */
static void on_close(tree_builder *builder)
{
    if (builder->depth == 0)
        return;
    level *top = &builder->levels[--builder->depth];
    top->node->weight = 1;
    for (size_t i = 0; i < top->count; i++)
        top->node->weight += top->children[i]->weight;
    if (top->node->kind == AG_NODE_LIST) {
        top->node->count = top->count;
        top->node->items = top->children;
    } else if (fill_map(builder, top)) {
        check_repeated(builder, top->node);
    }
}

/* Tags are refused: types come from keys, and !!python/object has no place here. */
static void on_event(tree_builder *builder, struct fy_event *event)
{
    if (fy_event_get_tag_token(event) != NULL) {
        stop(builder, event_place(builder, event),
             "tags such as !!int are not used here: types come from the keys");
        return;
    }
    switch (event->type) {
    case FYET_SCALAR:
        on_scalar(builder, event);
        break;
    case FYET_ALIAS:
        on_alias(builder, event);
        break;
    case FYET_SEQUENCE_START:
        on_open(builder, event, AG_NODE_LIST);
        break;
    case FYET_MAPPING_START:
        on_open(builder, event, AG_NODE_MAP);
        break;
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        on_close(builder);
        break;
    case FYET_DOCUMENT_START:
        if (++builder->documents > 1)
            stop(builder, event_place(builder, event), "one file holds one experiment");
        break;
    default:
        break;
    }
    if (++builder->nodes > AG_MAX_NODES && !builder->stopped)
        stop(builder, builder->last, "too much in one file (aliases count as what they stand for)");
}

/* libfyaml gives errors by line and column, 1-based and in characters; places are byte offsets. */
static size_t offset_of(const ag_yaml_source *source, int line, int column)
{
    size_t at = 0;
    for (; line > 1 && at < source->size; at++)
        line -= source->text[at] == '\n';
    for (; column > 1 && at < source->size && source->text[at] != '\n'; at++)
        column -= ((unsigned char)source->text[at + 1] & 0xc0) != 0x80;
    return at;
}

/* The first error of libfyaml, with a hint where a backslash in double quotes is the likely cause.
 */
static void report_syntax(tree_builder *builder, struct fy_diag *diag)
{
    builder->stopped = true;
    void *position = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &position);
    if (error == NULL) {
        ag_config_error(builder->findings, builder->last, "this is not valid YAML");
        return;
    }
    ag_place place = {.source = builder->source, .length = 1};
    place.offset = offset_of(builder->source, error->line, error->column);
    bool escape = strstr(error->msg, "escape") != NULL;
    ag_config_error(builder->findings, place, "YAML: %s%s", error->msg,
                    escape ? ": write patterns in single quotes, where a backslash is itself" : "");
}

/* libfyaml tells of an error in the stream or in its diagnostics, not always in both. */
static void run_parser(tree_builder *builder, struct fy_diag *diag)
{
    struct fy_event *event;
    while (!builder->stopped && (event = fy_parser_parse(builder->parser)) != NULL) {
        on_event(builder, event);
        fy_parser_event_free(builder->parser, event);
    }
    if (!builder->stopped &&
        (fy_parser_get_stream_error(builder->parser) || fy_diag_got_error(diag)))
        report_syntax(builder, diag);
}

/* libfyaml would print its own messages; they are collected instead and become findings. */
const ag_node *ag_yaml_parse(const ag_yaml_source *source, ag_findings *findings)
{
    tree_builder builder = {
        .findings = findings, .source = source, .last = {source, 0, 1}
    };
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (diag == NULL)
        return NULL;
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg parse_cfg = {.flags = FYPCF_DISABLE_MMAP_OPT, .diag = diag};
    builder.parser = fy_parser_create(&parse_cfg);
    if (builder.parser != NULL &&
        fy_parser_set_string(builder.parser, source->text, source->size) == 0)
        run_parser(&builder, diag);
    fy_parser_destroy(builder.parser);
    fy_diag_destroy(diag);
    return builder.stopped || findings->out_of_memory ? NULL : builder.root;
}
