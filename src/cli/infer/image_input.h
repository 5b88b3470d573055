// An image file as the input of a model: decoded, resized to what the model takes, numbers and layout as its type asks.
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <string>

#include "ir/graph.h"

namespace ingot::cli {

// (v / 255 - mean) / deviation for float inputs, v being a byte of a channel. Byte inputs get bytes.
struct ImageScaling {
  std::array<float, 3> mean{0, 0, 0}, deviation{1, 1, 1};
};

// By the name's ending: .png .jpg .jpeg .bmp .webp .tif .tiff .jp2 .ppm .pgm
bool is_image_file(const std::string& path);

// The input is [N,C,H,W], [N,H,W,C], [C,H,W] or [H,W,C], C of 1 (gray) or 3 (RGB), N = 1; f32, f16, f64 or u8. Sizes
// that are numbers are resized to (linear, antialiased), others are the image's own.
// Errors: kInvalidArgument (no such input, no such image), those of ImageDecoder.
Result<Tensor> read_image(const std::string& path, const Value& input, const ImageScaling& scaling);

}  // namespace ingot::cli
