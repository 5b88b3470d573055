// PNM: bitmaps, gray maps and pixel maps, as text (P1 to P3) or binary (P4 to P6). Source: Netpbm's descriptions.
#include "backends/ref/image/image.h"

namespace ingot::image {
namespace {

constexpr int64_t kValueMax = 65535;

class Reader {
 public:
  explicit Reader(Bytes f) : file_(f) {}

  // The next number in text; white space and comments before it are skipped. -1: there is none.
  int64_t number() {
    skip();
    if (at_ >= file_.size() || !is_digit(file_[at_])) return -1;
    int64_t v = 0;
    for (; at_ < file_.size() && is_digit(file_[at_]); ++at_)
      if (v <= kValueMax * 10) v = v * 10 + (file_[at_] - '0');
    return v;
  }
  // One digit of a bitmap in text.
  int64_t bit() {
    skip();
    if (at_ >= file_.size() || (file_[at_] != '0' && file_[at_] != '1')) return -1;
    return file_[at_++] - '0';
  }
  void one_space() { ++at_; }
  size_t left() const { return at_ < file_.size() ? file_.size() - at_ : 0; }
  uint8_t byte() { return file_[at_++]; }

 private:
  static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
  void skip() {
    for (; at_ < file_.size(); ++at_) {
      if (file_[at_] == '#')
        while (at_ < file_.size() && file_[at_] != '\n') ++at_;
      else if (file_[at_] != ' ' && (file_[at_] < '\t' || file_[at_] > '\r'))
        return;
    }
  }

  Bytes file_;
  size_t at_ = 2;
};

}  // namespace

Result<Image> decode_pnm(Bytes f) {
  Reader in(f);
  const int kind = f[1] - '0';
  const bool binary = kind > 3, bitmap = kind % 3 == 1;
  const int64_t channels = kind % 3 == 0 ? 3 : 1;
  const int64_t width = in.number(), height = in.number(), top = bitmap ? 1 : in.number();
  if (top < 1 || top > kValueMax) return invalid("[pnm] the largest value is {}", top);
  if (width < 1 || height < 1 || width > kSideMax || height > kSideMax)
    return invalid("[pnm] has {} x {} pixels", width, height);
  in.one_space();
  const int64_t row_bytes = bitmap ? (width + 7) / 8 : width * channels * (top > 255 ? 2 : 1);
  const size_t least = static_cast<size_t>(binary ? height * row_bytes : height * width * channels);
  if (in.left() < least) return invalid("[pnm] {} x {} pixels do not fit into {} bytes", width, height, in.left());
  Image image = INGOT_TRY(make_image(width, height));
  uint8_t* out = image.rgb.data();
  for (int64_t y = 0; y < height; ++y) {
    uint8_t bits = 0;
    for (int64_t x = 0; x < width; ++x, out += 3) {
      for (int64_t k = 0; k < channels; ++k) {
        int64_t v = 0;
        if (binary && bitmap) {
          if (x % 8 == 0) bits = in.byte();
          v = bits >> (7 - x % 8) & 1;
        } else if (binary) {
          v = in.byte();
          if (top > 255) v = v << 8 | in.byte();
        } else {
          v = bitmap ? in.bit() : in.number();
        }
        if (v < 0 || v > top) return invalid("[pnm] pixel {}, {} has value {} of {}", x, y, v, top);
        if (bitmap) v = 1 - v;  // 1 is black
        out[k] = static_cast<uint8_t>((v * 255 + top / 2) / top);
      }
      if (channels == 1) out[1] = out[2] = out[0];
    }
  }
  return image;
}

}  // namespace ingot::image
