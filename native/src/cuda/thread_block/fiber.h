// A function on a stack of its own that can stop in its midst and go on later.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>

namespace e4j::cuda {

class Fiber {
 public:
  // body() runs from the next resume() on. One that has not ended is dropped where it stands: nothing is unwound.
  void start(std::function<void()> body) {
    body_ = std::move(body);
    if (stack_ == nullptr) stack_ = std::make_unique<std::byte[]>(kStackBytes);
    fresh_ = true;
  }
  // Runs until the body suspends or ends.
  void resume() {
    if (_setjmp(caller_) == 0) fresh_ ? enter() : _longjmp(own_, 1);
  }
  // Called by the body: back to who resumed it.
  void suspend() {
    if (_setjmp(own_) == 0) _longjmp(caller_, 1);
  }

 private:
  static constexpr size_t kStackBytes = 128 << 10;

  [[noreturn]] void enter() {
    fresh_ = false;
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = stack_.get();
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    const auto self = reinterpret_cast<uintptr_t>(this);  // makecontext passes ints
    makecontext(&context, reinterpret_cast<void (*)()>(&Fiber::main), 2, static_cast<int>(self >> 32), static_cast<int>(self & 0xffffffffu));
    setcontext(&context);
    std::abort();
  }
  static void main(int high, int low) {
    Fiber& fiber = *reinterpret_cast<Fiber*>(static_cast<uintptr_t>(static_cast<uint32_t>(high)) << 32 | static_cast<uint32_t>(low));
    fiber.body_();
    _longjmp(fiber.caller_, 1);
  }

  std::function<void()> body_;
  std::unique_ptr<std::byte[]> stack_;
  bool fresh_ = false;
  jmp_buf own_, caller_;  // _setjmp, unlike swapcontext, makes no system call
};

}  // namespace e4j::cuda
