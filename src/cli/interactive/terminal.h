// The terminal's modes while a chat runs. Whatever ends the program (a signal, too) leaves the terminal as it was.
// Thread-safety: the main thread; restore_terminal() also from a signal handler.
#pragma once

namespace ingot::cli {

// While it lives, keys are quiet (see quiet_keys()); SIGTERM, SIGHUP and SIGQUIT restore the terminal before they end
// the program, and a stop (Ctrl-Z) restores it before the program stops and sets it again when it goes on. One at a
// time.
class TerminalGuard {
 public:
  TerminalGuard();
  ~TerminalGuard();
  TerminalGuard(const TerminalGuard&) = delete;
  TerminalGuard& operator=(const TerminalGuard&) = delete;
};

// What Ctrl-C does while keys are quiet: during an answer a signal, which leaves the keys before it; for the line
// editor a key like the others.
enum class InterruptIs { kSignal, kKey };

// Keys are neither echoed nor edited nor lost: they wait, as they came, for who reads them. Nothing without a guard.
void quiet_keys(InterruptIs interrupt);

// Makes Ctrl-C a key in whatever mode the terminal is.
void make_interrupt_a_key();

// Asks the terminal to mark pasted text, or no longer; restore_terminal() takes it back.
void mark_pastes(bool on);

// Whether the window changed its size, or the program was stopped and went on, since the last call.
bool take_redraw();

// As the terminal was when the TerminalGuard was made; nothing without one.
void restore_terminal();

}  // namespace ingot::cli
