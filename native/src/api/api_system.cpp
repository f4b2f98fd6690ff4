#include <cstring>

#include "api/guard.h"
#include "base/thread_pool.h"
#include "cpu/dispatch.h"

using namespace e4j;

namespace {

template <size_t N>
void copy_text(char (&to)[N], const std::string& from) {
  E4J_CHECK(from.size() < N);
  std::memcpy(to, from.c_str(), from.size() + 1);
}

}  // namespace

extern "C" int32_t e4j_abi_version(void) { return E4J_ABI_VERSION; }

extern "C" e4j_status e4j_get_system_info(e4j_system_info* out, e4j_error* error) {
  return guarded(error, [&] {
    check_struct(out, "out");
    out->default_threads = usable_processors();
    copy_text(out->cpu_tier, cpu::selected_kernels().tier);
    std::string tiers;
    for (const std::string& tier : cpu::available_tiers()) tiers += (tiers.empty() ? "" : " ") + tier;
    copy_text(out->cpu_tiers, tiers);
    copy_text(out->library_version, E4J_VERSION);
  });
}
