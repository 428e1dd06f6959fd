/* SPDX-License-Identifier: MIT */
#ifndef EVERSEAL_TESTS_CRASHSILENT_H
#define EVERSEAL_TESTS_CRASHSILENT_H

#include "store/store.h"

/* What is linked with crashsilent.c and --wrap=store_status,--wrap=store_lost hears no alarm while this is true. */
extern bool alarm_silent;

#endif
