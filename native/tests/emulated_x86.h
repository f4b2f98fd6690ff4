// The x86-64 instructions of tiers this machine may lack, executed by a handler of the signal that they raise: VPDPBUSD in its
// VEX form (AVX-VNNI) and the AMX tile instructions. So the very code that is shipped can be tested anywhere with AVX2. The
// meanings are those of Intel's Software Developer's Manual, volume 2; a use that it forbids ends the test with a message.
#pragma once
#if defined(__x86_64__)
#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tensor/convert.h"

namespace e4j::test {

class EmulatedX86 {
 public:
  // For the rest of the process.
  static void install() {
    struct sigaction action {};
    action.sa_sigaction = [](int, siginfo_t*, void* context) { EmulatedX86(static_cast<ucontext_t*>(context)).execute(); };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, nullptr);
  }

 private:
  struct Tile {
    int rows, row_bytes;
    alignas(64) uint8_t bytes[16][64];
  };
  static inline thread_local Tile tiles_[8];
  static inline thread_local bool configured_;

  explicit EmulatedX86(ucontext_t* context)
      : registers_(context->uc_mcontext.gregs),
        state_(reinterpret_cast<uint8_t*>(context->uc_mcontext.fpregs)),
        code_(reinterpret_cast<const uint8_t*>(registers_[REG_RIP])) {
    uint32_t magic;  // FP_XSTATE_MAGIC1 in the bytes that FXSAVE leaves to software
    std::memcpy(&magic, state_ + 464, 4);
    require(magic == 0x46505853, "this system's signals, which do not show the vector registers' upper halves");
  }

  static void require(bool condition, const char* what) {
    if (condition) return;
    std::printf("FAIL: emulated instructions do not allow %s\n", what);
    std::fflush(stdout);
    std::_Exit(1);
  }

  // Three bytes of VEX prefix (map 0F38, W0), the opcode and ModRM.
  void execute() {
    const bool vex = code_[0] == 0xC4 && (code_[1] & 0x1F) == 2 && (code_[2] & 0x80) == 0;
    mod_ = code_[4] >> 6;
    reg_ = (code_[4] >> 3 & 7) | (code_[1] & 0x80 ? 0 : 8);
    rm_ = (code_[4] & 7) | (code_[1] & 0x20 ? 0 : 8);
    vvvv_ = ~(code_[2] >> 3) & 15;
    wide_ = code_[2] & 4;
    length_ = 5;
    if (mod_ != 3) find_operand();
    switch (vex ? code_[3] << 8 | (code_[2] & 3) : 0) {  // opcode, then the prefix meant: none, 66, F3, F2
      case 0x5001: vpdpbusd(); break;
      case 0x4900: mod_ == 3 ? release() : configure(); break;
      case 0x4903: zero(tile(reg_)); break;
      case 0x4B03: load(tile(reg_)); break;
      case 0x4B02: store(tile(reg_)); break;
      case 0x5C02: dot_bf16(tile(reg_), tile(rm_), tile(vvvv_)); break;
      case 0x5E02: dot_s8u8(tile(reg_), tile(rm_), tile(vvvv_)); break;
      default: signal(SIGILL, SIG_DFL); return;  // not one of these: raised again, and not handled
    }
    registers_[REG_RIP] += length_;
  }

  uint64_t general(int i) const {
    static constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return static_cast<uint64_t>(registers_[kOrder[i]]);
  }

  // base_ + index_: the memory operand's address, its two parts apart since tiles step by the index.
  void find_operand() {
    const uint8_t* at = code_ + 5;
    base_ = index_ = 0;
    bool displacement32 = mod_ == 2;
    if ((rm_ & 7) == 4) {
      const int sib = *at++, base = (sib & 7) | (rm_ & 8), index = (sib >> 3 & 7) | (code_[1] & 0x40 ? 0 : 8);
      if (index != 4) index_ = general(index) << (sib >> 6);
      if (mod_ == 0 && (base & 7) == 5) displacement32 = true;
      else base_ = general(base);
    } else if (mod_ == 0 && (rm_ & 7) == 5) {
      displacement32 = true;
      base_ = reinterpret_cast<uint64_t>(at + 4);  // from the next instruction; none of these has an immediate
    } else {
      base_ = general(rm_);
    }
    if (displacement32) {
      int32_t displacement;
      std::memcpy(&displacement, at, 4);
      base_ += static_cast<uint64_t>(static_cast<int64_t>(displacement));
      at += 4;
    } else if (mod_ == 1) {
      base_ += static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(*at++)));
    }
    length_ = static_cast<int>(at - code_);
  }

  // A vector register lies in the XSAVE area in two halves; the upper ones only count when their bit of XSTATE_BV is set.
  uint64_t& xstate_bv() const { return *reinterpret_cast<uint64_t*>(state_ + 512); }
  uint8_t* upper_half(int i) const {
    static const unsigned offset = [] {
      unsigned a, b, c, d;
      __cpuid_count(0xD, 2, a, b, c, d);
      return b;
    }();
    return state_ + offset + 16 * i;
  }
  void get_vector(int i, uint8_t (&bytes)[32]) const {
    std::memcpy(bytes, state_ + 160 + 16 * i, 16);
    if (xstate_bv() & 4) std::memcpy(bytes + 16, upper_half(i), 16);
    else std::memset(bytes + 16, 0, 16);
  }
  void put_vector(int i, const uint8_t (&bytes)[32]) const {
    if (!(xstate_bv() & 4)) std::memset(upper_half(0), 0, 256);
    std::memcpy(state_ + 160 + 16 * i, bytes, 16);
    std::memcpy(upper_half(i), bytes + 16, 16);
    xstate_bv() |= 6;
  }

  static int32_t dot_of_four(const uint8_t* u, const uint8_t* s) {
    int32_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += u[i] * static_cast<int8_t>(s[i]);
    return sum;
  }

  void vpdpbusd() {
    uint8_t sum[32], a[32], b[32] = {};
    get_vector(reg_, sum);
    get_vector(vvvv_, a);
    if (mod_ == 3) get_vector(rm_, b);
    else std::memcpy(b, reinterpret_cast<const void*>(base_ + index_), wide_ ? 32 : 16);
    for (int i = 0; i < 32; i += 4) add(sum + i, dot_of_four(a + i, b + i));
    if (!wide_) std::memset(sum + 16, 0, 16);
    put_vector(reg_, sum);
  }

  static Tile& tile(int i) {
    require(configured_ && i < 8 && tiles_[i].rows > 0, "a tile that is not configured");
    return tiles_[i];
  }

  void configure() {
    const uint8_t* shapes = reinterpret_cast<const uint8_t*>(base_ + index_);
    require(shapes[0] == 1 && shapes[1] == 0, "palette other than 1, or a start row");
    for (int i = 2; i < 16; ++i) require(shapes[i] == 0, "reserved bytes that are not zero");
    for (int i = 0; i < 16; ++i) {
      uint16_t row_bytes;
      std::memcpy(&row_bytes, shapes + 16 + 2 * i, 2);
      const int rows = shapes[48 + i];
      require(rows <= 16 && row_bytes <= 64 && (rows == 0) == (row_bytes == 0), "a tile shape");
      require(i < 8 || rows == 0, "a tile beyond the eighth");
      if (i < 8) tiles_[i] = {rows, row_bytes, {}};
    }
    configured_ = true;
  }
  static void release() { configured_ = false; }
  static void zero(Tile& t) { std::memset(t.bytes, 0, sizeof t.bytes); }
  void load(Tile& t) const {
    zero(t);
    for (int r = 0; r < t.rows; ++r)
      std::memcpy(t.bytes[r], reinterpret_cast<const void*>(base_ + static_cast<uint64_t>(r) * index_), static_cast<size_t>(t.row_bytes));
  }
  void store(const Tile& t) const {
    for (int r = 0; r < t.rows; ++r)
      std::memcpy(reinterpret_cast<void*>(base_ + static_cast<uint64_t>(r) * index_), t.bytes[r], static_cast<size_t>(t.row_bytes));
  }

  static void check_shapes(const Tile& c, const Tile& a, const Tile& b) {
    require(&c != &a && &c != &b && &a != &b, "a tile used twice in a product");
    require(c.rows == a.rows && c.row_bytes == b.row_bytes && a.row_bytes == 4 * b.rows, "shapes that do not match");
    require(a.row_bytes % 4 == 0 && c.row_bytes % 4 == 0, "rows of other than whole 32-bit elements");
  }
  template <class T>
  static void add(uint8_t* to, T value) {
    T sum;
    std::memcpy(&sum, to, sizeof sum);
    sum += value;
    std::memcpy(to, &sum, sizeof sum);
  }
  static void dot_s8u8(Tile& c, const Tile& a, const Tile& b) {
    check_shapes(c, a, b);
    for (int m = 0; m < c.rows; ++m)
      for (int k = 0; k < b.rows; ++k)
        for (int n = 0; n < c.row_bytes; n += 4) add(&c.bytes[m][n], dot_of_four(&b.bytes[k][n], &a.bytes[m][4 * k]));
  }
  static float bf16(const uint8_t* bytes) {
    uint16_t value;
    std::memcpy(&value, bytes, 2);
    return bf16_to_f32(value);
  }
  // Even and odd products in fused sums of their own, which then join c. (Subnormals, which AMX takes for zero, are kept.)
  static void dot_bf16(Tile& c, const Tile& a, const Tile& b) {
    check_shapes(c, a, b);
    for (int m = 0; m < c.rows; ++m)
      for (int n = 0; n < c.row_bytes; n += 4) {
        float even = 0, odd = 0;
        for (int k = 0; k < b.rows; ++k) {
          even = std::fma(bf16(&a.bytes[m][4 * k]), bf16(&b.bytes[k][n]), even);
          odd = std::fma(bf16(&a.bytes[m][4 * k + 2]), bf16(&b.bytes[k][n + 2]), odd);
        }
        add(&c.bytes[m][n], even + odd);
      }
  }

  greg_t* registers_;
  uint8_t* state_;
  const uint8_t* code_;
  int mod_, reg_, rm_, vvvv_, length_;
  bool wide_;  // 256 bits
  uint64_t base_ = 0, index_ = 0;
};

}  // namespace e4j::test
#endif
