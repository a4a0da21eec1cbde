/* cmocka with what it needs before it, and the few helpers that all tests share. */
#ifndef AG_TESTS_SUPPORT_H
#define AG_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/status.h"

/* Fails with the recorded message unless the call succeeds. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        ag_error_clear();                                                                          \
        if ((call) != AG_OK)                                                                       \
            fail_msg("%s: %s", #call, ag_error_message());                                         \
    } while (0)

/* Fails unless the call gives `status` and a message that contains `part`. */
#define assert_fails(status, part, call)                                                           \
    do {                                                                                           \
        ag_error_clear();                                                                          \
        assert_int_equal((call), (status));                                                        \
        if (strstr(ag_error_message(), (part)) == NULL)                                            \
            fail_msg("%s: message '%s' lacks '%s'", #call, ag_error_message(), (part));            \
    } while (0)

static inline uint32_t bits_of(float value)
{
    return ag_float_bits(value);
}

static inline float float_of(uint32_t bits)
{
    return ag_bits_float(bits);
}

#endif
