// WebP, by libwebp; of an animation nothing.
#include <webp/decode.h>

#include "backends/ref/image/image.h"

namespace ingot::image {

Result<Image> decode_webp(Bytes f) {
  int width = 0, height = 0;
  if (!WebPGetInfo(f.data(), f.size(), &width, &height)) return invalid("[webp] the header is damaged");
  Image image = INGOT_TRY(make_image(width, height));
  if (!WebPDecodeRGBInto(f.data(), f.size(), image.rgb.data(), image.rgb.size(), width * 3))
    return invalid("[webp] {} x {} pixels: the file is damaged, cut off or an animation", width, height);
  return image;
}

}  // namespace ingot::image
