#include "base/partial_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ingot {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes(std::string_view s) { return std::as_bytes(std::span(s)); }

class Partial : public testing::Test {
 protected:
  Partial() {
    std::string name = (fs::temp_directory_path() / "ingot-partial-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = (folder_ / "x.bin").string();
    std::ofstream(path_) << "old";
  }
  ~Partial() override { fs::remove_all(folder_); }
  std::string text() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})); }
  fs::path folder_;
  std::string path_;
};

TEST_F(Partial, has_its_name_only_when_it_is_whole) {
  {
    PartialFile file("test", path_);
    ASSERT_TRUE(file.open());
    ASSERT_TRUE(file.write(bytes("new")));
    EXPECT_EQ(text(), "old");
  }
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(files(), 1U);
  PartialFile file("test", path_), other("test", path_);
  ASSERT_TRUE(file.open());
  ASSERT_TRUE(other.open());
  ASSERT_TRUE(file.write(bytes("first")));
  ASSERT_TRUE(other.write(bytes("second")));
  ASSERT_TRUE(file.commit());
  EXPECT_EQ(text(), "first");
  ASSERT_TRUE(other.commit());
  EXPECT_EQ(text(), "second");
  EXPECT_EQ(files(), 1U);
}

TEST_F(Partial, leaves_a_device_where_it_is) {
  fs::create_symlink("/dev/null", folder_ / "device");
  PartialFile file("test", (folder_ / "device").string());
  ASSERT_TRUE(file.open());
  ASSERT_TRUE(file.write(bytes("new")));
  ASSERT_TRUE(file.commit());
  EXPECT_TRUE(fs::is_symlink(folder_ / "device"));
}

TEST_F(Partial, says_what_it_cannot_write) {
  PartialFile file("test", (folder_ / "no" / "x").string());
  const auto opened = file.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kNotFound);
  EXPECT_TRUE(opened.error().message().starts_with("[test] cannot write '")) << opened.error().message();
  PartialFile full("test", "/dev/full");
  ASSERT_TRUE(full.open());
  const auto written = full.write(bytes("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace ingot
