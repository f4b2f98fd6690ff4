// The spreading of a tile's Ahead over its computation. Included inside a tier's namespace, once.
#ifndef E4J_AHEAD_INL
#define E4J_AHEAD_INL

// A tile of t.m rows goes by in row tiles, each in `slices` slices of K; every step asks for an equal share of what is ahead.
// More than a few lines at once would fill the core's miss buffers and hold up its own loads.
template <int kPanels>
class Fetch {
 public:
  Fetch(const Ahead& ahead, int m, int tile_rows, int slices, int row) noexcept : ahead_(ahead) {
    const int steps = (m + tile_rows - 1) / tile_rows * slices;
    share_ = (ahead.bytes / kLine + static_cast<size_t>(steps) - 1) / static_cast<size_t>(steps) * kLine;
    at_ = static_cast<size_t>(row / tile_rows * slices) * share_;
  }
  void step() noexcept {
    for (const size_t end = at_ + share_; at_ < end; at_ += kLine) {
      if (at_ >= ahead_.bytes) return;
      for (int p = 0; p < kPanels; ++p) __builtin_prefetch(ahead_.data[p] + at_, 0, kLocality);
    }
  }

 private:
  static constexpr size_t kLine = 64;
  static constexpr int kLocality = 1;  // the second-level cache: a pass over four panels fills the first
  const Ahead& ahead_;
  size_t share_, at_;
};

inline void drop_panels(Ahead& ahead, int n) noexcept {
  for (int p = 0; p + n < kMaxPanels; ++p) ahead.data[p] = ahead.data[p + n];
}

#endif
