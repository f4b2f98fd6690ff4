#include "base/bus_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

namespace e4j {

// Read by the signal handler, so it is a list without locks whose members are never freed, only used again.
struct BusRange {
  std::atomic<uintptr_t> begin = 0, end = 0;  // end 0: free
  std::atomic<bool> lost = false;
  BusRange* next = nullptr;
};

namespace {

std::atomic<BusRange*> ranges = nullptr;
std::mutex changes;
struct sigaction previous;
uintptr_t page_bytes;

// Only what a signal handler may do.
void on_bus_error(int signal, siginfo_t* info, void* context) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(info->si_addr);
  for (BusRange* r = ranges.load(std::memory_order_acquire); r != nullptr; r = r->next) {
    const uintptr_t begin = r->begin.load(std::memory_order_acquire), end = r->end.load(std::memory_order_acquire);
    if (at < begin || at >= end) continue;
    // From the page of the fault to the end, not to be here again for each page of gigabytes. Another thread may have done it
    // just now; zeros in place of zeros do no harm.
    const uintptr_t page = at / page_bytes * page_bytes;
    const int error = errno;
    const void* zeros = ::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    errno = error;
    if (zeros == MAP_FAILED) break;
    r->lost.store(true, std::memory_order_release);
    return;
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  ::signal(SIGBUS, SIG_DFL);  // the instruction faults again and ends the process, as it would have
}

void install() {
  page_bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigaction(SIGBUS, nullptr, &previous);
  action.sa_mask = previous.sa_mask;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

BusGuard::BusGuard(const std::byte* begin, size_t bytes) {
  static std::once_flag once;
  std::call_once(once, install);
  const std::lock_guard lock(changes);
  BusRange* free = ranges.load(std::memory_order_relaxed);
  while (free != nullptr && free->end.load(std::memory_order_relaxed) != 0) free = free->next;
  if (free == nullptr) {
    free = new BusRange;
    free->next = ranges.load(std::memory_order_relaxed);
    ranges.store(free, std::memory_order_release);
  }
  range_ = free;
  range_->lost.store(false, std::memory_order_relaxed);
  range_->begin.store(reinterpret_cast<uintptr_t>(begin), std::memory_order_relaxed);
  range_->end.store(reinterpret_cast<uintptr_t>(begin) + bytes, std::memory_order_release);
}

BusGuard::~BusGuard() {
  const std::lock_guard lock(changes);
  range_->end.store(0, std::memory_order_release);
}

bool BusGuard::lost() const noexcept { return range_->lost.load(std::memory_order_acquire); }

}  // namespace e4j
