// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/sim/options.h"

#include <string.h>

#include "server/config/config.h"
#include "test/sim/sim.h"

struct mg_options *sim_options(const char *text) {
    struct mg_config_source src = {.ctx = NULL};
    struct mg_config_report report = {0};
    struct mg_options *o = NULL;
    struct mg_buf why = MG_BUF_INIT;
    int rc = mg_config_load_text(&src, text, strlen(text), &o, &report);
    mg_config_report_text(&report, &why);
    sim_check(rc == 0, "configuration: %.*s", (int)why.len, why.p);
    mg_buf_fini(&why);
    mg_config_report_fini(&report);
    return o;
}
