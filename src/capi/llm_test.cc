// Language models of the C interface, on a tiny one: tokens, templates, generation, cancelling, many at once.
#include <atomic>
#include <thread>

#include "capi/capi_check.h"

namespace ingot::capi {
namespace {

class CapiLlm : public ::testing::Test {
 protected:
  void SetUp() override {
    ingot_options* options = nullptr;
    ASSERT_TRUE(succeeded(ingot_options_create(&options)));
    ASSERT_TRUE(succeeded(ingot_options_set(options, "threads", "2")));
    ASSERT_TRUE(succeeded(ingot_options_set(options, "kv_tokens", "2048")));
    const std::string path = INGOT_SOURCE_DIR "/tests/goldens/models/llama";
    ASSERT_TRUE(succeeded(ingot_llm_load(path.c_str(), options, &llm)));
    ingot_options_release(options);
  }
  void TearDown() override { ingot_llm_release(llm); }

  static ingot_request* greedy(int first, const char* max_tokens) {
    ingot_request* r = nullptr;
    const int32_t ids[] = {first, 7, 9, 11};
    EXPECT_TRUE(succeeded(ingot_request_create(&r)));
    EXPECT_TRUE(succeeded(ingot_request_set_prompt_tokens(r, ids, 4)));
    EXPECT_TRUE(succeeded(ingot_request_set(r, "temperature", "0")));
    EXPECT_TRUE(succeeded(ingot_request_set(r, "ignore_eos", "true")));
    EXPECT_TRUE(succeeded(ingot_request_set(r, "max_tokens", max_tokens)));
    return r;
  }
  std::vector<int32_t> answer(const ingot_request* r) {
    std::vector<int32_t> ids;
    const auto gather = [](void* context, const ingot_event* e) {
      auto& out = *static_cast<std::vector<int32_t>*>(context);
      out.insert(out.end(), e->tokens, e->tokens + e->num_tokens);
      return 1;
    };
    EXPECT_TRUE(succeeded(ingot_llm_generate(llm, r, gather, &ids, nullptr)));
    return ids;
  }

  ingot_llm* llm = nullptr;
};

TEST_F(CapiLlm, tokenizes_into_the_room_there_is_and_back) {
  const std::string text = "Hello there";
  size_t count = 0;
  ASSERT_TRUE(succeeded(ingot_llm_tokenize(llm, text.data(), text.size(), 0, 1, nullptr, 0, &count)));
  std::vector<int32_t> ids(count, -1), one(1, -1);
  ASSERT_TRUE(succeeded(ingot_llm_tokenize(llm, text.data(), text.size(), 0, 1, ids.data(), count, &count)));
  EXPECT_EQ(count, ids.size());
  ASSERT_TRUE(succeeded(ingot_llm_tokenize(llm, text.data(), text.size(), 0, 1, one.data(), 1, &count)));
  EXPECT_EQ(count, ids.size());
  EXPECT_EQ(one[0], ids[0]);
  ingot_text* back = nullptr;
  ASSERT_TRUE(succeeded(ingot_llm_detokenize(llm, ids.data(), ids.size(), 0, &back)));
  EXPECT_EQ(std::string(ingot_text_data(back), ingot_text_length(back)), text);
  ingot_text_release(back);
  const int32_t wrong[] = {1 << 30};
  EXPECT_EQ(code_of(ingot_llm_detokenize(llm, wrong, 1, 0, &back)), INGOT_INVALID_ARGUMENT);
  int64_t fact = 0;
  ASSERT_TRUE(succeeded(ingot_llm_get_int(llm, "vocabulary", &fact)));
  EXPECT_GT(fact, 0);
  EXPECT_EQ(code_of(ingot_llm_get_int(llm, "colour", &fact)), INGOT_INVALID_ARGUMENT);
}

TEST_F(CapiLlm, an_answer_pulled_is_the_answer_called_back) {
  ingot_request* r = greedy(5, "12");
  const auto whole = answer(r);
  EXPECT_EQ(whole.size(), 12U);
  ingot_generation* g = nullptr;
  ASSERT_TRUE(succeeded(ingot_llm_submit(llm, r, &g)));
  ingot_llm_release(llm);  // the generation keeps the model
  std::vector<int32_t> pulled;
  ingot_event event{.size = sizeof(ingot_event)};
  ingot_event_state state = 0;
  ingot_finish finish = INGOT_NOT_FINISHED;
  while (succeeded(ingot_generation_next(g, -1, &event, &state)) && state == INGOT_EVENT) {
    pulled.insert(pulled.end(), event.tokens, event.tokens + event.num_tokens);
    finish = event.finish;
  }
  EXPECT_EQ(state, INGOT_NO_MORE_EVENTS);
  EXPECT_EQ(finish, INGOT_FINISH_LENGTH);
  EXPECT_EQ(pulled, whole);
  ingot_usage usage{.size = sizeof(ingot_usage)};
  ASSERT_TRUE(succeeded(ingot_generation_get_usage(g, &usage)));
  EXPECT_EQ(usage.prompt_tokens, 4);
  EXPECT_EQ(usage.completion_tokens, 12);
  EXPECT_GE(usage.total_ms, usage.first_token_ms);
  ingot_generation_release(g);
  ingot_request_release(r);
}

TEST_F(CapiLlm, answers_eight_threads_at_once_as_it_answers_one) {
  std::vector<std::vector<int32_t>> want;
  std::vector<ingot_request*> requests;
  for (int i = 0; i < 8; ++i) {
    requests.push_back(greedy(20 + i, "10"));
    want.push_back(answer(requests.back()));
  }
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 8; ++i) threads.emplace_back([&, i] { right += answer(requests[i]) == want[i]; });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, 8);
  for (ingot_request* r : requests) ingot_request_release(r);
}

TEST_F(CapiLlm, ends_when_it_is_cancelled) {
  ingot_request* r = greedy(5, "2000");
  ingot_generation* g = nullptr;
  ASSERT_TRUE(succeeded(ingot_request_set(r, "max_tokens", "100")));
  ingot_code ended = INGOT_OK;  // an answer may be done before it is cancelled, but not every time
  for (int i = 0; i < 50 && ended != INGOT_CANCELLED; ++i) {
    ASSERT_TRUE(succeeded(ingot_llm_submit(llm, r, &g)));
    std::thread([&] { EXPECT_TRUE(succeeded(ingot_generation_cancel(g))); }).join();
    ingot_event event{.size = sizeof(ingot_event)};
    ingot_event_state state = INGOT_EVENT;
    ingot_status* status = nullptr;
    while (!status && state == INGOT_EVENT) status = ingot_generation_next(g, -1, &event, &state);
    ended = code_of(status);
    ingot_generation_release(g);
  }
  EXPECT_EQ(ended, INGOT_CANCELLED);
  const auto stop = [](void*, const ingot_event*) { return 0; };
  EXPECT_EQ(code_of(ingot_llm_generate(llm, r, stop, nullptr, nullptr)), INGOT_CANCELLED);
  ASSERT_TRUE(succeeded(ingot_llm_submit(llm, r, &g)));
  ingot_generation_release(g);  // cancels
  ASSERT_TRUE(succeeded(ingot_request_set(r, "timeout_ms", "0.000001")));
  EXPECT_EQ(code_of(ingot_llm_generate(llm, r, stop, nullptr, nullptr)), INGOT_DEADLINE_EXCEEDED);
  ingot_request_release(r);
}

TEST_F(CapiLlm, waits_no_longer_than_it_is_told) {
  ingot_request* r = greedy(5, "1");
  ingot_generation* g = nullptr;
  ASSERT_TRUE(succeeded(ingot_llm_submit(llm, r, &g)));
  ingot_event event{.size = sizeof(ingot_event)};
  ingot_event_state state = INGOT_NO_EVENT_YET;
  while (state == INGOT_NO_EVENT_YET) ASSERT_TRUE(succeeded(ingot_generation_next(g, 1, &event, &state)));
  EXPECT_EQ(state, INGOT_EVENT);
  event.size = 3;
  EXPECT_EQ(code_of(ingot_generation_next(g, 0, &event, &state)), INGOT_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(ingot_generation_next(g, 0, nullptr, &state)), INGOT_INVALID_ARGUMENT);
  ingot_generation_release(g);
  EXPECT_EQ(code_of(ingot_generation_cancel(g)), INGOT_INVALID_ARGUMENT);
  ingot_request_release(r);
}

TEST_F(CapiLlm, tells_logprobs_of_several_choices_and_keeps_to_a_grammar) {
  ingot_request* r = greedy(5, "3");
  ASSERT_TRUE(succeeded(ingot_request_set(r, "logprobs", "2")));
  ASSERT_TRUE(succeeded(ingot_request_set(r, "n", "2")));
  const auto look = [](void* context, const ingot_event* e) {
    ++static_cast<int*>(context)[e->choice];
    EXPECT_EQ(e->num_top, 2U);
    for (size_t i = 0; i < e->num_tokens; ++i) {
      EXPECT_EQ(e->top_ids[2 * i], e->tokens[i]) << "greedy takes the likeliest";
      EXPECT_FLOAT_EQ(e->top_logprobs[2 * i], e->logprobs[i]);
      EXPECT_GE(e->top_logprobs[2 * i], e->top_logprobs[2 * i + 1]);
    }
    return 1;
  };
  int events[2] = {};
  ASSERT_TRUE(succeeded(ingot_llm_generate(llm, r, look, events, nullptr)));
  EXPECT_EQ(events[0], 3);
  EXPECT_EQ(events[1], 3);
  ingot_request_release(r);

  r = greedy(5, "20");
  std::string text;
  ASSERT_TRUE(succeeded(ingot_request_set(r, "ignore_eos", "false")));
  EXPECT_EQ(code_of(ingot_request_set(r, "timeout_ms", "-1")), INGOT_INVALID_ARGUMENT);
  ASSERT_TRUE(succeeded(ingot_request_set(r, "json_object", "true")));
  EXPECT_EQ(code_of(ingot_request_set(r, "regex", "(yes|no)")), INGOT_INVALID_ARGUMENT);
  ASSERT_TRUE(succeeded(ingot_request_set(r, "json_object", "false")));
  ASSERT_TRUE(succeeded(ingot_request_set(r, "regex", "(yes|no)")));
  const auto gather = [](void* context, const ingot_event* e) {
    static_cast<std::string*>(context)->append(e->text, e->text_length);
    return 1;
  };
  ASSERT_TRUE(succeeded(ingot_llm_generate(llm, r, gather, &text, nullptr)));
  EXPECT_TRUE(text == "yes" || text == "no") << text;
  ASSERT_TRUE(succeeded(ingot_request_set(r, "regex", "(yes")));
  EXPECT_EQ(code_of(ingot_llm_generate(llm, r, gather, &text, nullptr)), INGOT_INVALID_ARGUMENT);
  ingot_request_release(r);
}

TEST_F(CapiLlm, names_what_is_wrong_with_a_request) {
  ingot_request* r = nullptr;
  ingot_generation* g = nullptr;
  ASSERT_TRUE(succeeded(ingot_request_create(&r)));
  EXPECT_NE(text_of(ingot_llm_submit(llm, r, &g)).find("has no prompt"), std::string::npos);
  EXPECT_NE(text_of(ingot_request_set(r, "temperatur", "1")).find("there are: max_tokens"), std::string::npos);
  EXPECT_NE(text_of(ingot_request_set(r, "temperature", "hot")).find("'hot' is no number"), std::string::npos);
  ASSERT_TRUE(succeeded(ingot_request_set_prompt(r, "Hello", 5)));
  ASSERT_TRUE(succeeded(ingot_request_set(r, "top_p", "7")));
  EXPECT_EQ(code_of(ingot_llm_submit(llm, r, &g)), INGOT_INVALID_ARGUMENT);
  ingot_request_release(r);
  ASSERT_TRUE(succeeded(ingot_request_create(&r)));
  const std::vector<int32_t> many(100000, 5);
  ASSERT_TRUE(succeeded(ingot_request_set_prompt_tokens(r, many.data(), many.size())));
  EXPECT_EQ(code_of(ingot_llm_submit(llm, r, &g)), INGOT_OUT_OF_RANGE);
  ASSERT_TRUE(succeeded(ingot_request_set_messages(r, "{nonsense", nullptr)));
  EXPECT_EQ(code_of(ingot_llm_submit(llm, r, &g)), INGOT_INVALID_ARGUMENT);
  EXPECT_EQ(g, nullptr);
  ingot_request_release(r);
  ingot_llm* none = nullptr;
  EXPECT_EQ(code_of(ingot_llm_load("/no/such/model.gguf", nullptr, &none)), INGOT_NOT_FOUND);
}

}  // namespace
}  // namespace ingot::capi
