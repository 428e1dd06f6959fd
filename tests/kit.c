/* SPDX-License-Identifier: MIT */
#include "tests/kit.h"
