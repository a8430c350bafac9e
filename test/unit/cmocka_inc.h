// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What every unit test includes: cmocka and the headers that it needs first.
#ifndef MG_TEST_CMOCKA_INC_H
#define MG_TEST_CMOCKA_INC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#endif
