#include "backends/ref/image/image.h"

#include <gtest/gtest.h>

#include <string>

namespace ingot::image {
namespace {

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): there is no other way

Result<Image> decode_text(const std::string& s) {
  return decode({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
}
std::string error_of(const std::string& s) {
  const auto image = decode_text(s);
  return image ? "" : image.error().message();
}

std::string little_endian(std::initializer_list<std::pair<uint32_t, int>> numbers) {
  std::string out;
  for (const auto& [v, bytes] : numbers)
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i));
  return out;
}

// A 24-bit BMP of this size, whose pixels follow.
std::string bmp(uint32_t width, uint32_t height, const std::string& pixels) {
  return "BM" +
         little_endian({{0, 4},
                        {0, 4},
                        {54, 4},
                        {40, 4},
                        {width, 4},
                        {height, 4},
                        {1, 2},
                        {24, 2},
                        {0, 4},
                        {0, 4},
                        {0, 4},
                        {0, 4},
                        {0, 4},
                        {0, 4}}) +
         pixels;
}

TEST(Image, bmp_rows_lie_bottom_up_in_blue_green_red) {
  const auto image = decode_text(bmp(1, 2, std::string("\1\2\3\0\4\5\6\0", 8)));
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(image->rgb, (std::vector<uint8_t>{6, 5, 4, 3, 2, 1}));
}

TEST(Image, pnm_text_and_binary_are_the_same) {
  const auto a = decode_text("P3 # a comment\n2 1 255 1 2 3 4 5 6"), b = decode_text("P6 2 1 255\n\1\2\3\4\5\6");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->rgb, b->rgb);
  EXPECT_EQ(a->rgb, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Image, hostile_sizes_and_cut_files_are_refused) {
  EXPECT_NE(error_of(bmp(1 << 30, 1 << 30, "")), "");
  EXPECT_NE(error_of(bmp(0, 1, "")), "");
  EXPECT_NE(error_of("P6 60000 60000 255\n"), "");
  EXPECT_NE(error_of("P6 2 1 255\n\1\2"), "");
  EXPECT_NE(error_of("BM"), "");
  EXPECT_NE(error_of(""), "");
  const std::pair<std::string_view, std::string_view> cut[] = {{"\xff\xd8\xff"sv, "[image] has 0 x 0"},
                                                               {"\x89PNG\r\n\x1a\n"sv, "[png]"},
                                                               {"RIFF\0\0\0\0WEBP"sv, "[webp]"},
                                                               {"II\x2a\0"sv, "[tiff]"},
                                                               {"\xff\x4f\xff\x51"sv, "[jpeg2000]"}};
  for (const auto& [magic, tag] : cut)
    EXPECT_EQ(error_of(std::string(magic) + std::string(40, '\0')).substr(0, tag.size()), tag);
}

}  // namespace
}  // namespace ingot::image
