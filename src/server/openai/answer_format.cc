#include "server/openai/answer_format.h"

#include <algorithm>

#include "formats/printable.h"

namespace ingot::openai {

json::object usage_json(const llm::Usage& u) {
  return {{"prompt_tokens", u.prompt_tokens},
          {"completion_tokens", u.completion_tokens},
          {"total_tokens", u.prompt_tokens + u.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", u.cached_tokens}}}};
}

json::value finish_json(std::optional<llm::FinishReason> finish) {
  if (!finish) return nullptr;
  switch (*finish) {
    case llm::FinishReason::kEndOfGeneration:
    case llm::FinishReason::kStopToken:
    case llm::FinishReason::kStopString: return "stop";
    case llm::FinishReason::kLength:
    case llm::FinishReason::kContextFull: return "length";
    case llm::FinishReason::kCancelled: return "abort";
  }
  return nullptr;
}

json::value stop_reason_json(const std::string& stop_string, std::optional<int32_t> stop_token) {
  if (!stop_string.empty()) return json::string(stop_string);
  if (stop_token) return *stop_token;
  return nullptr;
}

std::string token_name(const Tokenizer& tokenizer, int32_t id, bool as_id) {
  return as_id ? fmt::format("token_id:{}", id) : valid_utf8(tokenizer.token_bytes(id));
}

double finite_logprob(std::optional<float> logprob) { return std::max(-9999.0f, logprob.value_or(-9999.0f)); }

json::array prompt_logprobs_json(const Tokenizer& tokenizer, const std::vector<llm::TokenInfo>& tokens) {
  json::array list;
  for (const llm::TokenInfo& t : tokens) {
    if (!t.logprob) {
      list.emplace_back(nullptr);
      continue;
    }
    json::object entry;
    int rank = 0;
    for (const auto& top : t.top)
      entry[std::to_string(top.id)] = {{"logprob", finite_logprob(top.logprob)},
                                       {"rank", ++rank},
                                       {"decoded_token", valid_utf8(tokenizer.token_bytes(top.id))}};
    const std::string id = std::to_string(t.id);
    if (!entry.contains(id))
      entry[id] = {{"logprob", finite_logprob(*t.logprob)},
                   {"rank", nullptr},
                   {"decoded_token", valid_utf8(tokenizer.token_bytes(t.id))}};
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace ingot::openai
