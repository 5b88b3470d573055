// PNG, by libpng's simplified interface.
#include <png.h>

#include "backends/ref/image/image.h"

namespace ingot::image {

Result<Image> decode_png(Bytes f) {
  png_image info{};
  info.version = PNG_IMAGE_VERSION;
  const auto fail = [&] {
    png_image_free(&info);
    return invalid("[png] {}", info.message);
  };
  if (!png_image_begin_read_from_memory(&info, f.data(), f.size())) return fail();
  info.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits are cut to 8, not taken as linear light
  auto image = make_image(info.width, info.height);
  if (!image) {
    png_image_free(&info);
    return image;
  }
  info.format = PNG_FORMAT_RGBA;  // to drop alpha, not to blend by it
  std::vector<uint8_t> rgba(PNG_IMAGE_SIZE(info));
  if (!png_image_finish_read(&info, nullptr, rgba.data(), 0, nullptr)) return fail();
  for (size_t i = 0; i < rgba.size() / 4; ++i)
    for (size_t k = 0; k < 3; ++k) image->rgb[3 * i + k] = rgba[4 * i + k];
  return image;
}

}  // namespace ingot::image
