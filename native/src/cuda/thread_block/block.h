// An emulated thread block: a Block runs each thread on a stack of its own and switches between them where they wait for each
// other, so what runs is the kernel's own source.
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
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/thread_block/clock.h"
#include "cuda/thread_block/fiber.h"
#include "cuda/thread_block/host_device.h"
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
  virtual ~Block() = default;

  // kernel() as every thread of a block; an EmulationError tells what was wrong with it.
  void run(unsigned index, const std::function<void()>& kernel, unsigned layer = 0) {
    index_ = index;
    layer_ = layer;
    kernel_ = &kernel;
    running_ = static_cast<int>(threads_.size());
    for (Word& w : words_) w.clear();
    for (Group& w : warps_) w = {};
    rounds_ = barrier_arrived_ = 0;
    any_[0] = any_[1] = false;
    barrier_waiting_.clear();
    error_.clear();
    ready_.clear();
    for (size_t t = 0; t < threads_.size(); ++t) {
      threads_[t].pending.clear();
      threads_[t].open.clear();
      threads_[t].clock = Clock(2 * threads_.size());
      threads_[t].clock.learn(t, 1);
      threads_[t].copied = 0;
      threads_[t].fiber.start([this] { thread_main(); });
      ready_.push_back(static_cast<int>(t));
    }
    begin();
    Block* outer = current_block();
    current_block() = this;
    while (error_.empty() && (!ready_.empty() || progress())) {
      if (ready_.empty()) continue;
      current_ = ready_.front();
      ready_.pop_front();
      threads_[static_cast<size_t>(current_)].fiber.resume();
    }
    current_block() = outer;
    if (error_.empty() && running_ > 0) error_ = std::to_string(running_) + " threads wait for others that have ended or wait elsewhere";
    if (error_.empty()) error_ = left_over();
    if (!error_.empty()) throw EmulationError(error_);
  }

  static Block& current() { return *current_block(); }
  unsigned index() const noexcept { return index_; }
  unsigned layer() const noexcept { return layer_; }
  int thread() const noexcept { return current_; }
  uint64_t matrix_products() const noexcept { return matrix_products_; }

  // Whether any thread came with true.
  bool sync_threads(bool v = false) {
    const uint64_t round = rounds_;
    any_[round % 2] |= v;
    barrier_waiting_.push_back(current_);
    if (++barrier_arrived_ < threads_.size()) {
      suspend();
      return any_[round % 2];
    }
    barrier_arrived_ = 0;
    any_[++rounds_ % 2] = false;
    share_clocks(barrier_waiting_);
    barrier_waiting_.pop_back();  // this thread goes on
    for (const int t : barrier_waiting_) ready_.push_back(t);
    barrier_waiting_.clear();
    return any_[round % 2];
  }

  // What the 32 lanes of a warp do together: the last one to arrive runs `act` over everybody's operands.
  enum class Together : uint8_t {
    kNone, kSync, kLoadMatrix, kLoadMatrixTransposed, kLoad16, kLoad4, kStore4, kMma, kShuffle, kFence, kCommit, kWait, kProduct, kRegisters
  };
  template <class Operands, class Act>
  void together(Together what, Operands& mine, Act&& act) {
    gather(warps_[static_cast<size_t>(current_ / kWarpSize)], kWarpSize, what, mine, act);
  }
  void sync_warp() {
    char nothing = 0;
    together(Together::kSync, nothing, [this](auto&&) { share_clocks(warps_[static_cast<size_t>(current_ / kWarpSize)].lanes); });
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
    if (latest == 0) finish_copies(current_);
    Thread& t = threads_[static_cast<size_t>(current_)];
    for (; t.pending.size() > latest; t.pending.pop_front()) arrive(current_, t.pending.front());
    t.clock.learn(copier(current_), t.copied);
  }

 protected:
  struct Copy {
    uint32_t to;
    int words;
    const void* from;  // null: zeros
  };
  struct Thread {
    Fiber fiber;
    std::deque<std::vector<Copy>> pending;
    std::vector<Copy> open;
    Clock clock;
    uint32_t copied = 0;  // batches of copies that have arrived: the time of the thread's copies
  };
  // Threads that do something together.
  struct Group {
    Together what = Together::kNone;
    std::vector<int> lanes;  // in the order of their arrival
    std::vector<void*> operands;
  };
  // What happened to a word of shared memory, and the reads of its value that do not know of each other.
  struct Word {
    enum State : uint8_t { kUnwritten, kInFlight, kWritten, kBarrier } state = kUnwritten;
    int held = 0;  // by asynchronous products that read it
    size_t writer = 0;
    uint32_t time = 0;
    struct Read {
      size_t reader;
      uint32_t time;
    };
    std::vector<Read> reads;

    void clear() {
      state = kUnwritten;
      held = 0;
      reads.clear();
    }
  };

  // What a block of another kind adds: before the threads start; when all wait; before a thread's copies are all waited for; and
  // what is wrong with what they left behind.
  virtual void begin() {}
  virtual bool progress() { return false; }
  virtual void finish_copies(int) {}
  virtual std::string left_over() const { return {}; }

  template <class Operands, class Act>
  void gather(Group& g, size_t size, Together what, Operands& mine, Act&& act) {
    if (g.lanes.empty()) {
      g.what = what;
      g.operands.resize(size);
    }
    if (g.what != what) fail("threads of one warp meet at different primitives");
    g.operands[static_cast<size_t>(current_) % size] = &mine;
    g.lanes.push_back(current_);
    if (g.lanes.size() < size) {
      suspend();
      return;
    }
    act([&](int lane) -> Operands& { return *static_cast<Operands*>(g.operands[static_cast<size_t>(lane)]); });
    g.lanes.pop_back();  // this thread goes on
    for (const int t : g.lanes) ready_.push_back(t);
    g.lanes.clear();
  }

  Clock& clock(int thread) { return threads_[static_cast<size_t>(thread)].clock; }
  size_t copier(int thread) const { return threads_.size() + static_cast<size_t>(thread); }
  uint32_t now(int thread) { return clock(thread).time(static_cast<size_t>(thread)); }
  // What the thread does from now on is not known to those it has told.
  void tick(int thread) { clock(thread).learn(static_cast<size_t>(thread), now(thread) + 1); }
  void share_clocks(const std::vector<int>& threads) {
    Clock all = clock(threads.front());
    for (const int t : threads) all.join(clock(t));
    for (const int t : threads) {
      clock(t) = all;
      tick(t);
    }
  }

  // The copies are there: written by the thread's copies, not by the thread.
  void arrive(int thread, const std::vector<Copy>& copies) {
    const uint32_t time = ++threads_[static_cast<size_t>(thread)].copied;
    for (const Copy& copy : copies) {
      uint32_t words[4] = {};
      if (copy.from != nullptr) std::memcpy(words, copy.from, static_cast<size_t>(copy.words) * 4);
      put(copy.to, words, copy.words, copier(thread), time);
    }
  }

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

  void check_write(const Word& w, int thread) {
    if (w.state == Word::kInFlight) fail("shared memory written while a copy to it is under way");
    if (w.state == Word::kBarrier) fail("an mbarrier used as data");
    if (w.held > 0) fail("shared memory written while a product that reads it is under way");
    if (w.state == Word::kWritten && !clock(thread).knows(w.writer, w.time)) fail("shared memory written twice with no barrier in between");
    for (const Word::Read& r : w.reads)
      if (!clock(thread).knows(r.reader, r.time)) fail("shared memory written that another thread may still read");
  }
  void put(uint32_t at, const uint32_t* values, int words, size_t writer, uint32_t time) {
    for (int i = 0; i < words; ++i) {
      Word& w = words_[at / 4 + static_cast<uint32_t>(i)];
      w.state = Word::kWritten;
      w.writer = writer;
      w.time = time;
      w.reads.clear();
    }
    std::memcpy(&shared_[at], values, static_cast<size_t>(words) * 4);
  }
  void write(int thread, uint32_t at, const uint32_t* values, int words) {
    check_address(at, words);
    for (int i = 0; i < words; ++i) check_write(words_[at / 4 + static_cast<uint32_t>(i)], thread);
    put(at, values, words, static_cast<size_t>(thread), now(thread));
  }
  void check_read(const Word& w, const Clock& reader, uint32_t at) {
    if (w.state == Word::kUnwritten) fail("shared memory read that was never written", at);
    if (w.state == Word::kInFlight) fail("shared memory read before the copy to it was waited for", at);
    if (w.state == Word::kBarrier) fail("an mbarrier used as data", at);
    if (!reader.knows(w.writer, w.time)) fail("shared memory read with no barrier since it was written", at);
  }
  void note_read(Word& w, int thread) {
    std::erase_if(w.reads, [&](const Word::Read& r) { return clock(thread).knows(r.reader, r.time); });
    w.reads.push_back({static_cast<size_t>(thread), now(thread)});
  }
  void read(int thread, uint32_t at, uint32_t* values, int words) {
    check_address(at, words);
    for (int i = 0; i < words; ++i) {
      Word& w = words_[at / 4 + static_cast<uint32_t>(i)];
      check_read(w, clock(thread), at);
      note_read(w, thread);
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
  std::vector<Group> warps_;
  std::vector<uint8_t> shared_;
  std::vector<Word> words_;
  std::deque<int> ready_;
  std::vector<int> barrier_waiting_;
  size_t barrier_arrived_ = 0;
  bool any_[2] = {};
  unsigned index_ = 0, layer_ = 0;
  int current_ = 0, running_ = 0;
  uint64_t rounds_ = 0, matrix_products_ = 0;
  std::string error_;
};

}  // namespace e4j::cuda
