// One line of input on a terminal, with editing, history (arrows, Ctrl-R) and pasted text kept in one piece.
//
// Ctrl-C drops the line and Ctrl-D on an empty line ends; neither ends the program. Text is UTF-8 whatever the
// locale says. What was typed before read() is called is the beginning of its line. Ownership: the editor owns its
// history, saved after each entry. Thread-safety: the main thread; one at a time, under a TerminalGuard.
#pragma once

#include <histedit.h>

#include <cstdio>
#include <string>

namespace ingot::cli {

class LineEditor {
 public:
  enum class Outcome { kLine, kInterrupted, kEnd };

  // history_file: read now, written by remember(); "" for none.
  explicit LineEditor(std::string history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The line without its newline (a paste may hold newlines), or what Ctrl-C dropped.
  Outcome read(const std::string& prompt, std::string& line);
  // Whether a Ctrl-C waits among the keys typed since the last line; it is taken out, the others stay.
  bool take_interrupt_key();
  // Adds to the history; once if it repeats an entry.
  void remember(const std::string& text);

 private:
  static char* prompt_of(EditLine* editor);
  static int next_character(EditLine* editor, wchar_t* c);
  static unsigned char on_interrupt(EditLine* editor, int key);
  static unsigned char on_paste(EditLine* editor, int key);
  static LineEditor& self(EditLine* editor);
  int next_byte();
  bool read_keys();

  EditLine* editor_;
  History* history_;
  std::FILE* messages_;  // the library's own, which nobody needs ("No entry for terminal type")
  std::string history_file_, prompt_;
  std::string typed_;  // read from the terminal, not yet taken
  size_t taken_ = 0;
  bool interrupted_ = false;
  bool bracketed_paste_;  // the terminal is asked to mark pasted text
};

}  // namespace ingot::cli
