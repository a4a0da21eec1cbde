#include "config/config_support.h"

#include <stdlib.h>
#include <unistd.h>

ag_status load_bytes(ag_experiment **out, const void *bytes, size_t size, ag_text *messages)
{
    char path[] = "/tmp/altgrad-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    ag_text_init(messages);
    ag_error_clear();
    ag_status status = ag_experiment_load(out, path, NULL, messages);
    unlink(path);
    return status;
}

ag_experiment *load_good(const char *yaml)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    ag_status status = load_bytes(&experiment, yaml, strlen(yaml), &messages);
    if (status != AG_OK)
        fail_msg("%s\n%s", ag_error_message(), messages.data);
    ag_text_deinit(&messages);
    return experiment;
}

void expect_error(const char *yaml, const char *part)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    ag_status status = load_bytes(&experiment, yaml, strlen(yaml), &messages);
    if (status != AG_ERR_INPUT || experiment != NULL || strstr(messages.data, part) == NULL)
        fail_msg("wanted the error '%s' and got status %d, '%s'\n%s", part, status,
                 ag_error_message(), messages.data);
    ag_text_deinit(&messages);
}

void expect_warning(const char *yaml, const char *part)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    ag_status status = load_bytes(&experiment, yaml, strlen(yaml), &messages);
    if (status != AG_OK || ag_experiment_warnings(experiment) == 0 ||
        strstr(messages.data, part) == NULL)
        fail_msg("wanted the warning '%s' and got status %d\n%s", part, status, messages.data);
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

static size_t axis_index(const ag_grid *grid, const char *name)
{
    for (size_t a = 0; a < grid->n_axes; a++) {
        if (strcmp(grid->axes[a].name, name) == 0)
            return a;
    }
    fail_msg("no axis %s", name);
    return 0;
}

const ag_label *find_label(const ag_grid *grid, const char *axis, const char *value,
                           const char *other_axis, const char *other)
{
    size_t a = axis_index(grid, axis);
    size_t b = other_axis != NULL ? axis_index(grid, other_axis) : a;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        if (strcmp(label->values[a].text, value) == 0 &&
            (other_axis == NULL || strcmp(label->values[b].text, other) == 0))
            return label;
    }
    fail_msg("no label with %s=%s", axis, value);
    return NULL;
}
