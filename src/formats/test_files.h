// What the tests of formats/ share: the golden files, a temporary folder, bytes in and out.
// Used by *_test.cc only. Ownership: TempFolder removes itself. Thread-safety: none.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "formats/source.h"

namespace ingot {

inline std::string golden(std::string_view name) {
  return std::string(INGOT_SOURCE_DIR) + "/tests/goldens/formats/" + std::string(name);
}

inline std::vector<std::byte> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
inline void write_text(const std::string& path, std::string_view text) {
  write_bytes(path, std::as_bytes(std::span(text)));
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ingot-formats-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline uint64_t fnv1a64(std::span<const std::byte> bytes) {
  uint64_t h = 0xCBF29CE484222325u;
  for (std::byte b : bytes) h = (h ^ static_cast<uint8_t>(b)) * 0x100000001B3u;
  return h;
}

inline std::span<const std::byte> bytes_of(const TensorView& view) {
  return {static_cast<const std::byte*>(view.data), view.num_bytes()};
}

// A file with one byte changed or cut short, at 1,000 seeded places.
inline void for_each_damage(const std::string& whole, uint32_t seed, const auto& visit) {
  std::mt19937 random(seed);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = whole;
    const size_t at = random() % bytes.size();
    if (i % 4 == 0)
      bytes.resize(at);
    else
      bytes[at] = static_cast<char>(random());
    visit(bytes);
  }
}

// One seeded injury: cut short, bits flipped, or a number overwritten by an absurd one.
inline std::vector<std::byte> corrupt(std::vector<std::byte> bytes, uint32_t seed) {
  std::mt19937_64 rng(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(rng() % n); };
  switch (seed % 3) {
    case 0: bytes.resize(1 + below(bytes.size() - 1)); break;
    case 1:
      for (size_t i = 0, n = 1 + below(4); i < n; ++i)
        bytes[below(bytes.size())] ^= static_cast<std::byte>(1 + below(255));
      break;
    default: {
      constexpr uint64_t kAbsurd[] = {0,          1,          0x7F,       0xFFFF,    0x7FFFFFFF, 0xFFFFFFFF,
                                      1ull << 20, 1ull << 40, 1ull << 62, INT64_MAX, UINT64_MAX, UINT64_MAX - 31};
      const uint64_t value = kAbsurd[below(std::size(kAbsurd))];
      const size_t width = rng() % 2 ? 4 : 8;
      const size_t at = below(bytes.size() - width);
      std::memcpy(bytes.data() + at, &value, width);
    }
  }
  return bytes;
}

}  // namespace ingot
