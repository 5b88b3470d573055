// BMP: palettes of 1, 4 and 8 bits, 16, 24 and 32 bits a pixel with or without masks; not run-length encoded.
// Source: the BITMAPFILEHEADER and BITMAPINFOHEADER structures of Windows' documentation.
#include <bit>

#include "backends/ref/image/image.h"

namespace ingot::image {
namespace {

constexpr size_t kFileHeader = 14, kCoreHeader = 12, kInfoHeader = 40;
constexpr uint32_t kUncompressed = 0, kBitFields = 3, kAlphaBitFields = 6;

// Little-endian numbers; 0 past the end.
uint32_t number(Bytes f, size_t at, int bytes) {
  uint32_t v = 0;
  for (int i = 0; i < bytes; ++i)
    if (at + static_cast<size_t>(i) < f.size()) v |= static_cast<uint32_t>(f[at + static_cast<size_t>(i)]) << (8 * i);
  return v;
}

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  int bits = 0;
  size_t pixels = 0, palette = 0, palette_entry = 4, palette_size = 0;
  uint32_t masks[3] = {};
};

Result<Header> read_header(Bytes f) {
  Header h;
  h.pixels = number(f, 10, 4);
  const size_t size = number(f, kFileHeader, 4);
  uint32_t compression = kUncompressed;
  if (f.size() < kFileHeader + kCoreHeader) return invalid("[bmp] the file ends in its header");
  if (size == kCoreHeader) {
    h.width = number(f, 18, 2), h.height = number(f, 20, 2), h.bits = static_cast<int>(number(f, 24, 2));
    h.palette_entry = 3;
  } else if (size >= kInfoHeader && size <= 1024) {
    h.width = static_cast<int32_t>(number(f, 18, 4)), h.height = static_cast<int32_t>(number(f, 22, 4));
    h.bits = static_cast<int>(number(f, 28, 2));
    compression = number(f, 30, 4);
    h.palette_size = number(f, 46, 4);
  } else {
    return unimplemented("[bmp] a header of {} bytes", size);
  }
  h.top_down = h.height < 0;
  if (h.top_down) h.height = -h.height;
  h.palette = kFileHeader + size;
  if (h.bits == 16) h.masks[0] = 0x7c00, h.masks[1] = 0x03e0, h.masks[2] = 0x001f;
  if (h.bits == 32) h.masks[0] = 0xff0000, h.masks[1] = 0xff00, h.masks[2] = 0xff;
  if (compression == kBitFields || compression == kAlphaBitFields) {
    for (size_t i = 0; i < 3; ++i) h.masks[i] = number(f, kFileHeader + kInfoHeader + 4 * i, 4);
  } else if (compression != kUncompressed) {
    return unimplemented("[bmp] compression {}: only uncompressed pixels are read", compression);
  }
  const bool known = h.bits == 1 || h.bits == 4 || h.bits == 8 || h.bits == 16 || h.bits == 24 || h.bits == 32;
  if (!known) return unimplemented("[bmp] {} bits a pixel", h.bits);
  if (h.palette_size == 0 || h.palette_size > 256) h.palette_size = size_t{1} << std::min(h.bits, 8);
  return h;
}

// The bits of a mask, widened to 8.
uint8_t channel(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const uint32_t top = mask >> std::countr_zero(mask), v = (pixel & mask) >> std::countr_zero(mask);
  return static_cast<uint8_t>((static_cast<uint64_t>(v) * 255 + top / 2) / top);
}

void read_row(Bytes f, const Header& h, size_t begin, uint8_t* out) {
  for (int64_t x = 0; x < h.width; ++x, out += 3) {
    const size_t at = begin + static_cast<size_t>(x * h.bits / 8);
    if (h.bits <= 8) {
      const int shift = 8 - h.bits - static_cast<int>(x * h.bits % 8);
      const size_t index = f[at] >> shift & ((1 << h.bits) - 1);
      const size_t entry = h.palette + std::min(index, h.palette_size - 1) * h.palette_entry;
      for (size_t k = 0; k < 3; ++k) out[k] = static_cast<uint8_t>(number(f, entry + 2 - k, 1));
    } else if (h.bits == 24) {
      for (size_t k = 0; k < 3; ++k) out[k] = f[at + 2 - k];
    } else {
      const uint32_t pixel = number(f, at, h.bits / 8);
      for (size_t k = 0; k < 3; ++k) out[k] = channel(pixel, h.masks[k]);
    }
  }
}

}  // namespace

Result<Image> decode_bmp(Bytes f) {
  const Header h = INGOT_TRY(read_header(f));
  const size_t row = static_cast<size_t>((h.width * h.bits + 31) / 32 * 4);
  if (h.width < 1 || h.height < 1 || h.pixels > f.size() || (f.size() - h.pixels) / row < static_cast<size_t>(h.height))
    return invalid("[bmp] {} x {} pixels do not fit into the file's {} bytes", h.width, h.height, f.size());
  Image image = INGOT_TRY(make_image(h.width, h.height));
  for (int64_t y = 0; y < h.height; ++y) {
    const int64_t at = h.top_down ? y : h.height - 1 - y;
    read_row(f, h, h.pixels + static_cast<size_t>(at) * row, image.rgb.data() + y * h.width * 3);
  }
  return image;
}

}  // namespace ingot::image
