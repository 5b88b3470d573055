// Splits the text of an answer into content and tool calls while it comes.
//
// What comes out depends on the text alone, not on the pieces that it came in. A call is told once its name is one of
// the request's tools and its arguments have begun as valid JSON (in the formats that are not JSON: once it is
// complete); from then on its arguments come as they grow. Text that turns out to be no call is content; nothing is
// lost but the calls' own punctuation and white space beside calls.
// Thread-safety: none; one per answer. Limits: kHeadBytesMax of text that may still become a call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tools/call_text.h"
#include "text/tools/json_tracker.h"
#include "text/tools/tool_format.h"

namespace ingot::tools {

// One of: content; a call's beginning (name); more of its arguments.
struct ToolPiece {
  std::string content;
  int call = -1;  // counted from 0
  std::string name, arguments;

  bool operator==(const ToolPiece&) const = default;
};

class ToolCallParser {
 public:
  static constexpr size_t kHeadBytesMax = size_t{64} << 10;

  // names: of the request's tools. calls_max: more are read, and not told.
  ToolCallParser(ToolFormat format, std::vector<std::string> names, int calls_max);

  std::vector<ToolPiece> push(std::string_view text);
  std::vector<ToolPiece> finish();  // the answer's end; then nothing more
  int num_calls() const { return num_calls_; }

 private:
  enum class Mode : uint8_t { kText, kHead, kArguments, kTail };
  struct Head {
    Fit fit = Fit::kNo;
    size_t size = 0;
    std::vector<Call> calls;
    bool arguments_follow = false;  // of the one call
    bool in_list = false;
  };

  void run(bool last);
  bool read_text(bool last);  // each: true if it got on
  bool read_head(bool last);
  bool read_arguments();
  bool read_tail(bool last);
  bool take_candidate(size_t at, size_t opener);
  Head head(std::string_view text) const;
  Head mistral_head(std::string_view text) const;
  Used tail(std::string_view text) const;
  bool may_begin(char c) const;
  void content(std::string_view text);
  void drop(size_t bytes) { held_.erase(0, bytes); }
  void announce(const std::string& name);
  void add_arguments(std::string text);

  const ToolFormat format_;
  const std::vector<std::string> names_;
  const int calls_max_;
  Mode mode_ = Mode::kText;
  std::string held_;          // not decided yet
  std::string spaces_;        // white space at the end of the content
  std::string separator_;     // between calls, in front of held_: content if no call follows
  size_t opener_ = 0;         // bytes of held_ that made it a candidate
  bool at_start_ = true;      // nothing but white space and calls so far
  bool in_list_ = false;      // between the brackets of a list of calls
  bool object_open_ = false;  // the call's own '}' is still to come
  int num_calls_ = 0;
  JsonTracker arguments_;
  std::vector<ToolPiece> out_;
};

}  // namespace ingot::tools
