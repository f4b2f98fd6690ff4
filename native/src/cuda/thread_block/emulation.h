// The primitives on the CPU; see primitives.h. A Block runs each thread of a thread block on a stack of its own and switches
// between them where they wait for each other, so what runs is the kernel's own source.
//
// It is stricter than a GPU, which may hide a mistake. It ends the block with an EmulationError when
//   - a word of shared memory is read that was never written, or written by another thread with no barrier in between, or
//     written while another thread may still read it (sync_warp counts among the threads of a warp);
//   - asynchronously copied bytes are used before their group was waited for: they arrive then and no earlier;
//   - threads of a warp meet at different primitives, or some wait for ever;
//   - a shared memory access of a whole warp takes more passes than its size needs (bank conflicts);
//   - shared memory beyond the block's is touched, or an address is not aligned.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/thread_block/fiber.h"
#include "tensor/convert.h"

namespace e4j::cuda {

struct EmulationError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Block {
 public:
  Block(int threads, uint32_t shared_bytes)
      : threads_(static_cast<size_t>(threads)), warps_(static_cast<size_t>(threads) / kWarpSize), shared_(shared_bytes), words_(shared_bytes / 4) {
    if (threads <= 0 || threads % kWarpSize != 0 || shared_bytes % 16 != 0) throw EmulationError("a block of part warps");
  }

  // kernel() as every thread of a block; an EmulationError tells what was wrong with it.
  void run(unsigned index, const std::function<void()>& kernel, unsigned layer = 0) {
    index_ = index;
    layer_ = layer;
    kernel_ = &kernel;
    running_ = static_cast<int>(threads_.size());
    for (Word& w : words_) w = {};
    for (Warp& w : warps_) w = {};
    epoch_ = barrier_arrived_ = 0;
    any_[0] = any_[1] = false;
    barrier_waiting_.clear();
    error_.clear();
    ready_.clear();
    for (size_t t = 0; t < threads_.size(); ++t) {
      threads_[t].pending.clear();
      threads_[t].open.clear();
      threads_[t].fiber.start([this] { thread_main(); });
      ready_.push_back(static_cast<int>(t));
    }
    Block* outer = current_block();
    current_block() = this;
    while (!ready_.empty() && error_.empty()) {
      current_ = ready_.front();
      ready_.pop_front();
      threads_[static_cast<size_t>(current_)].fiber.resume();
    }
    current_block() = outer;
    if (error_.empty() && running_ > 0) error_ = std::to_string(running_) + " threads wait for others that have ended or wait elsewhere";
    if (!error_.empty()) throw EmulationError(error_);
  }

  static Block& current() { return *current_block(); }
  unsigned index() const noexcept { return index_; }
  unsigned layer() const noexcept { return layer_; }
  int thread() const noexcept { return current_; }
  uint64_t matrix_products() const noexcept { return matrix_products_; }

  // Whether any thread came with true.
  bool sync_threads(bool v = false) {
    const uint64_t own_epoch = epoch_;
    any_[own_epoch % 2] |= v;
    if (++barrier_arrived_ < threads_.size()) {
      barrier_waiting_.push_back(current_);
      suspend();
      return any_[own_epoch % 2];
    }
    barrier_arrived_ = 0;
    any_[++epoch_ % 2] = false;
    for (const int t : barrier_waiting_) ready_.push_back(t);
    barrier_waiting_.clear();
    return any_[own_epoch % 2];
  }

  // What the 32 lanes of a warp do together: the last one to arrive runs `act` over everybody's operands.
  enum class Together : uint8_t { kNone, kSync, kLoadMatrix, kLoadMatrixTransposed, kLoad16, kLoad4, kStore4, kMma, kShuffle };
  template <class Operands, class Act>
  void together(Together what, Operands& mine, Act&& act) {
    Warp& w = warps_[static_cast<size_t>(current_ / kWarpSize)];
    if (w.arrived == 0) w.what = what;
    if (w.what != what) fail("threads of one warp meet at different primitives");
    w.operands[static_cast<size_t>(current_ % kWarpSize)] = &mine;
    w.lanes[static_cast<size_t>(w.arrived)] = current_;
    if (++w.arrived < kWarpSize) {
      suspend();
      return;
    }
    w.arrived = 0;
    act([&](int lane) -> Operands& { return *static_cast<Operands*>(w.operands[static_cast<size_t>(lane)]); });
    for (size_t i = 0; i + 1 < kWarpSize; ++i) ready_.push_back(w.lanes[i]);
  }
  void sync_warp() {
    char nothing = 0;
    together(Together::kSync, nothing, [this](auto&&) { ++warps_[static_cast<size_t>(current_ / kWarpSize)].epoch; });
  }

  struct Access {
    uint32_t at;
    uint32_t words[4];
  };
  // Reads `words` words at every lane's address, each group of lanes that the hardware serves at once without a conflict.
  template <class Lanes>
  void read_together(Lanes&& of, int words) {
    check_banks([&](int lane) { return of(lane).at; }, words);
    const int first = current_ / kWarpSize * kWarpSize;
    for (int lane = 0; lane < kWarpSize; ++lane) read(first + lane, of(lane).at, of(lane).words, words);
  }
  template <class Lanes>
  void write_together(Lanes&& of, int words) {
    check_banks([&](int lane) { return of(lane).at; }, words);
    const int first = current_ / kWarpSize * kWarpSize;
    for (int lane = 0; lane < kWarpSize; ++lane) write(first + lane, of(lane).at, of(lane).words, words);
  }
  // Lane l's address is that of row l % 8 of matrix l / 8; every lane gets its pair of each of the four.
  template <class Lanes>
  void load_matrices(Lanes&& of, bool transposed) {
    check_banks([&](int lane) { return of(lane).at; }, 4);
    const int first = current_ / kWarpSize * kWarpSize;
    std::array<std::array<uint32_t, 4>, kWarpSize> rows;
    for (int lane = 0; lane < kWarpSize; ++lane) read(first + lane, of(lane).at, rows[static_cast<size_t>(lane)].data(), 4);
    const auto element = [&](int matrix, int row, int col) {
      return rows[static_cast<size_t>(8 * matrix + row)][static_cast<size_t>(col / 2)] >> (16 * (col % 2)) & 0xffffu;
    };
    for (int lane = 0; lane < kWarpSize; ++lane)
      for (int m = 0; m < 4; ++m) {
        const int r = lane / 4, c = lane % 4 * 2;
        of(lane).words[m] = transposed ? element(m, c, r) | element(m, c + 1, r) << 16 : element(m, r, c) | element(m, r, c + 1) << 16;
      }
  }

  struct Mma {
    float* d;
    const uint32_t* a;
    uint32_t b[2];
  };
  template <class Lanes>
  void multiply(Lanes&& of) {
    float a[16][16], b[16][8];
    const auto unpack = [](uint32_t pair, int i) { return bf16_to_f32(static_cast<uint16_t>(pair >> (16 * i))); };
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const int r = lane / 4, c = lane % 4 * 2;
      for (int i = 0; i < 2; ++i) {
        for (int part = 0; part < 4; ++part) a[r + 8 * (part % 2)][c + i + 8 * (part / 2)] = unpack(of(lane).a[part], i);
        for (int part = 0; part < 2; ++part) b[c + i + 8 * part][r] = unpack(of(lane).b[part], i);
      }
    }
    for (int lane = 0; lane < kWarpSize; ++lane)
      for (int i = 0; i < 4; ++i) {
        const int row = lane / 4 + 8 * (i / 2), col = lane % 4 * 2 + i % 2;
        float sum = 0;
        for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][col];
        of(lane).d[i] += sum;
      }
    ++matrix_products_;
  }

  void copy_async(uint32_t to, const void* from, bool valid, int words) {
    check_address(to, words);
    for (int i = 0; i < words; ++i) {
      Word& w = words_[to / 4 + static_cast<uint32_t>(i)];
      check_write(w, current_);
      w.state = Word::kInFlight;
      w.writer = current_;
    }
    std::memset(&shared_[to], 0xff, static_cast<size_t>(words) * 4);
    threads_[static_cast<size_t>(current_)].open.push_back({to, words, valid ? from : nullptr});
  }
  void commit_copies() {
    Thread& t = threads_[static_cast<size_t>(current_)];
    t.pending.push_back(std::move(t.open));
    t.open.clear();
  }
  void wait_copies(size_t latest) {
    Thread& t = threads_[static_cast<size_t>(current_)];
    for (; t.pending.size() > latest; t.pending.pop_front())
      for (const Copy& copy : t.pending.front()) {
        uint32_t words[4] = {};
        if (copy.from != nullptr) std::memcpy(words, copy.from, static_cast<size_t>(copy.words) * 4);
        for (int i = 0; i < copy.words; ++i) words_[copy.to / 4 + static_cast<uint32_t>(i)].state = Word::kWritten;
        write(current_, copy.to, words, copy.words);
      }
  }

 private:
  struct Copy {
    uint32_t to;
    int words;
    const void* from;  // null: zeros
  };
  struct Thread {
    Fiber fiber;
    std::deque<std::vector<Copy>> pending;
    std::vector<Copy> open;
  };
  struct Warp {
    Together what = Together::kNone;
    int arrived = 0;
    uint64_t epoch = 0;
    std::array<void*, kWarpSize> operands{};
    std::array<int, kWarpSize> lanes{};
  };
  // Who touched a word of shared memory last, and in which period between barriers of the block and of the warp.
  struct Word {
    enum State : uint8_t { kUnwritten, kInFlight, kWritten } state = kUnwritten;
    int writer = -1, reader = -1;  // reader: -2: several threads of one warp, -3: of several
    int reader_warp = -1;
    uint64_t write_epoch = 0, write_warp_epoch = 0, read_epoch = 0, read_warp_epoch = 0;
  };

  static Block*& current_block() {
    static thread_local Block* block = nullptr;
    return block;
  }

  void thread_main() {
    (*kernel_)();
    --running_;
  }
  void suspend() { threads_[static_cast<size_t>(current_)].fiber.suspend(); }
  // Never returns: the block does not run on. (Nothing is unwound, so callers hold no memory.)
  [[noreturn]] void fail(const char* what, int64_t number = -1) {
    error_ = "thread " + std::to_string(current_) + ": " + what + (number < 0 ? "" : ", at " + std::to_string(number));
    for (;;) suspend();
  }

  void check_address(uint32_t at, int words) {
    const uint32_t bytes = static_cast<uint32_t>(words) * 4;
    if (at % bytes != 0) fail("an address of shared memory that is not a multiple of the access", at);
    if (at + bytes > shared_.size()) fail("an address beyond shared memory", at);
  }
  uint64_t warp_epoch(int thread) const { return warps_[static_cast<size_t>(thread / kWarpSize)].epoch; }

  void check_write(const Word& w, int thread) {
    if (w.state == Word::kInFlight) fail("shared memory written while a copy to it is under way");
    if (w.state == Word::kWritten && !ordered(w.writer, w.write_epoch, w.write_warp_epoch, thread)) fail("shared memory written twice with no barrier in between");
    if (w.reader == -1 || w.reader == thread || w.read_epoch < epoch_) return;
    if (w.reader_warp == thread / kWarpSize && w.read_warp_epoch < warp_epoch(thread)) return;
    fail("shared memory written that another thread may still read");
  }
  bool ordered(int writer, uint64_t epoch, uint64_t epoch_of_warp, int thread) const {
    return writer == thread || epoch < epoch_ || (writer / kWarpSize == thread / kWarpSize && epoch_of_warp < warp_epoch(thread));
  }
  void write(int thread, uint32_t at, const uint32_t* values, int words) {
    check_address(at, words);
    for (int i = 0; i < words; ++i) {
      Word& w = words_[at / 4 + static_cast<uint32_t>(i)];
      check_write(w, thread);
      w = {Word::kWritten, thread, -1, -1, epoch_, warp_epoch(thread), 0, 0};
    }
    std::memcpy(&shared_[at], values, static_cast<size_t>(words) * 4);
  }
  void read(int thread, uint32_t at, uint32_t* values, int words) {
    check_address(at, words);
    for (int i = 0; i < words; ++i) {
      Word& w = words_[at / 4 + static_cast<uint32_t>(i)];
      if (w.state == Word::kUnwritten) fail("shared memory read that was never written", at);
      if (w.state == Word::kInFlight) fail("shared memory read before the copy to it was waited for", at);
      if (!ordered(w.writer, w.write_epoch, w.write_warp_epoch, thread)) fail("shared memory read with no barrier since it was written", at);
      const int of_warp = thread / kWarpSize;
      const bool again = w.reader != -1 && w.read_epoch == epoch_;
      w.reader_warp = !again || w.reader_warp == of_warp ? of_warp : -3;
      w.reader = !again || w.reader == thread ? thread : -2;
      w.read_epoch = epoch_;
      w.read_warp_epoch = warp_epoch(thread);
    }
    std::memcpy(values, &shared_[at], static_cast<size_t>(words) * 4);
  }

  // The hardware serves 32 banks of a word each at a time: 32, 16 or 8 lanes with words of 4, 8 or 16 bytes.
  template <class Address>
  void check_banks(Address&& at, int words) {
    const int lanes = kWarpSize / words;
    for (int first = 0; first < kWarpSize; first += lanes) {
      std::array<int64_t, kWarpSize> word_of_bank;
      word_of_bank.fill(-1);
      for (int lane = first; lane < first + lanes; ++lane)
        for (int i = 0; i < words; ++i) {
          const int64_t word = at(lane) / 4 + i;
          int64_t& held = word_of_bank[static_cast<size_t>(word % kWarpSize)];
          if (held != -1 && held != word) fail("bank conflict", 4 * word);
          held = word;
        }
    }
  }

  const std::function<void()>* kernel_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<uint8_t> shared_;
  std::vector<Word> words_;
  std::deque<int> ready_;
  std::vector<int> barrier_waiting_;
  size_t barrier_arrived_ = 0;
  bool any_[2] = {};
  unsigned index_ = 0, layer_ = 0;
  int current_ = 0, running_ = 0;
  uint64_t epoch_ = 0, matrix_products_ = 0;
  std::string error_;
};

inline int thread() { return Block::current().thread(); }
inline unsigned block_index() { return Block::current().index(); }
inline uint32_t shared_memory() { return 0; }
inline unsigned block_layer() { return Block::current().layer(); }
inline bool sync_threads_or(bool v) { return Block::current().sync_threads(v); }
inline void sync_threads() { Block::current().sync_threads(); }
inline void sync_warp() { Block::current().sync_warp(); }

inline void copy_async_16(uint32_t to, const void* from, bool valid) { Block::current().copy_async(to, from, valid, 4); }
inline void copy_async_4(uint32_t to, const void* from, bool valid) { Block::current().copy_async(to, from, valid, 1); }
inline void commit_copies() { Block::current().commit_copies(); }
template <int kLatest>
void wait_copies() {
  Block::current().wait_copies(kLatest);
}

inline void load_matrix_x4(uint32_t (&r)[4], uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoadMatrix, access, [](auto&& of) { Block::current().load_matrices(of, false); });
  std::memcpy(r, access.words, sizeof r);
}
inline void load_matrix_x4_transposed(uint32_t (&r)[4], uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoadMatrixTransposed, access, [](auto&& of) { Block::current().load_matrices(of, true); });
  std::memcpy(r, access.words, sizeof r);
}
inline Words4 load_shared_16(uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoad16, access, [](auto&& of) { Block::current().read_together(of, 4); });
  Words4 v;
  std::memcpy(v.w, access.words, sizeof v.w);
  return v;
}
inline uint32_t load_shared_4(uint32_t at) {
  Block::Access access{at, {}};
  Block::current().together(Block::Together::kLoad4, access, [](auto&& of) { Block::current().read_together(of, 1); });
  return access.words[0];
}
inline void store_shared_4(uint32_t at, uint32_t v) {
  Block::Access access{at, {v}};
  Block::current().together(Block::Together::kStore4, access, [](auto&& of) { Block::current().write_together(of, 1); });
}

inline void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Block::Mma operands{d, a, {b0, b1}};
  Block::current().together(Block::Together::kMma, operands, [](auto&& of) { Block::current().multiply(of); });
}
inline float shuffle_xor(float v, int mask) {
  struct Value {
    float in, out;
    int mask;
  } value{v, 0, mask};
  Block::current().together(Block::Together::kShuffle, value, [](auto&& of) {
    for (int lane = 0; lane < kWarpSize; ++lane) of(lane).out = of(lane ^ of(lane).mask).in;
  });
  return value.out;
}

// Blocks run one after the other here.
inline uint32_t count_globally(uint32_t* counter) { return (*counter)++; }
inline Floats4 load_global(const Floats4* from) { return *from; }

template <class T>
T opaque(T x) {
  return x;
}
inline float exp2(float x) { return std::exp2(x); }
inline float maximum(float x, float y) { return std::fmax(x, y); }
inline uint32_t pack_bf16(float low, float high) {
  return static_cast<uint32_t>(f32_to_bf16(low)) | static_cast<uint32_t>(f32_to_bf16(high)) << 16;
}

}  // namespace e4j::cuda
