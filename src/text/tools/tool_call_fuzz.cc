// Any text in any format: the same calls and content however it is cut, and all of it content if there is no call.
#include <cstdint>

#include "text/tools/reasoning.h"
#include "text/tools/tool_call_parser.h"

namespace {

using namespace ingot::tools;

struct Seen {
  std::string content, calls;
  int count = 0;
  void add(const std::vector<ToolPiece>& pieces) {
    for (const ToolPiece& p : pieces) {
      content += p.content;
      if (!p.name.empty()) calls += "\n" + p.name, ++count;
      calls += p.arguments;
    }
  }
};

Seen parse(ToolFormat format, std::string_view text, uint32_t seed, size_t piece_max) {
  ToolCallParser parser(format, {"f", "get", "weather"}, 1000);
  Seen seen;
  while (!text.empty()) {
    seed = seed * 1664525 + 1013904223;
    const size_t size = std::min<size_t>(text.size(), 1 + (seed >> 16) % piece_max);
    seen.add(parser.push(text.substr(0, size)));
    text.remove_prefix(size);
  }
  seen.add(parser.finish());
  return seen;
}

std::string split(std::string_view text, bool open, size_t piece) {
  ReasoningSplitter splitter({"<think>", "</think>"}, open);
  std::string thought, answer;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    const auto part = splitter.push(text.substr(0, piece));
    thought += part.reasoning;
    answer += part.content;
  }
  const auto part = splitter.finish();
  return thought + part.reasoning + "\n--\n" + answer + part.content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 4096) return 0;
  const auto format = static_cast<ToolFormat>(data[0] % tool_format_names().size());
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Seen whole = parse(format, text, 0, SIZE_MAX);
  if (whole.count == 0 && whole.content != text) __builtin_trap();
  for (const size_t piece : {1u, 3u, 40u}) {
    const Seen cut = parse(format, text, static_cast<uint32_t>(size), piece);
    if (cut.content != whole.content || cut.calls != whole.calls) __builtin_trap();
  }
  for (const bool open : {false, true})
    if (split(text, open, 1) != split(text, open, SIZE_MAX)) __builtin_trap();
  return 0;
}
