// Request JSON to request structs, and the masks that a request asks for.
#include "server/openai/generation_request.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "server/openai/face.h"
#include "server/openai/request_mask.h"

namespace ingot::openai {
namespace {

Parsed<CompletionRequest> completion(const std::string& text) {
  const auto body = parse_body(text);
  if (!body) return std::unexpected(body.error());
  return parse_completion(body->get_object());
}

TEST(CompletionRequest, absent_fields_mean_what_openai_says) {
  const auto r = completion(R"({"prompt": "x"})");
  ASSERT_TRUE(r);
  const llm::SamplerParams& p = r->engine.sampler;
  EXPECT_EQ(p.temperature, 1.0f);
  EXPECT_EQ(p.top_p, 1.0f);
  EXPECT_LE(p.top_k, 0);
  EXPECT_EQ(p.min_p, 0.0f);
  EXPECT_EQ(p.repeat_penalty, 1.0f);
  EXPECT_FALSE(p.prompt_counts);
  EXPECT_EQ(r->engine.max_tokens, 16);
  EXPECT_EQ(r->engine.n, 1);
  EXPECT_FALSE(p.seed);
  EXPECT_FALSE(p.logprobs);
  EXPECT_TRUE(llm::validate(p));
}

TEST(CompletionRequest, null_is_absent_and_unknown_fields_do_nothing) {
  EXPECT_TRUE(completion(R"({"prompt": "x", "temperature": null, "stop": null, "whatever": {"a": [1]}})"));
}

TEST(CompletionRequest, prompts_come_in_four_forms) {
  EXPECT_EQ(completion(R"({"prompt": "x"})")->prompts.size(), 1u);
  EXPECT_EQ(completion(R"({"prompt": ["x", "y"]})")->prompts.size(), 2u);
  EXPECT_EQ(std::get<TokenIds>(completion(R"({"prompt": [1, 2, 3]})")->prompts[0]), (TokenIds{1, 2, 3}));
  EXPECT_EQ(completion(R"({"prompt": [[1], [2, 3]]})")->prompts.size(), 2u);
}

TEST(CompletionRequest, the_first_wrong_field_is_blamed) {
  const auto r = completion(R"({"prompt": "x", "temperature": "hot", "top_p": 7})");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().param, "temperature");
  EXPECT_NE(r.error().status.message().find("a string, must be a number"), std::string::npos);
}

TEST(CompletionRequest, sampler_fields_of_every_dialect_are_taken) {
  const auto r = completion(
      R"({"prompt": "x", "top_k": -1, "min_p": 0.1, "repetition_penalty": 1.2, "seed": -1, "min_tokens": 3,
          "samplers": "top_k;temperature", "logit_bias": {"5": -100}, "dry_multiplier": 0.8, "mirostat": 2})");
  ASSERT_TRUE(r) << r.error().status.message();
  EXPECT_EQ(r->engine.sampler.repeat_penalty, 1.2f);
  EXPECT_EQ(r->engine.sampler.order.size(), 2u);
  EXPECT_EQ(r->engine.sampler.logit_bias.front(), std::pair(5, -100.0f));
  EXPECT_TRUE(r->engine.sampler.seed.has_value());
}

TEST(ErrorJson, has_the_four_fields_of_openai) {
  const auto e = boost::json::parse(error_json(ApiError(Status(Code::kInvalidArgument, "bad \xff"), "n")));
  const auto& error = e.at("error").as_object();
  EXPECT_EQ(error.at("param"), "n");
  EXPECT_EQ(error.at("type"), "invalid_request_error");
  EXPECT_EQ(error.at("code"), "invalid_argument");
  EXPECT_EQ(error.size(), 4u);
}

TEST(RequestMask, forbids_the_last_token_of_a_bad_word_only_after_the_others) {
  auto rules = std::make_shared<RequestMaskRules>();
  rules->vocab = 70;
  rules->allowed.assign(2, ~uint64_t{0});
  rules->banned = {{3}, {4, 65}};
  const auto mask = make_request_mask(rules);
  const auto allowed = [&](int id) { return (mask->allowed()[static_cast<size_t>(id / 64)] >> (id % 64) & 1) != 0; };
  EXPECT_FALSE(allowed(3));
  EXPECT_TRUE(allowed(65));
  mask->accept(4);
  EXPECT_FALSE(allowed(65));
  mask->accept(5);
  EXPECT_TRUE(allowed(65));
}

TEST(ChatRequest, content_that_is_no_text_is_refused_by_its_place) {
  const auto chat = [](const std::string& parts) {
    const auto body =
        parse_body(R"({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": )" + parts + "}]}");
    return parse_chat(body->get_object());
  };
  EXPECT_TRUE(chat(R"([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])"));
  const auto image = chat(R"([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}])");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().param, "messages[1].content[1].type");
  EXPECT_NE(image.error().status.message().find("image_url"), std::string::npos);
  EXPECT_EQ(chat(R"([7])").error().param, "messages[1].content[0]");
  EXPECT_EQ(chat(R"([{"type": "text"}])").error().param, "messages[1].content[0].text");
}

TEST(Priority, clients_step_back_freely_but_ahead_only_where_allowed) {
  EXPECT_EQ(allowed_priority(false, -1'000'000), 0);
  EXPECT_EQ(allowed_priority(false, 7), 7);
  EXPECT_EQ(allowed_priority(true, -5), -5);
}

TEST(CompletionRequest, prompt_logprobs_do_not_go_with_a_stream) {
  EXPECT_TRUE(completion(R"({"prompt": "x", "prompt_logprobs": 1})"));
  EXPECT_EQ(completion(R"({"prompt": "x", "prompt_logprobs": 1, "stream": true})").error().param, "prompt_logprobs");
  EXPECT_TRUE(completion(R"({"prompt": "x", "echo": true, "logprobs": 1, "stream": true})"));
}

TEST(ApiError, the_field_to_blame_is_read_from_the_message) {
  EXPECT_EQ(blamed_field("[engine] 'n': 100 is not in 1 to 8"), "n");
  EXPECT_EQ(blamed_field("[sampler] 'logit_bias': token 9 is not in the vocabulary"), "logit_bias");
  EXPECT_EQ(blamed_field("[engine] the prompt is empty: give 'some': text"), "");
  EXPECT_EQ(blamed_field("[engine] 'tenant' and 'cache_salt' take at most 5 bytes"), "");
  EXPECT_EQ(blamed_field(""), "");
}

}  // namespace
}  // namespace ingot::openai
