// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/cli.h"

int main(int argc, char *argv[]) { return cli_main(argc, argv); }
