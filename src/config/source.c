/* The experiment file as bytes: everything that a parser should never see is refused here, with a
 * message of its own. A file that grows while it is read, a device, or a gigabyte of something else
 * must not fill the memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/printable.h"
#include "nodes.h"

/* UTF-8 throughout and no zero byte: then every later reader may take texts as strings. */
static ag_status check_bytes(const ag_yaml_source *source)
{
    if (memchr(source->text, 0, source->size) != NULL)
        return ag_fail(AG_ERR_INPUT, "%s: holds a zero byte, so it is not a text file",
                       source->name);
    size_t line = 1;
    uint32_t character = 0;
    for (size_t i = 0; i < source->size;) {
        const char *at = source->text + i;
        size_t length = ag_utf8_read(&character, at, source->size - i);
        if (length == 0)
            return ag_fail(AG_ERR_INPUT, "%s:%zu: byte %zu (0x%02x) is not UTF-8", source->name,
                           line, i, (unsigned char)*at);
        line += *at == '\n';
        i += length;
    }
    return AG_OK;
}

/* One byte more than allowed is asked for: a file may grow, and a device has no size. */
static ag_status read_bytes(ag_yaml_source *source, FILE *file, ag_findings *findings)
{
    struct stat facts;
    if (fstat(fileno(file), &facts) != 0)
        return ag_fail_errno("%s", source->name);
    if (S_ISDIR(facts.st_mode))
        return ag_fail(AG_ERR_INPUT, "%s is a directory, not an experiment file", source->name);
    if (facts.st_size > AG_MAX_FILE_BYTES)
        return ag_fail(AG_ERR_INPUT, "%s has %lld bytes; an experiment file has at most %d",
                       source->name, (long long)facts.st_size, AG_MAX_FILE_BYTES);
    char *text = ag_config_alloc(findings, AG_MAX_FILE_BYTES + 2, 1);
    if (text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    source->size = fread(text, 1, AG_MAX_FILE_BYTES + 1, file);
    source->text = text;
    if (ferror(file))
        return ag_fail_errno("%s", source->name);
    if (source->size > AG_MAX_FILE_BYTES)
        return ag_fail(AG_ERR_INPUT, "%s: an experiment file has at most %d bytes", source->name,
                       AG_MAX_FILE_BYTES);
    return check_bytes(source);
}

/* A directory opens and fails later; what is no file at all is told apart from one that is too
 * large. */
ag_status ag_source_read(ag_yaml_source *source, const char *path, ag_findings *findings)
{
    *source = (ag_yaml_source){.name = ag_arena_strdup(findings->arena, path), .text = ""};
    if (source->name == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (path[0] == '\0')
        return ag_fail(AG_ERR_INPUT, "the experiment file has no name");
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return ag_fail(AG_ERR_INPUT, "cannot open the experiment file %s: %s", path,
                       strerror(errno));
    ag_status status = read_bytes(source, file, findings);
    fclose(file);
    return status;
}
