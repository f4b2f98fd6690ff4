// The primitives of warpgroup.h on the CPU. A WarpgroupBlock is a Block (block.h) that also ends with an EmulationError when
//   - an mbarrier is used before its initialisation is known, or as data, or a named one by the wrong number of threads, or is left
//     with threads that have arrived;
//   - copies that announce their arrival are used without having waited for it: they arrive when all threads wait, and no earlier;
//   - a product reads shared memory that is not there yet, or that no fence_async() has brought to the async proxy, or that is
//     written before the product is known to be done, or through a descriptor with bits set that have no meaning;
//   - registers of a product are touched while it goes on: accumulators hold NaNs until they have been waited for;
//   - products begin without begin_products(), or more registers are taken than there are.
#pragma once
#include <map>

#include "cuda/thread_block/block.h"
#include "cuda/thread_block/warpgroup_product.h"

namespace e4j::cuda {

class WarpgroupBlock : public Block {
 public:
  WarpgroupBlock(int threads, uint32_t shared_bytes) : Block(threads, shared_bytes), groups_(static_cast<size_t>(threads / kWarpgroupSize)) {
    if (threads % kWarpgroupSize != 0) throw EmulationError("a block of part warpgroups");
  }
  static WarpgroupBlock& current() { return static_cast<WarpgroupBlock&>(Block::current()); }

  void init_barrier(uint32_t at, int count) {
    check_address(at, 2);
    const uint32_t nothing[2] = {};
    write(current_, at, nothing, 2);
    for (uint32_t i = 0; i < 2; ++i) words_[at / 4 + i].state = Word::kBarrier;
    barriers_[at] = {count, count, 0, static_cast<size_t>(current_), now(current_), Clock(2 * threads_.size()), Clock(2 * threads_.size()), {}};
  }
  void arrive_barrier(uint32_t at) {
    Barrier& b = barrier(at);
    b.gathered.join(clock(current_));
    tick(current_);
    arrived(b);
  }
  void arrive_when_copied(uint32_t at) {
    barrier(at);
    Thread& t = threads_[static_cast<size_t>(current_)];
    std::vector<Copy> copies = std::move(t.open);
    for (const std::vector<Copy>& group : t.pending) copies.insert(copies.end(), group.begin(), group.end());
    t.open.clear();
    t.pending.clear();
    announced_.push_back({current_, at, std::move(copies)});
  }
  void wait_barrier(uint32_t at, uint32_t parity) {
    Barrier& b = barrier(at);
    while (b.phase % 2 == parity) {
      b.waiting.push_back(current_);
      suspend();
    }
    clock(current_).join(b.completed);
  }

  void named(int id, int threads, bool wait) {
    if (id < 1 || id > 15 || threads % kWarpSize != 0) fail("a named barrier that does not exist", id);
    Named& b = named_[id];
    if (b.arrived.empty()) {
      b.threads = threads;
      b.gathered = clock(current_);
    }
    if (b.threads != threads) fail("a named barrier of different numbers of threads", id);
    b.gathered.join(clock(current_));
    tick(current_);
    b.arrived.push_back(current_);
    if (wait) b.waiting.push_back(current_);
    if (static_cast<int>(b.arrived.size()) == threads) {
      for (const int t : b.waiting) {
        clock(t).join(b.gathered);
        if (t != current_) ready_.push_back(t);
      }
      b.arrived.clear();
      b.waiting.clear();
    } else if (wait) {
      suspend();
    }
  }
  void fence_async() { clock(current_).fence(); }

  void set_registers(int registers, bool grow) {
    Warpgroup& g = group();
    char nothing = 0;
    gather(g.together, kWarpgroupSize, Together::kRegisters, nothing, [&](auto&&) {
      if (registers % 8 != 0 || registers < 24 || registers > 256 || grow != (registers > g.registers))
        fail("a number of registers that cannot be set", registers);
      if (grow) return;
      free_registers_ += g.registers - registers;
      g.registers = registers;
      for (const int t : without_registers_) ready_.push_back(t);
      without_registers_.clear();
    });
    while (g.registers != registers) {
      if (free_registers_ >= registers - g.registers) {
        free_registers_ -= registers - g.registers;
        g.registers = registers;
      } else {
        without_registers_.push_back(current_);
        suspend();
      }
    }
  }

  void begin_products() {
    char nothing = 0;
    together(Together::kFence, nothing, [this](auto&&) { own().begun = true; });
  }
  void multiply(Product& mine) {
    gather(group().together, kWarpgroupSize, Together::kProduct, mine, [this](auto&& of) { start(of); });
  }
  void commit_products() {
    char nothing = 0;
    together(Together::kCommit, nothing, [this](auto&&) {
      own().committed.push_back(std::move(own().open));
      own().open.clear();
      own().begun = false;
    });
  }
  void wait_products(size_t latest, const float* d) {
    together(Together::kWait, d, [&](auto&&) {
      for (auto& groups = own().committed; groups.size() > latest; groups.pop_front())
        for (const std::shared_ptr<Running>& product : groups.front()) finish(*product);
    });
    for (const std::shared_ptr<ProductSums>& sums : group().sums)
      if (sums->d[in_group(current_)] == d && sums->unfinished[in_group(current_) / kWarpSize] > 0)
        fail("accumulators that are not waited for by this");
  }

 private:
  struct Barrier {
    int count, pending;
    uint64_t phase;
    size_t made_by;
    uint32_t made_at;
    Clock gathered, completed;  // of this phase's arrivals, of the last one's
    std::vector<int> waiting;
  };
  struct Named {
    int threads = 0;
    std::vector<int> arrived, waiting;
    Clock gathered;
  };
  // Copies whose arrival is one at a barrier.
  struct Announced {
    int thread;
    uint32_t barrier;
    std::vector<Copy> copies;
  };
  // A product under way.
  struct Running {
    std::shared_ptr<ProductSums> sums;
    std::vector<uint32_t> words;  // of shared memory that it reads
    std::array<const uint32_t*, kWarpgroupSize> a{};
    std::array<std::array<uint32_t, 4>, kWarpgroupSize> a_values{};
    int warps = 4;  // that do not know it to be done
  };
  struct Warp {
    bool begun = false;
    std::vector<std::shared_ptr<Running>> open;
    std::deque<std::vector<std::shared_ptr<Running>>> committed;
  };
  struct Warpgroup {
    Group together;
    std::array<Warp, 4> warps;
    std::vector<std::shared_ptr<ProductSums>> sums;  // in the making
    Clock known;  // to all its threads, at the first product of a group
    int registers = 0;
  };

  static size_t in_group(int thread) { return static_cast<size_t>(thread % kWarpgroupSize); }
  Warpgroup& group() { return groups_[static_cast<size_t>(current_ / kWarpgroupSize)]; }
  Warp& own() { return group().warps[in_group(current_) / kWarpSize]; }

  void begin() override {
    barriers_.clear();
    named_.clear();
    announced_.clear();
    without_registers_.clear();
    free_registers_ = 0;
    for (Warpgroup& g : groups_) {
      g = {};
      g.registers = static_cast<int>(65536 / threads_.size() / 8 * 8);
    }
  }
  bool progress() override {
    if (announced_.empty()) return false;
    announce(announced_.front());
    announced_.pop_front();
    return true;
  }
  void finish_copies(int thread) override {
    for (const Announced& a : announced_)
      if (a.thread == thread) announce(a);
    std::erase_if(announced_, [thread](const Announced& a) { return a.thread == thread; });
  }
  std::string left_over() const override {
    for (const auto& [id, b] : named_)
      if (!b.arrived.empty()) return "threads have arrived at named barrier " + std::to_string(id) + " for nothing";
    for (const Warpgroup& g : groups_)
      for (const Warp& w : g.warps)
        if (!w.open.empty() || !w.committed.empty()) return "products that nobody waited for";
    return {};
  }

  void announce(const Announced& a) {
    arrive(a.thread, a.copies);
    Barrier& b = barriers_.at(a.barrier);
    b.gathered.learn(copier(a.thread), threads_[static_cast<size_t>(a.thread)].copied);
    arrived(b);
  }
  Barrier& barrier(uint32_t at) {
    const auto found = barriers_.find(at);
    if (found == barriers_.end()) fail("no mbarrier", at);
    if (!clock(current_).knows(found->second.made_by, found->second.made_at)) fail("an mbarrier whose initialisation is not known here", at);
    return found->second;
  }
  void arrived(Barrier& b) {
    if (--b.pending > 0) return;
    b.completed = b.gathered;
    b.gathered = Clock(2 * threads_.size());
    b.pending = b.count;
    ++b.phase;
    for (const int t : b.waiting) ready_.push_back(t);
    b.waiting.clear();
  }

  // `of(thread)` is what each thread of the warpgroup brings.
  template <class Threads>
  void start(Threads&& of) {
    Warpgroup& g = group();
    const int first = current_ / kWarpgroupSize * kWarpgroupSize;
    const Product& one = of(0);
    auto running = std::make_shared<Running>();
    if (g.warps[0].open.empty()) {
      g.known = clock(first);
      for (int t = 1; t < kWarpgroupSize; ++t) g.known.meet(clock(first + t));
    }
    for (int t = 0; t < kWarpgroupSize; ++t) {
      if (!g.warps[static_cast<size_t>(t / kWarpSize)].begun) fail("a product before begin_products");
      if (of(t).a_descriptor != one.a_descriptor || of(t).b_descriptor != one.b_descriptor) fail("descriptors that differ within a warpgroup");
    }

    float a[kProductRows][kProductDepth], b[kProductDepth][kProductCols];
    for (int t = 0; one.a != nullptr && t < kWarpgroupSize; ++t) {
      running->a[static_cast<size_t>(t)] = of(t).a;
      for (int i = 0; i < 4; ++i) {
        const uint32_t pair = running->a_values[static_cast<size_t>(t)][static_cast<size_t>(i)] = of(t).a[i];
        for (int j = 0; j < 2; ++j) a[fragment_row(t, i)][fragment_col(t, i) + j] = bf16_to_f32(static_cast<uint16_t>(pair >> (16 * j)));
      }
    }
    if (!Descriptor::well_formed(one.b_descriptor) || (one.a == nullptr && !Descriptor::well_formed(one.a_descriptor)))
      fail("a descriptor with bits that have no meaning");
    const Descriptor da(one.a_descriptor), db(one.b_descriptor);
    for (uint32_t row = 0; one.a == nullptr && row < kProductRows; ++row)
      for (uint32_t k = 0; k < kProductDepth; k += 8) {
        const std::array<float, 8> values = chunk(da.along_k(row, k), running->words);
        for (uint32_t i = 0; i < 8; ++i) a[row][k + i] = values[i];
      }
    for (uint32_t col = 0; col < kProductCols; col += one.b_values ? 8 : 1)
      for (uint32_t k = 0; k < kProductDepth; k += one.b_values ? 1 : 8) {
        const std::array<float, 8> values = chunk(one.b_values ? db.along_mn(col, k) : db.along_k(col, k), running->words);
        for (uint32_t i = 0; i < 8; ++i) (one.b_values ? b[k][col + i] : b[k + i][col]) = values[i];
      }

    for (const std::shared_ptr<ProductSums>& sums : g.sums)
      if (sums->d[0] == one.d) running->sums = sums;
    if (running->sums == nullptr) {
      running->sums = g.sums.emplace_back(std::make_shared<ProductSums>());
      for (int t = 0; t < kWarpgroupSize; ++t) {
        running->sums->d[static_cast<size_t>(t)] = of(t).d;
        running->sums->take(t);
      }
    }
    if (!one.accumulate) std::fill(running->sums->values.begin(), running->sums->values.end(), 0.0f);
    running->sums->add(a, b);
    for (size_t w = 0; w < 4; ++w) {
      ++running->sums->unfinished[w];
      g.warps[w].open.push_back(running);
    }
    ++matrix_products_;
  }
  // The 8 bf16 of 16 bytes, which descriptors keep together.
  std::array<float, 8> chunk(uint32_t at, std::vector<uint32_t>& words) {
    check_address(at, 4);
    std::array<float, 8> values;
    for (uint32_t i = 0; i < 4; ++i) {
      Word& w = words_[at / 4 + i];
      check_read(w, group().known, at);
      if (!group().known.knows_fenced(w.writer, w.time)) fail("a product reads what no fence has brought to the async proxy", at);
      ++w.held;
      words.push_back(at / 4 + i);
      uint32_t pair;
      std::memcpy(&pair, &shared_[at + 4 * i], sizeof pair);
      values[2 * i] = bf16_to_f32(static_cast<uint16_t>(pair));
      values[2 * i + 1] = bf16_to_f32(static_cast<uint16_t>(pair >> 16));
    }
    return values;
  }
  // A warp knows the product to be done: its lanes have their part of it, and it will not read again.
  void finish(Running& product) {
    const size_t w = in_group(current_) / kWarpSize;
    const int first_lane = static_cast<int>(w) * kWarpSize;
    const bool last = --product.sums->unfinished[w] == 0;
    for (int t = first_lane; t < first_lane + kWarpSize; ++t) {
      const uint32_t* a = product.a[static_cast<size_t>(t)];
      if (a != nullptr && !std::equal(a, a + 4, product.a_values[static_cast<size_t>(t)].begin()))
        fail("an operand's registers changed while the product went on");
      if (last && !product.sums->give(t)) fail("accumulators written while the product went on");
    }
    if (product.sums->unfinished == std::array<int, 4>{}) std::erase(group().sums, product.sums);
    for (const uint32_t word : product.words) note_read(words_[word], current_ / kWarpSize * kWarpSize);
    if (--product.warps == 0)
      for (const uint32_t word : product.words) --words_[word].held;
  }

  std::map<uint32_t, Barrier> barriers_;
  std::map<int, Named> named_;
  std::deque<Announced> announced_;
  std::vector<Warpgroup> groups_;
  std::vector<int> without_registers_;
  int free_registers_ = 0;
};

inline void init_barrier(uint32_t at, int count) { WarpgroupBlock::current().init_barrier(at, count); }
inline void arrive(uint32_t at) { WarpgroupBlock::current().arrive_barrier(at); }
inline void arrive_when_copied(uint32_t at) { WarpgroupBlock::current().arrive_when_copied(at); }
inline void wait_barrier(uint32_t at, uint32_t parity) { WarpgroupBlock::current().wait_barrier(at, parity); }
inline void sync_named(int id, int threads) { WarpgroupBlock::current().named(id, threads, true); }
inline void arrive_named(int id, int threads) { WarpgroupBlock::current().named(id, threads, false); }
inline void fence_async() { WarpgroupBlock::current().fence_async(); }
template <int kRegisters>
void shrink_registers() {
  WarpgroupBlock::current().set_registers(kRegisters, false);
}
template <int kRegisters>
void grow_registers() {
  WarpgroupBlock::current().set_registers(kRegisters, true);
}
inline int uniform(int x) { return x; }
inline void computed_here(float) {}
inline void begin_products(float (&)[16][4]) { WarpgroupBlock::current().begin_products(); }
template <int kSteps>
void begin_products(float (&d)[16][4], uint32_t (&)[kSteps][4]) {
  begin_products(d);
}
inline void commit_products() { WarpgroupBlock::current().commit_products(); }
template <int kLatest>
void wait_products(float (&d)[16][4]) {
  WarpgroupBlock::current().wait_products(kLatest, &d[0][0]);
}
template <bool kAccumulate>
void product(float (&d)[16][4], uint64_t a, uint64_t b) {
  Product mine{&d[0][0], nullptr, a, b, false, kAccumulate};
  WarpgroupBlock::current().multiply(mine);
}
inline void product_values(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b) {
  Product mine{&d[0][0], a, 0, b, true, true};
  WarpgroupBlock::current().multiply(mine);
}

}  // namespace e4j::cuda
