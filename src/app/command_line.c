/* Reads argv and prints the help of a command, both by its table (command_line.h). getopt_long does
 * the work: it knows abbreviations, "--name=value" and options behind arguments, as users expect
 * them. */
#include "command_line.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"

/* Long names are told from letters by numbers beyond any character. */
enum { MOST_OPTIONS = 16, NAME_SIZE = 32, LONG = 256, HELP = LONG + MOST_OPTIONS };

/* --- a row's form, taken apart */

typedef struct form {
    char letter;          /* 0: none */
    char name[NAME_SIZE]; /* "": none */
    bool takes_value;
} form;

/* "-j, --jobs N". What looks like an option in a row of another type is only shown. */
static form take_apart(const ag_option *option)
{
    form f = {0};
    if (option->type == AG_OPTION_NONE)
        return f;
    const char *text = option->form + strspn(option->form, " ");
    const char *name = strstr(text, "--");
    if (name != text)
        f.letter = text[1];
    if (name != NULL)
        snprintf(f.name, sizeof f.name, "%.*s", (int)strcspn(name + 2, " "), name + 2);
    f.takes_value = option->type != AG_OPTION_FLAG;
    return f;
}

/* --- help */

/* A form that reaches into the second column gets a line of its own. */
static void print_row(const ag_option *option, int column)
{
    const char *line = option->help;
    if (option->form == NULL) {
        fputs(line, stdout);
        return;
    }
    printf("  %s", option->form);
    int at = 2 + (int)strlen(option->form);
    if (at >= column) {
        putchar('\n');
        at = 0;
    }
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        printf("%*s%.*s\n", column - at, "", (int)length, line);
        line += length + (line[length] != '\0');
        at = 0;
    }
}

/* Rows without a text are options that the usage tells about. */
void ag_options_print_help(const ag_command_line *line)
{
    fputs(line->usage, stdout);
    for (size_t i = 0; i < line->n_options; i++) {
        if (line->options[i].help != NULL)
            print_row(&line->options[i], line->column);
    }
    fputs(line->notes, stdout);
}

/* --- values */

/* strtol takes spaces and a plus sign before the number, which do no harm on a command line. */
static ag_status read_number(long *out, const char *name, const char *text, long least, long most)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0 && value >= least && value <= most) {
        *out = value;
        return AG_OK;
    }
    return least > 0 ? ag_fail(AG_ERR_INPUT, "--%s takes a number from %ld to %ld, not '%s'", name,
                               least, most, text)
                     : ag_fail(AG_ERR_INPUT, "--%s %s: a whole number was expected", name, text);
}

/* Room for as many as there are arguments: no option can be given more often. */
static ag_status add_text(ag_texts *texts, const char *text, size_t most, ag_arena *arena)
{
    if (texts->items == NULL)
        texts->items = ag_arena_alloc(arena, most * sizeof *texts->items);
    if (texts->items == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    texts->items[texts->count++] = text;
    return AG_OK;
}

/* By type; whatever is special about an option is in its `read`. */
static ag_status take_value(void *into, const ag_option *option, const char *text, int argc,
                            ag_arena *arena)
{
    void *place = (char *)into + option->offset;
    const form f = take_apart(option);
    switch (option->type) {
    case AG_OPTION_FLAG:
        *(bool *)place = true;
        return AG_OK;
    case AG_OPTION_TEXT:
        *(const char **)place = text;
        return AG_OK;
    case AG_OPTION_TEXTS:
        return add_text(place, text, (size_t)argc, arena);
    case AG_OPTION_COUNT:
        return read_number(place, f.name, text, 1, option->most);
    case AG_OPTION_WHOLE:
        return read_number(place, f.name, text, 0, INT32_MAX);
    case AG_OPTION_OTHER:
        return option->read(into, text);
    case AG_OPTION_NONE:
        break;
    }
    return ag_fail(AG_ERR_BUG, "a row of the help was read as an option");
}

/* --- argv */

/* What getopt_long wants of the table. A row's long name is LONG and its number. */
typedef struct known {
    form forms[MOST_OPTIONS];
    struct option names[MOST_OPTIONS + 2];
    char letters[2 * MOST_OPTIONS + 3];
} known;

static void make_known(known *k, const ag_command_line *line)
{
    size_t n_names = 0;
    size_t n_letters = 2;
    *k = (known){.letters = ":h"}; /* the colon: a value that is missing is told apart */
    for (size_t i = 0; i < line->n_options && i < MOST_OPTIONS; i++) {
        form *f = &k->forms[i];
        *f = take_apart(&line->options[i]);
        if (f->name[0] != '\0')
            k->names[n_names++] = (struct option){
                f->name, f->takes_value ? required_argument : no_argument, NULL, LONG + (int)i};
        if (f->letter != '\0') {
            k->letters[n_letters++] = f->letter;
            if (f->takes_value)
                k->letters[n_letters++] = ':';
        }
    }
    k->names[n_names] = (struct option){"help", no_argument, NULL, HELP};
}

/* A long name that is none, or the beginning of several. */
static ag_status tell_unknown(const known *k, const char *option)
{
    char which[256] = "";
    size_t used = 0;
    size_t n = 0;
    const char *name = option + strspn(option, "-");
    size_t length = strcspn(name, "=");
    for (const struct option *at = k->names; at->name != NULL; at++)
        if (length > 0 && strncmp(at->name, name, length) == 0 && used < sizeof which)
            used += (size_t)snprintf(which + used, sizeof which - used, "%s--%s",
                                     n++ > 0 ? " or " : "", at->name);
    return n > 1 ? ag_fail(AG_ERR_INPUT, "'%s' may be %s", option, which)
                 : ag_fail(AG_ERR_INPUT, "there is no option '%s'", option);
}

/* optopt is 0 for a long option that the table does not have, a row's long name (LONG and its
 * number) for one whose value is missing or too much, and a letter otherwise. Only after a long
 * option does optind surely tell where it stood: letters may be several to an argument, and where
 * the last argument lacks its value, musl's optind lies beyond the end. */
static ag_status tell_bad_option(const known *k, int found, char **argv)
{
    if (optopt != 0 && optopt < LONG)
        return found == ':' ? ag_fail(AG_ERR_INPUT, "-%c needs a value", optopt)
                            : ag_fail(AG_ERR_INPUT, "there is no option '-%c'", optopt);
    const char *option = argv[optind - 1];
    if (found == ':')
        return ag_fail(AG_ERR_INPUT, "%s needs a value", option);
    if (optopt != 0)
        return ag_fail(AG_ERR_INPUT, "'%s': this option takes no value", option);
    return tell_unknown(k, option);
}

/* Only letters of the table come from getopt, so that the loop ends. */
static const ag_option *find_row(const known *k, const ag_command_line *line, int found)
{
    size_t i = 0;
    if (found >= LONG)
        return &line->options[found - LONG];
    while (k->forms[i].letter != found)
        i++;
    return &line->options[i];
}

/* Stops at --help: whoever asks for it may not know what else is wrong. */
ag_status ag_options_read(bool *help, void *into, const ag_command_line *line, int argc,
                          char **argv, ag_arena *arena)
{
    known k;
    make_known(&k, line);
    *help = false;
    opterr = 0; /* getopt's own messages do not say whose they are, nor how to get help */
    for (int found; (found = getopt_long(argc, argv, k.letters, k.names, NULL)) != -1;) {
        *help = found == 'h' || found == HELP;
        if (*help)
            return AG_OK;
        if (found == '?' || found == ':')
            return tell_bad_option(&k, found, argv);
        AG_TRY(take_value(into, find_row(&k, line, found), optarg, argc, arena));
    }
    return AG_OK;
}

int ag_app_read_options(void *into, const ag_command_line *line, int argc, char **argv,
                        ag_arena *arena)
{
    bool help = false;
    if (ag_options_read(&help, into, line, argc, argv, arena) != AG_OK)
        return ag_app_usage(line->command, "%s", ag_error_message());
    if (!help)
        return -1;
    ag_options_print_help(line);
    return AG_EXIT_OK;
}

int ag_app_results_first(const char **path, const ag_command_line *line, int argc, char **argv)
{
    if (optind >= argc)
        return ag_app_usage(line->command,
                            "which results file? One, such as results/quickstart.h5");
    *path = argv[optind];
    return -1;
}

int ag_app_results_argument(const char **path, const ag_command_line *line, int argc, char **argv)
{
    return ag_app_results_first(path, line, optind + 1 == argc ? argc : 0, argv);
}
