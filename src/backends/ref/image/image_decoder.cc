// ImageDecoder: the bytes of an image file [L] -> pixels [H,W,C], u8.
#include "backends/ref/dispatch.h"
#include "backends/ref/image/image.h"
#include "backends/ref/kernels.h"

namespace ingot {

// Gray is ITU-R 601's luma, in 16-bit fixed point.
void ref_ImageDecoder(KernelContext& c) {
  const TensorView& x = c.in(0);
  const auto image = image::decode({x.as<uint8_t>(), static_cast<size_t>(x.num_elements())});
  if (!image) return c.fail(image.error());
  const std::string format = c.node.attributes.get_string("pixel_format", "RGB");
  const bool gray = format == "Grayscale", swap = format == "BGR";
  c.allocate_output(0, Shape{image->height, image->width, gray ? 1 : 3});
  if (!c.has_output(0)) return;  // no memory
  uint8_t* y = c.out(0).as<uint8_t>();
  for (size_t i = 0; i < image->rgb.size(); i += 3) {
    const uint8_t* p = image->rgb.data() + i;
    if (gray) {
      *y++ = static_cast<uint8_t>((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 0x8000u) >> 16);
    } else {
      for (size_t k = 0; k < 3; ++k) *y++ = p[swap ? 2 - k : k];
    }
  }
}

}  // namespace ingot
