#include "api/guard.h"

extern "C" int32_t e4j_abi_version(void) { return E4J_ABI_VERSION; }
