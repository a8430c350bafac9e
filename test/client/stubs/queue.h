// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <FreeRTOS.h>
