#include "backends/ref/image/image.h"

#include <cstring>
#include <string_view>

namespace ingot::image {

using namespace std::string_view_literals;

Result<Image> make_image(int64_t width, int64_t height) {
  if (width < 1 || height < 1) return invalid("[image] has {} x {} pixels", width, height);
  if (width > kSideMax || height > kSideMax || width * height > kPixelsMax)
    return error(Code::kResourceExhausted, "[image] {} x {} pixels are over the limits: {} a side, {} in all", width,
                 height, kSideMax, kPixelsMax);
  return Image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
}

Result<Image> decode(Bytes file) {
  const auto begins = [&](std::string_view magic, size_t at = 0) {
    return file.size() >= at + magic.size() && std::memcmp(file.data() + at, magic.data(), magic.size()) == 0;
  };
  if (begins("\x89PNG\r\n\x1a\n")) return decode_png(file);
  if (begins("\xff\xd8\xff")) return decode_jpeg(file);
  if (begins("RIFF") && begins("WEBP", 8)) return decode_webp(file);
  if (begins("II\x2a\0"sv) || begins("MM\0\x2a"sv)) return decode_tiff(file);
  if (begins("\0\0\0\x0cjP  "sv) || begins("\xff\x4f\xff\x51")) return decode_jpeg2000(file);
  if (begins("BM")) return decode_bmp(file);
  if (file.size() > 2 && file[0] == 'P' && file[1] >= '1' && file[1] <= '6') return decode_pnm(file);
  return invalid("[image] {} bytes are no BMP, JPEG, JPEG 2000, PNG, PNM, TIFF or WebP file", file.size());
}

}  // namespace ingot::image
