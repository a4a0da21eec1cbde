#include "base/duration.h"

#include "support.h"

typedef struct reading {
    const char *text;
    double seconds; /* negative: refused */
} reading;

static void texts_of_durations_are_read(void **state)
{
    static const reading readings[] = {
        {"90",          90    },
        {"90s",         90    },
        {"1.5m",        90    },
        {"30m",         1800  },
        {"2h",          7200  },
        {"1d",          86400 },
        {"10:00",       600   },
        {"2:03:04",     7384  },
        {"1-12:00:00",  129600},
        {"0-00:00:05",  5     },
        {"",            -1    },
        {"-5",          -1    },
        {"+5",          -1    },
        {"1e3",         -1    },
        {"0x10",        -1    },
        {"nan",         -1    },
        {"5w",          -1    },
        {"5ms",         -1    },
        {"1-12:00",     -1    }, /* hours and minutes, or minutes and seconds? */
        {"1:2:3:4",     -1    },
        {"1:",          -1    },
        {":30",         -1    },
        {"1-2-3:04:05", -1    },
    };
    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        double seconds = -1;
        bool read = ag_duration_read(&seconds, readings[i].text);
        if (read != (readings[i].seconds >= 0) || (read && seconds != readings[i].seconds))
            fail_msg("'%s': read %d, %g s, not %g", readings[i].text, (int)read, seconds,
                     readings[i].seconds);
    }
}

static void what_is_left_is_told_in_two_units(void **state)
{
    char text[AG_DURATION_TEXT];
    (void)state;
    assert_string_equal(ag_duration_short(text, -3), "0s");
    assert_string_equal(ag_duration_short(text, 59.4), "59s");
    assert_string_equal(ag_duration_short(text, 125), "2m05s");
    assert_string_equal(ag_duration_short(text, 3600), "1h00m");
    assert_string_equal(ag_duration_short(text, 172799), "47h59m");
    assert_string_equal(ag_duration_short(text, 172800), "2d00h");
    assert_string_equal(ag_duration_short(text, 1e300), "11574d01h");
}

static void an_estimate_has_one_unit(void **state)
{
    char text[AG_DURATION_TEXT];
    (void)state;
    assert_string_equal(ag_duration_rough(text, 119), "119 s");
    assert_string_equal(ag_duration_rough(text, 120), "2 min");
    assert_string_equal(ag_duration_rough(text, 7200), "2.0 h");
    assert_string_equal(ag_duration_rough(text, 172800), "2.0 days");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_durations_are_read),
        cmocka_unit_test(what_is_left_is_told_in_two_units),
        cmocka_unit_test(an_estimate_has_one_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
