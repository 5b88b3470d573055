// Regions of shared memory: names, sizes against the real object, objects that shrink, regions that go while in use.
#include "server/kserve/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "base/limits.h"
#include "server/kserve/infer_codec.h"

namespace ingot::kserve {
namespace {

// A client's object, gone with the test.
class Object {
 public:
  explicit Object(size_t bytes, const char* suffix = "")
      : key_(fmt::format("/ingot_test_{}{}", ::getpid(), suffix)),
        fd_(::shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600)) {
    resize(bytes);
  }
  ~Object() {
    ::shm_unlink(key_.c_str());
    ::close(fd_);
  }
  void resize(size_t bytes) const { EXPECT_EQ(::ftruncate(fd_, static_cast<off_t>(bytes)), 0); }
  void put(off_t at, std::string_view text) const {
    EXPECT_EQ(::pwrite(fd_, text.data(), text.size(), at), static_cast<ssize_t>(text.size()));
  }
  std::string get(off_t at, size_t bytes) const {
    std::string out(bytes, '?');
    EXPECT_EQ(::pread(fd_, out.data(), bytes, at), static_cast<ssize_t>(bytes));
    return out;
  }
  const std::string& key() const { return key_; }

 private:
  std::string key_;
  int fd_;
};

Code code_of(const Result<void>& done) { return done ? Code{} : done.error().code(); }

TEST(SharedRegions, nothing_is_taken_while_they_are_off) {
  SharedRegions off(false);
  EXPECT_EQ(code_of(off.add("r", "/k", 0, 1)), Code::kUnimplemented);
  EXPECT_EQ(code_of(off.remove("")), Code::kUnimplemented);
  EXPECT_EQ(off.list("").error().code(), Code::kUnimplemented);
  EXPECT_EQ(SharedRegions::none().slice("r", 0, 1).error().code(), Code::kUnimplemented);
}

TEST(SharedRegions, only_names_of_objects_are_keys) {
  SharedRegions regions(true);
  for (const char* key :
       {"", "/", "//x", "/a/b", "../etc/passwd", "/..", ".", "/sem.x", "sem.x", "a b", "a\nb", "\x80"})
    EXPECT_EQ(code_of(regions.add("r", key, 0, 1)), Code::kInvalidArgument) << key;
  EXPECT_EQ(code_of(regions.add("r", std::string(300, 'k'), 0, 1)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add("r", std::string("k\0x", 3), 0, 1)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add("r", "/ingot_there_is_no_such_object", 0, 1)), Code::kNotFound);
  EXPECT_EQ(code_of(regions.add("", "/k", 0, 1)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add(std::string(limits::kModelNameBytesMax + 1, 'n'), "/k", 0, 1)), Code::kInvalidArgument);
}

TEST(SharedRegions, a_region_lies_within_its_object_and_a_slice_within_its_region) {
  const Object object(100);
  SharedRegions regions(true);
  const std::string& key = object.key();
  EXPECT_EQ(code_of(regions.add("r", key, 0, 0)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add("r", key, 0, 101)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add("r", key, 90, 11)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add("r", key, UINT64_MAX, 2)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(regions.add("r", key, 2, UINT64_MAX)), Code::kInvalidArgument);
  EXPECT_TRUE(regions.add("r", key.substr(1), 10, 90));  // the slash may be left out
  EXPECT_EQ(code_of(regions.add("r", key, 0, 1)), Code::kAlreadyExists);
  EXPECT_TRUE(regions.slice("r", 89, 1));
  EXPECT_FALSE(regions.slice("r", 90, 1));
  EXPECT_FALSE(regions.slice("r", 1, UINT64_MAX));
  EXPECT_FALSE(regions.slice("s", 0, 1));
  EXPECT_EQ(regions.list("r").value().front()->offset(), 10u);
  EXPECT_EQ(regions.list("s").error().code(), Code::kNotFound);
  object.put(12, "hello");
  EXPECT_EQ(regions.slice("r", 2, 5).value().read().value(), "hello");
  EXPECT_TRUE(regions.slice("r", 2, 5).value().write(std::as_bytes(std::span("HELLO", 5))));
  EXPECT_EQ(object.get(11, 7), std::string("\0HELLO\0", 7));
}

TEST(SharedRegions, an_object_that_shrank_is_an_error_and_not_a_signal) {
  const Object object(1 << 20);
  SharedRegions regions(true);
  ASSERT_TRUE(regions.add("r", object.key(), 0, 1 << 20));
  const SharedSlice slice = regions.slice("r", 0, 1 << 20).value();
  ASSERT_TRUE(slice.read());
  object.resize(4096);
  const auto read = slice.read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::kInvalidArgument);
  EXPECT_NE(read.error().message().find("has 4096 bytes, 1048576 are needed"), std::string::npos);
  const std::string text(1 << 20, 'x');
  EXPECT_FALSE(slice.write(std::as_bytes(std::span(text))));
}

TEST(SharedRegions, a_region_that_is_unregistered_serves_those_who_use_it) {
  std::optional<SharedSlice> slice;
  {
    const Object object(16);
    object.put(0, "still here");
    SharedRegions regions(true);
    ASSERT_TRUE(regions.add("r", object.key(), 0, 16));
    slice = regions.slice("r", 0, 10).value();
    EXPECT_TRUE(regions.remove("r"));
    EXPECT_TRUE(regions.remove("r"));  // it is gone already
    EXPECT_FALSE(regions.slice("r", 0, 10));
    EXPECT_TRUE(regions.list("").value().empty());
  }
  EXPECT_EQ(slice->read().value(), "still here");
}

TEST(SharedRegions, are_limited_in_number) {
  const Object object(16);
  SharedRegions regions(true);
  for (size_t i = 0; i < limits::kSharedRegionsMax; ++i)
    ASSERT_TRUE(regions.add(std::to_string(i), object.key(), 0, 16));
  EXPECT_EQ(code_of(regions.add("more", object.key(), 0, 16)), Code::kResourceExhausted);
  EXPECT_TRUE(regions.remove(""));
  EXPECT_TRUE(regions.add("more", object.key(), 0, 16));
}

TEST(SharedRegions, inputs_and_outputs_of_an_inference_lie_in_them) {
  const Object object(64);
  object.put(8, std::string("\0\0\x80\x3f\0\0\0\x40", 8));  // 1, 2
  SharedRegions regions(true);
  ASSERT_TRUE(regions.add("r", object.key(), 0, 64));
  const std::vector<serving::TensorPort> ports = {{.name = "x", .dtype = DType::kF32, .shape = {-1}}};
  const auto parse = [&](const char* in, const char* out) {
    const std::string body = fmt::format(R"({{"inputs":[{{"name":"x","shape":[2],"datatype":"FP32","parameters":{}}}],)"
                                         R"("outputs":[{{"name":"x","parameters":{}}}]}})",
                                         in, out);
    return parse_infer(body, {}, ports, regions);
  };
  constexpr const char* kIn = R"({"shared_memory_region":"r","shared_memory_offset":8,"shared_memory_byte_size":8})";
  constexpr const char* kOut = R"({"shared_memory_region":"r","shared_memory_offset":32,"shared_memory_byte_size":16})";
  const auto request = parse(kIn, kOut);
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->tensors.inputs[0].tensor.as<float>()[1], 2.0f);
  const serving::TensorAnswer echo{.outputs = {request->tensors.inputs[0]}};
  const auto response = infer_response(*request, echo, "m", 1);
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_NE(response->body.find(R"("shared_memory_offset":32,"shared_memory_byte_size":8)"), std::string::npos);
  EXPECT_EQ(object.get(32, 8), object.get(8, 8));
  const auto small = parse(kIn, R"({"shared_memory_region":"r","shared_memory_byte_size":7})");
  ASSERT_TRUE(small);
  EXPECT_FALSE(infer_response(*small, echo, "m", 1));
  for (const char* bad : {R"({"shared_memory_region":"r"})", R"({"shared_memory_region":5})",
                          R"({"shared_memory_region":"r","shared_memory_byte_size":-1})",
                          R"({"shared_memory_region":"r","shared_memory_byte_size":12})",
                          R"({"shared_memory_region":"s","shared_memory_byte_size":8})",
                          R"({"shared_memory_region":"r","shared_memory_offset":60,"shared_memory_byte_size":8})"})
    EXPECT_FALSE(parse(bad, kOut)) << bad;
}

}  // namespace
}  // namespace ingot::kserve
