// JPEG 2000, by OpenJPEG: gray or RGB, every channel of the image's size.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "backends/ref/image/image.h"

namespace ingot::image {
namespace {

// What OpenJPEG reads from.
struct Source {
  Bytes file;
  size_t at = 0;
  std::string message;
};
Source& source(void* user) { return *static_cast<Source*>(user); }

OPJ_SIZE_T read_bytes(void* to, OPJ_SIZE_T size, void* user) {
  Source& s = source(user);
  const size_t n = std::min<size_t>(size, s.file.size() - s.at);
  if (n == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(to, s.file.data() + s.at, n);
  s.at += n;
  return n;
}
OPJ_OFF_T skip_bytes(OPJ_OFF_T count, void* user) {
  Source& s = source(user);
  if (count < 0 || static_cast<size_t>(count) > s.file.size() - s.at) return -1;
  s.at += static_cast<size_t>(count);
  return count;
}
OPJ_BOOL seek_to(OPJ_OFF_T at, void* user) {
  Source& s = source(user);
  if (at < 0 || static_cast<size_t>(at) > s.file.size()) return OPJ_FALSE;
  s.at = static_cast<size_t>(at);
  return OPJ_TRUE;
}
void keep_message(const char* text, void* user) {
  Source& s = source(user);
  if (s.message.empty()) s.message = std::string(text).substr(0, 200);
  while (s.message.ends_with('\n')) s.message.pop_back();
}

// Errors: channels of other sizes than the image's, other colors than gray and RGB.
Result<Image> check_channels(const opj_image_t& image) {
  const int64_t width = static_cast<int64_t>(image.x1) - image.x0, height = static_cast<int64_t>(image.y1) - image.y0;
  if (image.numcomps < 1 || image.numcomps > 4) return unimplemented("[jpeg2000] {} channels", image.numcomps);
  if (image.color_space == OPJ_CLRSPC_SYCC || image.color_space == OPJ_CLRSPC_EYCC ||
      image.color_space == OPJ_CLRSPC_CMYK)
    return unimplemented("[jpeg2000] colors that are neither gray nor RGB");
  for (uint32_t i = 0; i < image.numcomps; ++i) {
    const opj_image_comp_t& c = image.comps[i];
    if (c.w != width || c.h != height || c.prec < 1 || c.prec > 16)
      return unimplemented("[jpeg2000] channel {} has {} x {} pixels of {} bits in an image of {} x {}", i, c.w, c.h,
                           c.prec, width, height);
  }
  return make_image(width, height);
}

}  // namespace

Result<Image> decode_jpeg2000(Bytes f) {
  Source s{.file = f, .message = {}};
  const std::unique_ptr<opj_stream_t, void (*)(opj_stream_t*)> stream(opj_stream_default_create(OPJ_TRUE),
                                                                      [](opj_stream_t* p) { opj_stream_destroy(p); });
  const std::unique_ptr<opj_codec_t, void (*)(opj_codec_t*)> codec(
      opj_create_decompress(f[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2),
      [](opj_codec_t* p) { opj_destroy_codec(p); });
  if (!stream || !codec) return error(Code::kResourceExhausted, "[jpeg2000] no memory for a decoder");
  opj_stream_set_user_data(stream.get(), &s, nullptr);
  opj_stream_set_user_data_length(stream.get(), f.size());
  opj_stream_set_read_function(stream.get(), read_bytes);
  opj_stream_set_skip_function(stream.get(), skip_bytes);
  opj_stream_set_seek_function(stream.get(), seek_to);
  opj_set_error_handler(codec.get(), keep_message, &s);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* raw = nullptr;
  const bool opened = opj_setup_decoder(codec.get(), &parameters) && opj_read_header(stream.get(), codec.get(), &raw);
  const std::unique_ptr<opj_image_t, void (*)(opj_image_t*)> source_image(raw, opj_image_destroy);
  if (!opened || !raw) return invalid("[jpeg2000] {}", s.message.empty() ? "the header is damaged" : s.message);
  Image image = INGOT_TRY(check_channels(*raw));
  if (!opj_decode(codec.get(), stream.get(), raw)) return invalid("[jpeg2000] {}", s.message);
  for (uint32_t k = 0; k < 3; ++k) {
    const opj_image_comp_t& c = raw->comps[raw->numcomps < 3 ? 0 : k];
    if (!c.data || c.w != image.width || c.h != image.height) return invalid("[jpeg2000] a channel has no pixels");
    for (size_t i = 0; i < image.rgb.size() / 3; ++i) {
      const int64_t v = static_cast<int64_t>(c.data[i]) + (c.sgnd ? int64_t{1} << (c.prec - 1) : 0);
      const int64_t byte = c.prec > 8 ? v >> (c.prec - 8) : v * 255 / ((1 << c.prec) - 1);
      image.rgb[3 * i + k] = static_cast<uint8_t>(std::clamp<int64_t>(byte, 0, 255));
    }
  }
  return image;
}

}  // namespace ingot::image
