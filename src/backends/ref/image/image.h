// Images as bytes of a file -> pixels: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP, told apart by their first bytes.
//
// Whatever the file holds becomes 8-bit RGB: gray is repeated, alpha dropped, 16 bits cut to 8. Files are hostile:
// sizes are checked before memory is asked for, and a decoder's own errors and limits become a Status. Thread-safety:
// pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace ingot::image {

inline constexpr int64_t kSideMax = 65535, kPixelsMax = 1 << 26;

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  // height rows of width pixels
};
using Bytes = std::span<const uint8_t>;

// Errors: kInvalidArgument (not such a file, damaged), kResourceExhausted (too large), kUnimplemented (a variant that
// is not decoded).
Result<Image> decode(Bytes file);

// One format each; `file` begins with its signature.
Result<Image> decode_bmp(Bytes file);
Result<Image> decode_jpeg(Bytes file);
Result<Image> decode_jpeg2000(Bytes file);
Result<Image> decode_png(Bytes file);
Result<Image> decode_pnm(Bytes file);
Result<Image> decode_tiff(Bytes file);
Result<Image> decode_webp(Bytes file);

// An image of this size, black. Errors: kInvalidArgument (no pixels), kResourceExhausted (over the limits).
Result<Image> make_image(int64_t width, int64_t height);

}  // namespace ingot::image
