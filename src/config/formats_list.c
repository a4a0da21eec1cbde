/* `formats`: the list, its labels, and formats that an include adds. The list is the format axis of
 * the grid; without it there is one format, BF16. */
#include <string.h>
#include <strings.h>

#include "config_internal.h"

size_t ag_config_format_find(const ag_experiment *experiment, const char *label)
{
    for (size_t i = 0; i < experiment->n_formats; i++) {
        if (strcasecmp(experiment->formats[i].label, label) == 0)
            return i;
    }
    return SIZE_MAX;
}

/* Room for one more; it counts only once its label is known. */
static ag_format_entry *new_entry(ag_experiment *experiment)
{
    void *formats = experiment->formats;
    if (!ag_config_grow(&formats, &experiment->formats_capacity, &experiment->findings,
                        experiment->n_formats, sizeof *experiment->formats))
        return NULL;
    experiment->formats = formats;
    return &experiment->formats[experiment->n_formats];
}

size_t ag_config_format_add(ag_experiment *experiment, const ag_node *node)
{
    ag_format_entry *entry = new_entry(experiment);
    if (entry == NULL)
        return SIZE_MAX;
    bool good = ag_format_entry_parse(entry, &experiment->findings, node);
    experiment->formats_broken |= !good;
    experiment->formats_unnamed |= entry->label == NULL;
    if (entry->label == NULL)
        return SIZE_MAX;
    experiment->n_formats++; /* a label with errors is known all the same: nothing else complains */
    return good ? experiment->n_formats - 1 : SIZE_MAX;
}

static void default_formats(ag_experiment *experiment)
{
    ag_format_entry *entry = new_entry(experiment);
    if (entry == NULL)
        return;
    *entry = (ag_format_entry){.label = "BF16", .null = true};
    experiment->n_formats = 1;
}

/* An entry with errors takes its place all the same, so that indices of the axis and the list
 * agree. */
void ag_config_formats(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    const ag_node *node = ag_node_get(experiment->root, "formats");
    if (node == NULL) {
        default_formats(experiment);
        return;
    }
    if (!ag_node_is(findings, node, AG_NODE_LIST, "formats") || node->count == 0 ||
        node->count > AG_MAX_RULES) {
        if (node->kind == AG_NODE_LIST)
            ag_config_error(findings, node->place, "formats takes 1 to %d entries", AG_MAX_RULES);
        experiment->formats_broken = true;
        experiment->formats_unnamed = true;
        return;
    }
    for (size_t i = 0; i < node->count && !ag_config_full(findings); i++)
        ag_config_format_add(experiment, node->items[i]);
}
