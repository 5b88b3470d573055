// config.pbtxt: what is read, what is refused and in which words.
#include "serving/config/model_settings.h"

#include <gtest/gtest.h>

namespace ingot::serving {
namespace {

TEST(ModelSettings, reads_what_a_usual_configuration_says) {
  const auto s = parse_settings(R"(
      name: "m" platform: "onnxruntime_onnx" max_batch_size: 16  # a comment
      input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1 ] } ]
      output { name: "y" data_type: TYPE_STRING dims: 1 }
      version_policy { specific { versions: [ 3, 1 ] } }
      dynamic_batching {
        preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 500
        priority_levels: 3 default_priority_level: 2
        default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 10 max_queue_size: 5 }
        priority_queue_policy { key: 1 value { allow_timeout_override: true } }
      }
      instance_group { count: 2 kind: KIND_CPU } instance_group { kind: KIND_AUTO }
      parameters { key: "a" value { string_value: "b" } }
      optimization { graph { level: 1 } })");
  ASSERT_TRUE(s) << s.error().message();
  EXPECT_EQ(s->name, "m");
  EXPECT_EQ(s->batch_max, 16);
  EXPECT_EQ(s->inputs[0].dims, (std::vector<int64_t>{3, -1}));
  EXPECT_EQ(s->outputs[0].dtype, DType::kString);
  EXPECT_EQ(s->versions.specific, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(s->batch_preferred, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(s->delay_max.count(), 500);
  EXPECT_EQ(s->queue.levels, 3u);
  EXPECT_EQ(s->queue.level_default, 2u);
  EXPECT_TRUE(s->queue.of(3).delay_late);
  EXPECT_FALSE(s->queue.of(3).allow_shorter);
  EXPECT_EQ(s->queue.of(3).waiting_max, 5u);
  EXPECT_TRUE(s->queue.of(1).allow_shorter);
  EXPECT_EQ(s->instances, 3);
  EXPECT_EQ(s->warnings, std::vector<std::string>{"optimization"});
  const auto again = parse_settings_json(s->json);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->json, s->json);
}

TEST(ModelSettings, an_empty_file_asks_for_nothing) {
  const auto s = parse_settings("");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->instances, 1);
  EXPECT_EQ(s->versions.latest, 1u);
}

TEST(ModelSettings, what_is_wrong_is_told_with_its_field_and_value) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"max_batch_size: -1", "'max_batch_size' is -1"},
      {"max_batch_size: 1000000", "'max_batch_size' is 1000000"},
      {"max_batch_size: \"x\"", "line 1, column 17"},
      {"name: \"m\"\nmax_bach_size: 1", "line 2, column"},
      {"input { data_type: TYPE_FP32 }", "must specify 'name'"},
      {"input { name: \"x\" }", "input 'x': must specify 'data_type'"},
      {"input { name: \"x\" data_type: TYPE_FP32 dims: 0 }", "'dims' holds 0"},
      {"input { name: \"x\" data_type: TYPE_FP32 dims: [1,1,1,1,1,1,1,1,1] }", "9 dimensions"},
      {"input { name: \"x\" data_type: TYPE_FP32 dims: 2 reshape { shape: [ 1, 2 ] } }", "'reshape'"},
      {"max_batch_size: 4 dynamic_batching { preferred_batch_size: 8 }", "holds 8"},
      {"max_batch_size: 4 dynamic_batching { preferred_batch_size: 0 }", "holds 0"},
      {"dynamic_batching { max_queue_delay_microseconds: 99999999999999 }", "'max_queue_delay_microseconds'"},
      {"dynamic_batching { priority_levels: 2 }", "'default_priority_level' is 0"},
      {"dynamic_batching { priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 3 value {} } }",
       "level 3"},
      {"dynamic_batching { preserve_ordering: true priority_levels: 2 default_priority_level: 1 }",
       "Only one priority level"},
      {"instance_group { count: 1000 }", "'count' is 1000"},
      {"instance_group { kind: KIND_GPU }", "KIND_GPU"},
      {"version_policy { latest { num_versions: 0 } }", "'num_versions' is 0"},
      {"version_policy { specific { versions: 0 } }", "version 0"},
      {"model_warmup { name: \"w\" inputs { key: \"x\" value { data_type: TYPE_FP32 dims: 99999999999 } } }",
       "holds 99999999999"},
      {"model_warmup { name: \"w\" inputs { key: \"x\" value { data_type: TYPE_FP32 dims: 200000000 } } "
       "inputs { key: \"y\" value { data_type: TYPE_FP32 dims: 200000000 } } }",
       "in all inputs"},
      {[] {
         std::string many;
         for (int i = 0; i < 11; ++i) many += "model_warmup { name: \"w\" count: 1000 } ";
         return many;
       }(),
       "'count' of all 'model_warmup' is 11000"},
      {"model_warmup { inputs { key: \"x\" value { data_type: TYPE_FP32 input_data_file: \"f\" } } }",
       "'input_data_file'"},
      {"sequence_batching { }", "'sequence_batching' is not supported"},
      {"ensemble_scheduling { }", "'ensemble_scheduling' is not supported"},
      {"platform: \"tensorrt_plan\"", "'platform' is 'tensorrt_plan'"},
      {"backend: \"python\"", "'backend' is 'python'"},
      {"default_model_filename: \"../x\"", "'default_model_filename' is '../x'"},
      {"response_cache { enable: true }", "'response_cache'"},
      {std::string(kConfigBytesMax + 1, ' '), "more than a configuration may have"},
  };
  for (const auto& [text, words] : cases) {
    const auto s = parse_settings(text);
    ASSERT_FALSE(s) << text;
    EXPECT_NE(s.error().message().find(words), std::string::npos) << text << ": " << s.error().message();
  }
}

TEST(ModelSettings, a_string_that_is_not_utf8_is_refused) {
  for (const char* text : {"output [ { name: \"\xe3\" data_type: TYPE_STRING dims: [ 4 ] } ]", "name: '\\343'"}) {
    const auto s = parse_settings(text);
    ASSERT_FALSE(s) << text;
    EXPECT_NE(s.error().message().find("UTF-8"), std::string::npos) << s.error().message();
  }
}

TEST(ModelSettings, deep_nesting_ends_with_an_error) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "model_warmup { inputs { value { ";
  EXPECT_FALSE(parse_settings(text));
  EXPECT_FALSE(parse_settings_json(std::string(100'000, '[')));
}

TEST(ModelSettings, policies_choose_versions) {
  const std::vector<int64_t> there = {1, 2, 5, 9};
  EXPECT_EQ(choose_versions({}, there).value(), (std::vector<int64_t>{9}));
  EXPECT_EQ(choose_versions({.latest = 3}, there).value(), (std::vector<int64_t>{2, 5, 9}));
  EXPECT_EQ(choose_versions({.kind = VersionPolicy::Kind::kAll}, there).value(), there);
  EXPECT_EQ(choose_versions({.kind = VersionPolicy::Kind::kSpecific, .specific = {1, 5}}, there).value(),
            (std::vector<int64_t>{1, 5}));
  EXPECT_FALSE(choose_versions({.kind = VersionPolicy::Kind::kSpecific, .specific = {7}}, there));
  EXPECT_FALSE(choose_versions({}, {}));
}

}  // namespace
}  // namespace ingot::serving
