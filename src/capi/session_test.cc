// Sessions of the C interface: looking, running, binding, ending early, many threads.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "capi/capi_check.h"

namespace ingot::capi {
namespace {

constexpr size_t kRows = 4;

// A session of layer_model() with inputs, and what comes out.
class CapiSession : public ::testing::Test {
 protected:
  void SetUp() override {
    x.resize(kRows * 3);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 10 - 0.5f;
    w = {0.5f, -1, 2, 0.25f, -0.75f, 1};
    for (size_t r = 0; r < kRows; ++r)
      for (size_t c = 0; c < 2; ++c) {
        float sum = 0;
        for (size_t k = 0; k < 3; ++k) sum += x[r * 3 + k] * w[k * 2 + c];
        want.push_back(std::tanh(-sum));
      }
    xv = borrow(x, {kRows, 3});
    wv = borrow(w, {3, 2});
    session = load(layer_model());
    ASSERT_TRUE(succeeded(ingot_run_options_create(&options)));
  }
  void TearDown() override {
    ingot_value_release(xv);
    ingot_value_release(wv);
    ingot_session_release(session);
    ingot_run_options_release(options);
  }
  ingot_status* run(const std::vector<const char*>& outputs, ingot_value** values) {
    const char* names[] = {"w", "x"};
    const ingot_value* inputs[] = {wv, xv};
    return ingot_session_run(session, options, names, inputs, 2, outputs.empty() ? nullptr : outputs.data(),
                             outputs.empty() ? 2 : outputs.size(), values);
  }
  void expect_y(const float* y) const {
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(y[i], want[i], 1e-6) << i;
  }
  static const float* data_of(const ingot_value* value) {
    void* data = nullptr;
    EXPECT_TRUE(succeeded(ingot_tensor_get_data(value, &data, nullptr)));
    return static_cast<const float*>(data);
  }

  std::vector<float> x, w, want;
  ingot_value *xv = nullptr, *wv = nullptr;
  ingot_session* session = nullptr;
  ingot_run_options* options = nullptr;
};

TEST_F(CapiSession, tells_names_types_shapes_and_metadata) {
  ASSERT_EQ(ingot_session_num_inputs(session), 2U);
  ASSERT_EQ(ingot_session_num_outputs(session), 2U);
  ingot_port port{.size = sizeof(ingot_port)};
  ASSERT_TRUE(succeeded(ingot_session_get_input(session, 0, &port)));
  EXPECT_STREQ(port.name, "x");
  EXPECT_EQ(port.dtype, INGOT_FLOAT32);
  EXPECT_EQ(port.kind, INGOT_TENSOR);
  ASSERT_EQ(port.rank, 2);
  EXPECT_EQ(port.dims[0], -1);
  EXPECT_STREQ(port.dim_names[0], "batch");
  EXPECT_EQ(port.dims[1], 3);
  EXPECT_STREQ(port.dim_names[1], "");
  ASSERT_TRUE(succeeded(ingot_session_get_output(session, 1, &port)));
  EXPECT_STREQ(port.name, "z");
  EXPECT_EQ(code_of(ingot_session_get_output(session, 2, &port)), INGOT_OUT_OF_RANGE);
  port.size = 0;
  EXPECT_EQ(code_of(ingot_session_get_output(session, 1, &port)), INGOT_INVALID_ARGUMENT);
  ASSERT_EQ(ingot_session_num_metadata(session), 2U);
  const char *key = nullptr, *value = nullptr;
  ASSERT_TRUE(succeeded(ingot_session_get_metadata(session, 0, &key, &value)));
  EXPECT_STREQ(key, "producer_name");
  EXPECT_STREQ(value, "a test");
}

TEST_F(CapiSession, a_struct_of_an_older_program_is_filled_as_far_as_it_goes) {
  ingot_port port{.size = offsetof(ingot_port, kind), .name = nullptr, .kind = 77};
  ASSERT_TRUE(succeeded(ingot_session_get_input(session, 1, &port)));
  EXPECT_STREQ(port.name, "w");
  EXPECT_EQ(port.kind, 77);
}

TEST_F(CapiSession, runs_and_hands_out_values_that_outlive_it) {
  ingot_value* out[2] = {};
  ASSERT_TRUE(succeeded(run({}, out)));
  ingot_session_release(session);
  expect_y(data_of(out[0]));
  EXPECT_FLOAT_EQ(data_of(out[1])[0], std::max(want[0], 0.0f));
  for (ingot_value* v : out) ingot_value_release(v);
}

TEST_F(CapiSession, writes_results_into_memory_of_the_caller) {
  std::vector<float> y(kRows * 2, NAN);
  ingot_value *mine = borrow(y, {kRows, 2}), *out[2] = {nullptr, mine};
  ASSERT_TRUE(succeeded(run({"z", "y"}, out)));
  EXPECT_EQ(out[1], mine);
  EXPECT_EQ(data_of(out[1]), y.data());
  expect_y(y.data());
  ingot_value_release(out[0]);
  ingot_value_release(mine);
}

TEST_F(CapiSession, refuses_memory_that_does_not_fit_the_result) {
  std::vector<float> small(kRows), shared = x;
  ingot_value *bad = borrow(small, {kRows, 1}), *out[] = {bad};
  EXPECT_EQ(text_of(run({"y"}, out)),
            "INVALID_ARGUMENT [capi] output 'y': the value given is f32[4,1], the result is f32[4,2]");
  ingot_value_release(bad);
  std::vector<int32_t> integers(kRows * 2);
  const int64_t dims[] = {kRows, 2};
  ASSERT_TRUE(
      succeeded(ingot_tensor_from_memory(INGOT_INT32, dims, 2, integers.data(), kRows * 8, nullptr, nullptr, &out[0])));
  EXPECT_NE(text_of(run({"y"}, out)).find("the value given is i32[4,2]"), std::string::npos);
  ingot_value_release(out[0]);
  ASSERT_TRUE(
      succeeded(ingot_tensor_from_memory(INGOT_FLOAT32, dims, 2, x.data(), kRows * 8, nullptr, nullptr, &out[0])));
  EXPECT_NE(text_of(run({"y"}, out)).find("overlaps input 'x'"), std::string::npos);
  ingot_value_release(out[0]);
}

TEST_F(CapiSession, names_what_is_wrong_with_inputs_and_outputs) {
  ingot_value* out[2] = {};
  const auto attempt = [&](std::vector<const char*> names, std::vector<const ingot_value*> values) {
    return text_of(ingot_session_run(session, nullptr, names.data(), values.data(), names.size(), nullptr, 2, out));
  };
  EXPECT_EQ(attempt({"x"}, {xv}), "INVALID_ARGUMENT [capi] input 'w' is missing");
  EXPECT_NE(attempt({"x", "q"}, {xv, wv}).find("no input 'q'; it has: 'x' 'w'"), std::string::npos);
  EXPECT_NE(attempt({"x", "x"}, {xv, xv}).find("'x' is given twice"), std::string::npos);
  EXPECT_NE(attempt({"x", "w"}, {wv, xv}).find("the model wants"), std::string::npos);
  EXPECT_NE(attempt({"x", nullptr}, {xv, wv}).find("'input_names' is NULL"), std::string::npos);
  EXPECT_NE(attempt({"x", "w"}, {xv, nullptr}).find("'inputs' is NULL"), std::string::npos);
  EXPECT_NE(text_of(run({"y", "y"}, out)).find("asked for twice"), std::string::npos);
  EXPECT_NE(text_of(run({"nothing"}, out)).find("no output 'nothing'"), std::string::npos);
  EXPECT_EQ(out[0], nullptr);
  ASSERT_TRUE(succeeded(run({}, out)));
  for (ingot_value* v : out) ingot_value_release(v);
}

TEST_F(CapiSession, ends_with_its_timeout_or_when_it_is_cancelled) {
  ingot_value* out[2] = {};
  ASSERT_TRUE(succeeded(ingot_run_options_set_timeout_ms(options, 1e-9)));
  EXPECT_EQ(code_of(run({}, out)), INGOT_DEADLINE_EXCEEDED);
  ASSERT_TRUE(succeeded(ingot_run_options_set_timeout_ms(options, 0)));
  ASSERT_TRUE(succeeded(ingot_run_options_cancel(options)));
  EXPECT_EQ(code_of(run({}, out)), INGOT_CANCELLED);
  ASSERT_TRUE(succeeded(ingot_run_options_resume(options)));
  EXPECT_EQ(out[0], nullptr);
  ASSERT_TRUE(succeeded(run({}, out)));
  expect_y(data_of(out[0]));
  for (ingot_value* v : out) ingot_value_release(v);
}

TEST_F(CapiSession, ends_when_another_thread_cancels_it_under_way) {
  // A run asks for the output's memory when it has begun.
  const ingot_allocator allocator{
      sizeof(ingot_allocator), options,
      [](void* o, size_t bytes) {
        std::thread([&] {
          EXPECT_TRUE(succeeded(ingot_run_options_cancel(static_cast<ingot_run_options*>(o))));
        }).join();
        return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
      },
      [](void*, void* data, size_t) { std::free(data); }};
  ingot_binding* binding = nullptr;
  ASSERT_TRUE(succeeded(ingot_binding_create(session, &binding)));
  ASSERT_TRUE(succeeded(ingot_binding_bind_input(binding, "x", xv)));
  ASSERT_TRUE(succeeded(ingot_binding_bind_input(binding, "w", wv)));
  ASSERT_TRUE(succeeded(ingot_binding_bind_output(binding, "y", nullptr, &allocator)));
  EXPECT_EQ(code_of(ingot_session_run_binding(session, options, binding)), INGOT_CANCELLED);
  EXPECT_EQ(code_of(ingot_session_run_binding(session, options, binding)), INGOT_CANCELLED) << "until resume";
  ingot_binding_release(binding);
}

TEST_F(CapiSession, profiles_every_node) {
  ingot_value* out[2] = {};
  ASSERT_TRUE(succeeded(ingot_run_options_set_profile(options, 1)));
  ASSERT_TRUE(succeeded(run({}, out)));
  ASSERT_GE(ingot_run_options_num_steps(options), 2U);
  ingot_step step{.size = sizeof(ingot_step)};
  ASSERT_TRUE(succeeded(ingot_run_options_get_step(options, 0, &step)));
  EXPECT_STREQ(step.op, "MatMul");
  EXPECT_STRNE(step.kernel, "");
  EXPECT_GE(step.nanoseconds, 0);
  EXPECT_EQ(code_of(ingot_run_options_get_step(options, 99, &step)), INGOT_OUT_OF_RANGE);
  for (ingot_value* v : out) ingot_value_release(v);
}

TEST_F(CapiSession, runs_with_bound_values_and_an_allocator) {
  ingot_binding* binding = nullptr;
  ASSERT_TRUE(succeeded(ingot_binding_create(session, &binding)));
  ASSERT_TRUE(succeeded(ingot_binding_bind_input(binding, "x", xv)));
  EXPECT_NE(text_of(ingot_session_run_binding(session, nullptr, binding)).find("'w' is missing"), std::string::npos);
  ASSERT_TRUE(succeeded(ingot_binding_bind_input(binding, "w", wv)));
  std::vector<float> y(kRows * 2, NAN);
  ingot_value *mine = borrow(y, {kRows, 2}), *got = nullptr;
  struct Counts {
    int allocated = 0, freed = 0;
  } counts;
  const ingot_allocator allocator{sizeof(ingot_allocator), &counts,
                                  [](void* c, size_t bytes) {
                                    ++static_cast<Counts*>(c)->allocated;
                                    return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
                                  },
                                  [](void* c, void* data, size_t) {
                                    ++static_cast<Counts*>(c)->freed;
                                    std::free(data);
                                  }};
  ASSERT_TRUE(succeeded(ingot_binding_bind_output(binding, "y", mine, nullptr)));
  ASSERT_TRUE(succeeded(ingot_binding_bind_output(binding, "z", nullptr, &allocator)));
  EXPECT_EQ(code_of(ingot_binding_get_output(binding, "z", &got)), INGOT_FAILED_PRECONDITION);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(succeeded(ingot_session_run_binding(session, nullptr, binding)));
  expect_y(y.data());
  EXPECT_EQ(counts.allocated, 3);
  EXPECT_EQ(counts.freed, 2);
  ASSERT_TRUE(succeeded(ingot_binding_get_output(binding, "z", &got)));
  EXPECT_FLOAT_EQ(data_of(got)[0], std::max(want[0], 0.0f));
  EXPECT_NE(text_of(ingot_binding_bind_output(binding, "q", nullptr, nullptr)).find("no output 'q'"),
            std::string::npos);
  ingot_binding_release(binding);
  ingot_value_release(mine);
  EXPECT_EQ(counts.freed, 2);
  ingot_value_release(got);
  EXPECT_EQ(counts.freed, 3);
}

TEST_F(CapiSession, serves_eight_threads_at_once) {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      std::vector<float> mine(x);
      const auto rows = static_cast<int64_t>(1 + t % kRows);  // threads of different shapes
      mine.resize(static_cast<size_t>(rows) * 3);
      ingot_value* in = borrow(mine, {rows, 3});
      ingot_run_options* alone = nullptr;
      EXPECT_TRUE(succeeded(ingot_run_options_create(&alone)));
      EXPECT_TRUE(succeeded(ingot_run_options_set_threads(alone, t % 2)));
      for (int i = 0; i < 20; ++i) {
        const char *names[] = {"x", "w"}, *outputs[] = {"y"};
        const ingot_value* inputs[] = {in, wv};
        ingot_value* out[1] = {};
        if (!succeeded(ingot_session_run(session, alone, names, inputs, 2, outputs, 1, out))) break;
        const float* y = data_of(out[0]);
        bool equal = true;
        for (size_t k = 0; k < static_cast<size_t>(rows) * 2; ++k) equal &= std::fabs(y[k] - want[k]) < 1e-6f;
        right += equal;
        ingot_value_release(out[0]);
      }
      ingot_run_options_release(alone);
      ingot_value_release(in);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, 160);
}

TEST(CapiStrings, go_through_a_model_and_into_values_of_the_caller) {
  ingot_session* session = load(string_model());
  const char* texts[] = {"one", "two words, longer than what fits into a small string"};
  const int64_t dims[] = {2};
  ingot_value *in = nullptr, *mine = nullptr, *out[1] = {};
  ASSERT_TRUE(succeeded(ingot_tensor_from_strings(dims, 1, texts, nullptr, &in)));
  ASSERT_TRUE(succeeded(ingot_tensor_create(INGOT_STRING, dims, 1, &mine)));
  const char* names[] = {"in"};
  const ingot_value* inputs[] = {in};
  for (ingot_value* given : {static_cast<ingot_value*>(nullptr), mine}) {
    out[0] = given;
    ASSERT_TRUE(succeeded(ingot_session_run(session, nullptr, names, inputs, 1, nullptr, 1, out)));
    const char* text = nullptr;
    ASSERT_TRUE(succeeded(ingot_tensor_get_string(out[0], 1, &text, nullptr)));
    EXPECT_STREQ(text, texts[1]);
    if (!given) ingot_value_release(out[0]);
  }
  ingot_value_release(in);
  ingot_value_release(mine);
  ingot_session_release(session);
}

TEST(CapiLoad, names_the_file_and_what_is_wrong_with_it) {
  ingot_session* session = nullptr;
  EXPECT_EQ(code_of(ingot_session_load("/no/such/file.onnx", nullptr, &session)), INGOT_NOT_FOUND);
  const std::string gguf = INGOT_SOURCE_DIR "/tests/goldens/models/llama/model.gguf";
  EXPECT_NE(text_of(ingot_session_load(gguf.c_str(), nullptr, &session)).find("use ingot_llm_load()"),
            std::string::npos);
  const std::string model = layer_model();
  for (const size_t bytes : {size_t{0}, size_t{1}, model.size() / 2, model.size() - 1})
    EXPECT_NE(code_of(ingot_session_load_memory(model.data(), bytes, nullptr, nullptr, &session)), INGOT_OK) << bytes;
  EXPECT_EQ(session, nullptr);
}

TEST(CapiLoad, reads_the_model_s_own_metadata) {
  std::string model = layer_model();
  model += std::string(
      "\x1a\x03"
      "1.2"
      "\x28\x07"
      "\x72\x0a\x0a\x03"
      "key"
      "\x12\x03"
      "val",
      19);  // fields 3, 5, 14
  ingot_session* session = load(model);
  std::string all;
  for (size_t i = 0; i < ingot_session_num_metadata(session); ++i) {
    const char *key = nullptr, *value = nullptr;
    ASSERT_TRUE(succeeded(ingot_session_get_metadata(session, i, &key, &value)));
    all += std::string(key) + "=" + value + ";";
  }
  EXPECT_EQ(all, "producer_name=a test;graph_name=g;producer_version=1.2;version=7;custom.key=val;");
  ingot_session_release(session);
}

}  // namespace
}  // namespace ingot::capi
