// Handles, statuses, options and tensors of the C interface.
#include <cstdint>

#include "capi/capi_check.h"

namespace ingot::capi {
namespace {

TEST(CapiHandles, null_stale_and_foreign_handles_are_errors) {
  ingot_value* value = nullptr;
  const int64_t dims[] = {2};
  ASSERT_TRUE(succeeded(ingot_tensor_create(INGOT_FLOAT32, dims, 1, &value)));
  ingot_dtype dtype = 0;
  EXPECT_TRUE(succeeded(ingot_tensor_get_dtype(value, &dtype)));
  EXPECT_EQ(dtype, INGOT_FLOAT32);
  EXPECT_EQ(text_of(ingot_tensor_get_dtype(nullptr, &dtype)), "INVALID_ARGUMENT [capi] argument 'value' is NULL");
  EXPECT_EQ(text_of(ingot_tensor_get_dtype(value, nullptr)), "INVALID_ARGUMENT [capi] argument 'dtype' is NULL");
  int unrelated = 0;
  for (void* wrong :
       {static_cast<void*>(&unrelated), reinterpret_cast<void*>(uintptr_t{1}), reinterpret_cast<void*>(~uintptr_t{0})})
    EXPECT_EQ(code_of(ingot_tensor_get_dtype(static_cast<ingot_value*>(wrong), &dtype)), INGOT_INVALID_ARGUMENT);
  EXPECT_EQ(ingot_session_num_inputs(reinterpret_cast<ingot_session*>(value)), 0U) << "a value is no session";
  EXPECT_EQ(ingot_text_data(reinterpret_cast<ingot_text*>(value)), nullptr);
  ingot_value_release(value);
  ingot_value_release(value);
  ingot_value_release(nullptr);
  EXPECT_NE(text_of(ingot_tensor_get_dtype(value, &dtype)).find("released"), std::string::npos);
  ingot_value* other = nullptr;
  ASSERT_TRUE(succeeded(ingot_tensor_create(INGOT_INT64, dims, 1, &other)));
  EXPECT_EQ(code_of(ingot_tensor_get_dtype(value, &dtype)), INGOT_INVALID_ARGUMENT) << "its place was used again";
  ingot_value_release(other);
}

TEST(CapiStatus, names_code_and_message_until_it_is_released) {
  ingot_status* status = ingot_options_set(nullptr, "threads", "1");
  EXPECT_EQ(ingot_status_code(status), INGOT_INVALID_ARGUMENT);
  EXPECT_STREQ(ingot_status_message(status), "[capi] argument 'options' is NULL");
  ingot_status_release(status);
  EXPECT_EQ(ingot_status_code(status), INGOT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(ingot_status_message(status)).find("released"), std::string::npos);
  EXPECT_EQ(ingot_status_code(nullptr), INGOT_OK);
  EXPECT_STREQ(ingot_status_message(nullptr), "");
  EXPECT_STREQ(ingot_code_name(INGOT_DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED");
  EXPECT_STREQ(ingot_code_name(99), "UNKNOWN");
  EXPECT_STREQ(ingot_dtype_name(INGOT_BFLOAT16), "bf16");
  EXPECT_STREQ(ingot_dtype_name(77), "");
  EXPECT_GE(ingot_abi_version(), 1U);
}

TEST(CapiOptions, refuse_what_they_do_not_know) {
  ingot_options* o = nullptr;
  ASSERT_TRUE(succeeded(ingot_options_create(&o)));
  EXPECT_TRUE(succeeded(ingot_options_set(o, "threads", "3")));
  EXPECT_TRUE(succeeded(ingot_options_set(o, "disabled_passes", "fuse_conv,eliminate")));
  EXPECT_EQ(text_of(ingot_options_set(o, "threads", "many")),
            "INVALID_ARGUMENT [capi] 'threads': 'many' is no integer");
  EXPECT_EQ(text_of(ingot_options_set(o, "threads", "-1")),
            "INVALID_ARGUMENT [capi] 'threads': -1 is not in 0 to 1024");
  EXPECT_NE(text_of(ingot_options_set(o, "thread", "1")).find("there are: threads"), std::string::npos);
  EXPECT_NE(text_of(ingot_options_set(o, "backends", "cuda")).find("is none of: cpu ref"), std::string::npos);
  EXPECT_NE(text_of(ingot_options_set(o, "disabled_passes", "nothing")).find("fuse_conv"), std::string::npos);
  EXPECT_TRUE(succeeded(ingot_options_set(o, "kv_type", "q8_0")));
  ingot_session* session = nullptr;
  const std::string model = layer_model();
  EXPECT_EQ(text_of(ingot_session_load_memory(model.data(), model.size(), nullptr, o, &session)),
            "INVALID_ARGUMENT [capi] option 'kv_type' is for language models, and this is none");
  EXPECT_EQ(session, nullptr);
  ingot_options_release(o);
  EXPECT_NE(text_of(ingot_force_isa("pentium")).find("is none of: "), std::string::npos);
}

TEST(CapiTensor, borrows_memory_and_tells_its_owner_when_it_is_free) {
  std::vector<float> data = {1, 2, 3, 4, 5, 6};
  const int64_t dims[] = {2, 3};
  int released = 0;
  const auto release = [](void* memory, void* context) {
    EXPECT_NE(memory, nullptr);
    ++*static_cast<int*>(context);
  };
  ingot_value *value = nullptr, *second = nullptr;
  ASSERT_TRUE(succeeded(ingot_tensor_from_memory(INGOT_FLOAT32, dims, 2, data.data(), 24, release, &released, &value)));
  void* memory = nullptr;
  size_t bytes = 0, rank = 0;
  const int64_t* shape = nullptr;
  ASSERT_TRUE(succeeded(ingot_tensor_get_data(value, &memory, &bytes)));
  EXPECT_EQ(memory, data.data());
  EXPECT_EQ(bytes, 24U);
  ASSERT_TRUE(succeeded(ingot_tensor_get_shape(value, &shape, &rank)));
  EXPECT_EQ(std::vector<int64_t>(shape, shape + rank), (std::vector<int64_t>{2, 3}));
  ASSERT_TRUE(succeeded(ingot_value_share(value, &second)));
  ingot_value_release(value);
  EXPECT_EQ(released, 0);
  ingot_value_release(second);
  EXPECT_EQ(released, 1);

  const auto attempt = [&](ingot_dtype dtype, size_t r, void* d, size_t b) {
    ingot_value* v = nullptr;
    const std::string text = text_of(ingot_tensor_from_memory(dtype, dims, r, d, b, release, &released, &v));
    EXPECT_EQ(v, nullptr);
    return text;
  };
  EXPECT_NE(attempt(INGOT_FLOAT32, 2, data.data(), 20).find("20 bytes, a tensor f32[2,3] has 24"), std::string::npos);
  EXPECT_NE(attempt(INGOT_FLOAT32, 2, reinterpret_cast<char*>(data.data()) + 2, 24).find("aligned to 4"),
            std::string::npos);
  EXPECT_NE(attempt(INGOT_FLOAT32, 2, nullptr, 24).find("'data' is NULL"), std::string::npos);
  EXPECT_NE(attempt(INGOT_FLOAT32, 9, data.data(), 24).find("over the limit of 8"), std::string::npos);
  EXPECT_NE(attempt(99, 2, data.data(), 24).find("99 is no element type"), std::string::npos);
  EXPECT_NE(attempt(INGOT_STRING, 2, data.data(), 24).find("ingot_tensor_from_strings"), std::string::npos);
  EXPECT_EQ(released, 1) << "a function that failed releases nothing";
}

TEST(CapiTensor, refuses_sizes_that_no_memory_holds) {
  ingot_value* value = nullptr;
  const int64_t huge[] = {int64_t{1} << 40, int64_t{1} << 40}, negative[] = {-1}, large[] = {int64_t{1} << 45};
  EXPECT_EQ(code_of(ingot_tensor_create(INGOT_FLOAT32, huge, 2, &value)), INGOT_RESOURCE_EXHAUSTED);
  EXPECT_EQ(code_of(ingot_tensor_create(INGOT_FLOAT32, negative, 1, &value)), INGOT_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(ingot_tensor_create(INGOT_UINT8, large, 1, &value)), INGOT_RESOURCE_EXHAUSTED);
  EXPECT_EQ(value, nullptr);
}

TEST(CapiTensor, holds_strings_with_zeros_inside) {
  const char* texts[] = {"a\0b", "", "größer"};
  const size_t lengths[] = {3, 0, 8};
  const int64_t dims[] = {3};
  ingot_value* value = nullptr;
  ASSERT_TRUE(succeeded(ingot_tensor_from_strings(dims, 1, texts, lengths, &value)));
  const char* text = nullptr;
  size_t length = 0;
  ASSERT_TRUE(succeeded(ingot_tensor_get_string(value, 0, &text, &length)));
  EXPECT_EQ(std::string(text, length), std::string("a\0b", 3));
  ASSERT_TRUE(succeeded(ingot_tensor_get_string(value, 2, &text, nullptr)));
  EXPECT_STREQ(text, "größer");
  EXPECT_EQ(code_of(ingot_tensor_get_string(value, 3, &text, &length)), INGOT_OUT_OF_RANGE);
  void* data = nullptr;
  EXPECT_EQ(code_of(ingot_tensor_get_data(value, &data, nullptr)), INGOT_INVALID_ARGUMENT);
  ingot_value_release(value);
  const char* missing[] = {"x", nullptr, "y"};
  EXPECT_EQ(code_of(ingot_tensor_from_strings(dims, 1, missing, nullptr, &value)), INGOT_INVALID_ARGUMENT);
}

TEST(CapiSequence, copies_its_elements_and_is_not_nested_too_deep) {
  std::vector<float> data = {1, 2};
  ingot_value* element = borrow(data, {2});
  ingot_value* sequence = nullptr;
  ASSERT_TRUE(succeeded(ingot_sequence_create(&element, 1, &sequence)));
  ingot_value_release(element);
  data[0] = 7;  // the caller's again
  ASSERT_TRUE(succeeded(ingot_value_get_element(sequence, 0, &element)));
  void* copied = nullptr;
  ASSERT_TRUE(succeeded(ingot_tensor_get_data(element, &copied, nullptr)));
  EXPECT_EQ(*static_cast<const float*>(copied), 1);
  ingot_value_release(element);
  int depth = 1;
  for (ingot_value* outer = nullptr; depth < 100; ++depth) {
    ingot_status* status = ingot_sequence_create(&sequence, 1, &outer);
    if (status) {
      EXPECT_NE(text_of(status).find("nested deeper than 8"), std::string::npos);
      break;
    }
    ingot_value_release(sequence);
    sequence = outer;
  }
  EXPECT_EQ(depth, 8);
  ingot_value_release(sequence);
}

}  // namespace
}  // namespace ingot::capi
