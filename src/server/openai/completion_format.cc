// answer_format.h for /v1/completions: choices of text, with the old form of logprobs.
#include <boost/json.hpp>

#include "server/openai/answer_format.h"

namespace ingot::openai {
namespace {

class CompletionFormat final : public AnswerFormat {
 public:
  CompletionFormat(const CompletionRequest& r, FormatContext context, std::vector<TokenIds> prompts)
      : c_(std::move(context)),
        prompts_(std::move(prompts)),
        states_(prompts_.size() * c_.choices_each),
        prompt_logprobs_(prompts_.size()),
        echo_(r.echo),
        logprobs_(r.logprobs),
        with_ids_(r.return_token_ids),
        names_are_ids_(r.return_tokens_as_token_ids),
        wants_prompt_logprobs_(r.engine.prompt_logprobs.has_value() && !(r.echo && r.logprobs)),
        continuous_usage_(r.continuous_usage) {}

  std::string opening(size_t) override { return {}; }

  std::string delta(size_t prompt, size_t choice, const llm::Event& e, const llm::Usage& usage) override {
    ChoiceState& state = states_[choice];
    const bool first = !std::exchange(state.begun, true);
    const bool tells = !e.text.empty() || e.finish || ((logprobs_ || with_ids_) && !e.tokens.empty());
    if (!e.prompt_logprobs.empty()) prompt_logprobs_[prompt] = e.prompt_logprobs;  // once, for all its choices
    if (!tells && !(first && echo_)) return {};
    std::string text = first && echo_ ? prompt_text(prompt) : std::string();
    json::object entry{{"index", choice}, {"text", ""}, {"logprobs", nullptr}};
    if (logprobs_) entry["logprobs"] = logprobs(state, first && echo_ ? prompt_logprobs_[prompt] : kNoTokens, e.tokens);
    text += e.text;
    entry["text"] = text;
    entry["finish_reason"] = finish_json(e.finish);
    entry["stop_reason"] = stop_reason_json(e.stop_string, e.stop_token);
    if (with_ids_) add_ids(entry, prompt, e.tokens, first);
    json::object body = head();
    body["choices"] = json::array{std::move(entry)};
    if (continuous_usage_) body["usage"] = usage_json(usage);
    return json::serialize(body);
  }

  std::string usage_chunk(const llm::Usage& usage) override {
    json::object body = head();
    body["choices"] = json::array();
    body["usage"] = usage_json(usage);
    return json::serialize(body);
  }

  std::string whole(const std::vector<llm::Completion>& answers, const llm::Usage& usage) override {
    json::array choices;
    for (size_t p = 0; p < answers.size(); ++p)
      for (const llm::Completion::Choice& choice : answers[p].choices) {
        ChoiceState& state = states_[choices.size()];
        json::object entry{{"index", choices.size()},
                           {"text", (echo_ ? prompt_text(p) : std::string()) + choice.text},
                           {"logprobs", nullptr},
                           {"finish_reason", finish_json(choice.finish)},
                           {"stop_reason", stop_reason_json(choice.stop_string, choice.stop_token)}};
        if (logprobs_)
          entry["logprobs"] = logprobs(state, echo_ ? answers[p].prompt_logprobs : kNoTokens, choice.tokens);
        if (with_ids_) add_ids(entry, p, choice.tokens, true);
        if (wants_prompt_logprobs_)
          entry["prompt_logprobs"] = prompt_logprobs_json(*c_.tokenizer, answers[p].prompt_logprobs);
        choices.push_back(std::move(entry));
      }
    json::object body = head();
    body["choices"] = std::move(choices);
    body["usage"] = usage_json(usage);
    return json::serialize(body);
  }

 private:
  struct ChoiceState {
    bool begun = false;
    int64_t text_offset = 0;
  };
  static const inline std::vector<llm::TokenInfo> kNoTokens;

  json::object head() const {
    return {{"id", c_.id}, {"object", "text_completion"}, {"created", c_.created}, {"model", c_.model}};
  }

  std::string prompt_text(size_t prompt) const { return c_.tokenizer->decode(prompts_[prompt], true); }

  void add_ids(json::object& entry, size_t prompt, const std::vector<llm::TokenInfo>& tokens, bool first) const {
    json::array ids;
    for (const llm::TokenInfo& t : tokens) ids.emplace_back(t.id);
    entry["token_ids"] = std::move(ids);
    if (first) entry["prompt_token_ids"] = json::array(prompts_[prompt].begin(), prompts_[prompt].end());
  }

  json::object logprobs(ChoiceState& state, const std::vector<llm::TokenInfo>& before,
                        const std::vector<llm::TokenInfo>& tokens) const {
    json::array offsets, values, names, tops;
    const auto add = [&](const llm::TokenInfo& t, bool may_lack) {
      const std::string name = token_name(*c_.tokenizer, t.id, names_are_ids_);
      offsets.emplace_back(state.text_offset);
      state.text_offset += static_cast<int64_t>(c_.tokenizer->token_bytes(t.id).size());
      names.emplace_back(name);
      if (may_lack && !t.logprob) {
        values.emplace_back(nullptr);
        tops.emplace_back(nullptr);
        return;
      }
      values.emplace_back(finite_logprob(t.logprob));
      json::object top;
      for (const auto& other : t.top)
        top.emplace(token_name(*c_.tokenizer, other.id, names_are_ids_), finite_logprob(other.logprob));
      top.emplace(name, finite_logprob(t.logprob));
      tops.push_back(std::move(top));
    };
    for (const llm::TokenInfo& t : before) add(t, true);
    for (const llm::TokenInfo& t : tokens) add(t, false);
    return {{"text_offset", std::move(offsets)},
            {"token_logprobs", std::move(values)},
            {"tokens", std::move(names)},
            {"top_logprobs", std::move(tops)}};
  }

  FormatContext c_;
  std::vector<TokenIds> prompts_;
  std::vector<ChoiceState> states_;
  std::vector<std::vector<llm::TokenInfo>> prompt_logprobs_;  // of each prompt
  bool echo_, logprobs_, with_ids_, names_are_ids_, wants_prompt_logprobs_, continuous_usage_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_format(const CompletionRequest& request, FormatContext context,
                                          std::vector<TokenIds> prompts) {
  return std::make_unique<CompletionFormat>(request, std::move(context), std::move(prompts));
}

}  // namespace ingot::openai
