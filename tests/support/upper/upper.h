/* upper: a domain that exists for tests: what adding one takes is this folder, an ops table and a
 * word in `[pipeline] chain`. It raises the letters of each record, and misuses the callbacks on
 * demand. */
#ifndef MR_TESTS_SUPPORT_UPPER_UPPER_H
#define MR_TESTS_SUPPORT_UPPER_UPPER_H

#include "common/runtime/stage.h"

extern const mr_stage_ops_t mr_upper_ops;

#endif
