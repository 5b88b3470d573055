#include "server/openai/chat_reader.h"

#include <random>

namespace ingot::openai {

ChatReader::ChatReader(const ChatReading& r) {
  if (r.reasoning) thoughts_.emplace(*r.reasoning, r.in_thought);
  if (!r.tool_names.empty()) calls_.emplace(r.tool_format, r.tool_names, r.calls_max);
}

void ChatReader::add(Said& said, std::vector<tools::ToolPiece> pieces) const {
  for (tools::ToolPiece& piece : pieces) {
    if (piece.call < 0) {
      said.content += piece.content;
    } else if (!said.calls.empty() && said.calls.back().call == piece.call) {
      said.calls.back().arguments += piece.arguments;
    } else {
      said.calls.push_back(std::move(piece));
    }
  }
}

ChatReader::Said ChatReader::read(std::string_view text, bool last) {
  Said said;
  std::string rest(text);
  if (thoughts_) {
    auto part = thoughts_->push(text);
    if (last) {
      auto end = thoughts_->finish();
      part.reasoning += end.reasoning;
      part.content += end.content;
    }
    said.reasoning = std::move(part.reasoning);
    rest = std::move(part.content);
  }
  if (!calls_) {
    said.content = std::move(rest);
    return said;
  }
  add(said, calls_->push(rest));
  if (last) add(said, calls_->finish());
  return said;
}

std::string new_call_id(tools::ToolFormat format) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const bool short_id = format == tools::ToolFormat::kMistral || format == tools::ToolFormat::kMistralNamed;
  std::string id = short_id ? "" : "call_";
  for (int i = short_id ? 9 : 24; i > 0; --i) id += kLetters[random() % kLetters.size()];
  return id;
}

}  // namespace ingot::openai
