// Ctrl-C (SIGINT): ends the program with exit code 130, unless a chat or an answer on its way takes it.
//
// The handler is installed once, at the start of main(); what it does is a matter of which of the objects below live.
// Thread-safety: the main thread; the flags are lock-free atomics, set by the handler.
#pragma once

#include "llm/generator.h"

namespace ingot::cli {

inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells report it

// Leaves SIGINT alone if the parent had it ignored (nohup, a background job of a script).
void install_interrupt();

// While it lives, the first Ctrl-C ends the generator's answer and not the program; a second one ends the program
// unless a chat holds it.
class CancelOnInterrupt {
 public:
  explicit CancelOnInterrupt(llm::Generator& generator);
  ~CancelOnInterrupt();
  CancelOnInterrupt(const CancelOnInterrupt&) = delete;
  CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;
};

// While it lives, a Ctrl-C that no answer takes is kept for take_interrupt(): a chat asks before it waits for a key.
class HoldInterrupts {
 public:
  HoldInterrupts();
  ~HoldInterrupts();
  HoldInterrupts(const HoldInterrupts&) = delete;
  HoldInterrupts& operator=(const HoldInterrupts&) = delete;
};

// Whether one was kept; it is no longer afterwards.
bool take_interrupt();

}  // namespace ingot::cli
