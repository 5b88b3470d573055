// Reads the committed goldens of the block formats; tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace ingot::blocks {

// A cursor over a golden file. Reading past the end fails the test and yields zeros.
class Golden {
 public:
  explicit Golden(const std::string& name) {
    std::ifstream file(std::string(INGOT_SOURCE_DIR) + "/tests/goldens/" + name, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    EXPECT_FALSE(bytes_.empty()) << name << " is missing";
  }

  bool at_end() const { return at_ >= bytes_.size(); }

  template <class T>
  std::vector<T> read(size_t count) {
    std::vector<T> out(count);
    if (count * sizeof(T) > bytes_.size() - at_) {
      ADD_FAILURE() << "the golden file is cut short";
      at_ = bytes_.size();
      return out;
    }
    std::memcpy(out.data(), bytes_.data() + at_, count * sizeof(T));
    at_ += count * sizeof(T);
    return out;
  }
  uint32_t read_u32() { return read<uint32_t>(1)[0]; }
  std::string read_name() {
    const auto name = read<char>(16);
    return {name.begin(), std::find(name.begin(), name.end(), '\0')};
  }

 private:
  std::vector<char> bytes_;
  size_t at_ = 0;
};

}  // namespace ingot::blocks
