// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Asks rpc_service: rpc_client URL NUMBER...
#include <midge_posix.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char err[300], question[256] = "";
    midge_options options = {.servers = argc > 1 ? argv[1] : NULL};
    for (int i = 2; i < argc; i++) {
        size_t n = strlen(question);
        snprintf(question + n, sizeof question - n, "%s ", argv[i]);
    }
    midge_conn *c = midge_connect(&options, err, sizeof err);
    if (c == NULL) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    const midge_msg *reply; // the connection's, until the next request
    int rc = midge_request_wait(c, MIDGE_STR("math.add"), MIDGE_NONE, question, strlen(question), 2000, &reply);
    if (rc == 0) {
        printf("%.*s\n", (int)reply->data.n, reply->data.p);
    } else {
        fprintf(stderr, "%s%s\n", midge_strerror(rc), rc == MIDGE_ENORESPONDERS ? "; start rpc_service first" : "");
    }
    midge_conn_free(c);
    return rc == 0 ? 0 : 1;
}
