// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef MG_TEST_SIM_OPTIONS_H
#define MG_TEST_SIM_OPTIONS_H

#include "server/config/options.h"

// What the text of a configuration says, which must be right. The caller owns it.
struct mg_options *sim_options(const char *text);

#endif
