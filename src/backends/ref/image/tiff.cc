// TIFF, by libtiff; the first image of a file. Its messages are kept, its allocations limited.
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "backends/ref/image/image.h"

namespace ingot::image {
namespace {

constexpr tmsize_t kAllocationBytesMax = tmsize_t{1} << 30;

// What libtiff reads from.
struct Source {
  Bytes file;
  uint64_t at = 0;
  std::string message;
};
Source& source(thandle_t h) { return *static_cast<Source*>(h); }

tmsize_t read_bytes(thandle_t h, void* to, tmsize_t size) {
  Source& s = source(h);
  const uint64_t left = s.at < s.file.size() ? s.file.size() - s.at : 0;
  const uint64_t n = std::min(left, static_cast<uint64_t>(std::max<tmsize_t>(size, 0)));
  if (n) std::memcpy(to, s.file.data() + s.at, n);
  s.at += n;
  return static_cast<tmsize_t>(n);
}
tmsize_t write_bytes(thandle_t, void*, tmsize_t) { return 0; }
toff_t seek(thandle_t h, toff_t offset, int whence) {
  Source& s = source(h);
  s.at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? s.at + offset : s.file.size() + offset;
  return s.at;
}
int close_nothing(thandle_t) { return 0; }
toff_t size_of(thandle_t h) { return source(h).file.size(); }
int map_nothing(thandle_t, void**, toff_t*) { return 0; }
void unmap_nothing(thandle_t, void*, toff_t) {}

__attribute__((format(printf, 4, 0))) int keep_message(TIFF*, void* user, const char*, const char* format,
                                                       va_list list) {
  char text[200];
  std::vsnprintf(text, sizeof text, format, list);
  if (auto* s = static_cast<Source*>(user); s->message.empty()) s->message = text;
  return 1;
}
__attribute__((format(printf, 4, 0))) int ignore_message(TIFF*, void*, const char*, const char*, va_list) { return 1; }

}  // namespace

Result<Image> decode_tiff(Bytes f) {
  Source s{.file = f, .message = {}};
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  if (!options) return error(Code::kResourceExhausted, "[tiff] no memory");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kAllocationBytesMax);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &s);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_message, &s);
  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(
      TIFFClientOpenExt("memory", "rm", &s, read_bytes, write_bytes, seek, close_nothing, size_of, map_nothing,
                        unmap_nothing, options.get()),
      TIFFClose);
  if (!tiff) return invalid("[tiff] {}", s.message);
  uint32_t width = 0, height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  Image image = INGOT_TRY(make_image(width, height));
  char why[1024] = "";
  if (!TIFFRGBAImageOK(tiff.get(), why)) return unimplemented("[tiff] {}", why);
  // Colors are not multiplied by alpha where it is said that they were already.
  uint16_t extra = 0;
  const uint16_t *kinds = nullptr, done = EXTRASAMPLE_ASSOCALPHA;
  if (TIFFGetField(tiff.get(), TIFFTAG_EXTRASAMPLES, &extra, &kinds) && extra == 1)
    TIFFSetField(tiff.get(), TIFFTAG_EXTRASAMPLES, extra, &done);
  std::vector<uint32_t> pixels(static_cast<size_t>(width) * height);
  if (!TIFFReadRGBAImageOriented(tiff.get(), width, height, pixels.data(), ORIENTATION_TOPLEFT, 1))
    return invalid("[tiff] {}", s.message);
  for (size_t i = 0; i < pixels.size(); ++i) {
    image.rgb[3 * i] = TIFFGetR(pixels[i]);
    image.rgb[3 * i + 1] = TIFFGetG(pixels[i]);
    image.rgb[3 * i + 2] = TIFFGetB(pixels[i]);
  }
  return image;
}

}  // namespace ingot::image
