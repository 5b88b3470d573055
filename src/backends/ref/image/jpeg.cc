// JPEG, by libjpeg-turbo: exact integer transform, smooth upsampling of chroma.
#include <turbojpeg.h>

#include <memory>

#include "backends/ref/image/image.h"

namespace ingot::image {

Result<Image> decode_jpeg(Bytes f) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) return error(Code::kResourceExhausted, "[jpeg] no memory for a decoder");
  int width = 0, height = 0, subsampling = 0, colors = 0;
  const auto fail = [&] { return invalid("[jpeg] {}", tjGetErrorStr2(decoder.get())); };
  if (tjDecompressHeader3(decoder.get(), f.data(), f.size(), &width, &height, &subsampling, &colors) != 0)
    return fail();
  if (colors == TJCS_CMYK || colors == TJCS_YCCK) return unimplemented("[jpeg] CMYK colors");
  Image image = INGOT_TRY(make_image(width, height));
  // Damage that leaves a picture is a warning, as it is elsewhere; a bomb of scans is an error.
  if (tjDecompress2(decoder.get(), f.data(), f.size(), image.rgb.data(), width, 0, height, TJPF_RGB,
                    TJFLAG_LIMITSCANS) != 0 &&
      tjGetErrorCode(decoder.get()) != TJERR_WARNING)
    return fail();
  return image;
}

}  // namespace ingot::image
