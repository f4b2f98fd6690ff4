// The spreading of a tile's Ahead over its computation. Included inside a tier's namespace, once.
#ifndef E4J_AHEAD_INL
#define E4J_AHEAD_INL

// A tile of t.m rows goes by in row tiles, each in `slices` slices of K; every step asks for an equal share of what is ahead.
// More than a few lines at once would fill the core's miss buffers and hold up its own loads.
template <int kPanels>
class Fetch {
 public:
  Fetch(const Ahead& ahead, int m, int tile_rows, int slices, int row) noexcept : ahead_(ahead) {
    const unsigned steps = static_cast<unsigned>((m + tile_rows - 1) / tile_rows * slices);
    lines_ = static_cast<unsigned>(ahead.bytes / kLine) * kPanels;
    share_ = ((lines_ << 8) + steps - 1) / steps;
    due_ = static_cast<unsigned>(row / tile_rows * slices) * share_;
    at_ = due_ >> 8;
  }
  // Inlined always: around a call, a tile would put all its sums into memory and back.
  [[gnu::always_inline]] void step() noexcept {
    due_ += share_;
    const unsigned end = due_ >> 8 < lines_ ? due_ >> 8 : lines_;
    for (; at_ < end; ++at_) __builtin_prefetch(ahead_.data[at_ % kPanels] + at_ / kPanels * kLine, 0, kLocality);
  }

 private:
  static constexpr size_t kLine = 64;
  // The first-level cache. Requests for the second are dropped when the miss buffers are full (Zen 4: asking for lines alone, a core
  // goes through 200 GB/s of memory, which no memory has; for the first-level cache through 25, which this one has).
  static constexpr int kLocality = 3;
  const Ahead& ahead_;
  unsigned lines_;        // of all panels: line i of every panel before line i + 1 of any
  unsigned share_, due_;  // of a step, and by its end; in 256ths of a line
  unsigned at_;           // the next line
};

// The rows of the next row tile lie in the second-level cache: in step i of a tile, value a[k] of each of them, and row i
// of their results, a line per panel. Beyond the last row it is only a hint for nothing.
template <int kRows, int kPanels, class Value>
inline void fetch_next_rows(const Value* a, size_t a_stride, int k, const float* c, size_t c_stride, int i) noexcept {
  for (int m = kRows; m < 2 * kRows; ++m) __builtin_prefetch(a + static_cast<size_t>(m) * a_stride + k, 0, 3);
  if (i >= kRows) return;
  for (int p = 0; p < kPanels; ++p) __builtin_prefetch(c + static_cast<size_t>(kRows + i) * c_stride + p * kPanelRows, 1, 3);
}

inline void drop_panels(Ahead& ahead, int n) noexcept {
  for (int p = 0; p + n < kMaxPanels; ++p) ahead.data[p] = ahead.data[p + n];
}

#endif
