# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""What the black-box tests share: starting a server, nkeys, certificates. Standard library only."""
