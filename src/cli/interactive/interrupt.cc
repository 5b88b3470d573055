#include "cli/interactive/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "cli/interactive/terminal.h"

namespace ingot::cli {
namespace {

std::atomic<llm::Generator*> answering{nullptr};
std::atomic<bool> cancelled{false}, holding{false}, held{false};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<void*>::is_always_lock_free);

void on_interrupt(int) {
  llm::Generator* const generator = answering.load();
  if (generator && !cancelled.exchange(true)) return generator->cancel();
  if (holding.load()) {
    if (!generator) held.store(true);
    return;
  }
  restore_terminal();
  if (::isatty(STDERR_FILENO)) [[maybe_unused]]
    const auto n = ::write(STDERR_FILENO, "\n", 1);
  ::_exit(kExitInterrupted);
}

}  // namespace

void install_interrupt() {
  struct sigaction now{};
  if (sigaction(SIGINT, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) return;
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;  // a model being read must not see EINTR
  sigaction(SIGINT, &action, nullptr);
}

CancelOnInterrupt::CancelOnInterrupt(llm::Generator& generator) {
  generator.resume();
  cancelled.store(false);
  answering.store(&generator);
  if (held.exchange(false)) generator.cancel();
}

CancelOnInterrupt::~CancelOnInterrupt() { answering.store(nullptr); }

HoldInterrupts::HoldInterrupts() { holding.store(true); }
HoldInterrupts::~HoldInterrupts() { holding.store(false); }

bool take_interrupt() { return held.exchange(false); }

}  // namespace ingot::cli
