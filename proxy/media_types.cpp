#include "proxy/media_types.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

struct Row {
  std::string_view ending;  // lower case
  MediaType type;
};

// Source: the IANA registry of media types; RFC 9239 for JavaScript.
constexpr std::array table = {
    Row{"3gp", {"video/3gpp", false}},
    Row{"7z", {"application/x-7z-compressed", false}},
    Row{"aac", {"audio/aac", false}},
    Row{"apk", {"application/vnd.android.package-archive", false}},
    Row{"apng", {"image/apng", false}},
    Row{"appcache", {"text/cache-manifest; charset=utf-8", true}},
    Row{"atom", {"application/atom+xml", true}},
    Row{"avi", {"video/x-msvideo", false}},
    Row{"avif", {"image/avif", false}},
    Row{"bmp", {"image/bmp", true}},
    Row{"br", {"application/octet-stream", false}},
    Row{"bz2", {"application/x-bzip2", false}},
    Row{"crt", {"application/x-x509-ca-cert", false}},
    Row{"css", {"text/css; charset=utf-8", true}},
    Row{"csv", {"text/csv; charset=utf-8", true}},
    Row{"cur", {"image/x-icon", true}},
    Row{"doc", {"application/msword", true}},
    Row{"docx", {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", false}},
    Row{"eot", {"application/vnd.ms-fontobject", true}},
    Row{"epub", {"application/epub+zip", false}},
    Row{"flac", {"audio/flac", false}},
    Row{"geojson", {"application/geo+json", true}},
    Row{"gif", {"image/gif", false}},
    Row{"glb", {"model/gltf-binary", false}},
    Row{"gltf", {"model/gltf+json", true}},
    Row{"gz", {"application/gzip", false}},
    Row{"heic", {"image/heic", false}},
    Row{"htm", {"text/html; charset=utf-8", true}},
    Row{"html", {"text/html; charset=utf-8", true}},
    Row{"ico", {"image/x-icon", true}},
    Row{"ics", {"text/calendar; charset=utf-8", true}},
    Row{"jar", {"application/java-archive", false}},
    Row{"jpeg", {"image/jpeg", false}},
    Row{"jpg", {"image/jpeg", false}},
    Row{"js", {"text/javascript; charset=utf-8", true}},
    Row{"json", {"application/json", true}},
    Row{"jsonld", {"application/ld+json", true}},
    Row{"jxl", {"image/jxl", false}},
    Row{"log", {"text/plain; charset=utf-8", true}},
    Row{"m3u8", {"application/vnd.apple.mpegurl", true}},
    Row{"m4a", {"audio/mp4", false}},
    Row{"m4v", {"video/mp4", false}},
    Row{"map", {"application/json", true}},
    Row{"md", {"text/markdown; charset=utf-8", true}},
    Row{"mid", {"audio/midi", false}},
    Row{"mjs", {"text/javascript; charset=utf-8", true}},
    Row{"mkv", {"video/x-matroska", false}},
    Row{"mov", {"video/quicktime", false}},
    Row{"mp3", {"audio/mpeg", false}},
    Row{"mp4", {"video/mp4", false}},
    Row{"mpd", {"application/dash+xml", true}},
    Row{"mpeg", {"video/mpeg", false}},
    Row{"mpg", {"video/mpeg", false}},
    Row{"odp", {"application/vnd.oasis.opendocument.presentation", false}},
    Row{"ods", {"application/vnd.oasis.opendocument.spreadsheet", false}},
    Row{"odt", {"application/vnd.oasis.opendocument.text", false}},
    Row{"oga", {"audio/ogg", false}},
    Row{"ogg", {"audio/ogg", false}},
    Row{"ogv", {"video/ogg", false}},
    Row{"opus", {"audio/ogg", false}},
    Row{"otf", {"font/otf", true}},
    Row{"pdf", {"application/pdf", false}},
    Row{"pem", {"application/x-pem-file", false}},
    Row{"png", {"image/png", false}},
    Row{"ppt", {"application/vnd.ms-powerpoint", true}},
    Row{"pptx",
        {"application/vnd.openxmlformats-officedocument.presentationml.presentation", false}},
    Row{"rar", {"application/vnd.rar", false}},
    Row{"rss", {"application/rss+xml", true}},
    Row{"rtf", {"application/rtf", true}},
    Row{"srt", {"text/plain; charset=utf-8", true}},
    Row{"svg", {"image/svg+xml", true}},
    Row{"svgz", {"image/svg+xml", false}},
    Row{"tar", {"application/x-tar", true}},
    Row{"text", {"text/plain; charset=utf-8", true}},
    Row{"tgz", {"application/gzip", false}},
    Row{"tif", {"image/tiff", false}},
    Row{"tiff", {"image/tiff", false}},
    Row{"ts", {"video/mp2t", false}},
    Row{"ttf", {"font/ttf", true}},
    Row{"txt", {"text/plain; charset=utf-8", true}},
    Row{"vcf", {"text/vcard; charset=utf-8", true}},
    Row{"vtt", {"text/vtt; charset=utf-8", true}},
    Row{"wasm", {"application/wasm", true}},
    Row{"wav", {"audio/wav", false}},
    Row{"weba", {"audio/webm", false}},
    Row{"webm", {"video/webm", false}},
    Row{"webmanifest", {"application/manifest+json", true}},
    Row{"webp", {"image/webp", false}},
    Row{"woff", {"font/woff", false}},
    Row{"woff2", {"font/woff2", false}},
    Row{"xhtm", {"application/xhtml+xml", true}},
    Row{"xhtml", {"application/xhtml+xml", true}},
    Row{"xls", {"application/vnd.ms-excel", true}},
    Row{"xlsx", {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false}},
    Row{"xml", {"text/xml; charset=utf-8", true}},
    Row{"xsl", {"text/xml; charset=utf-8", true}},
    Row{"xz", {"application/x-xz", false}},
    Row{"yaml", {"application/yaml; charset=utf-8", true}},
    Row{"yml", {"application/yaml; charset=utf-8", true}},
    Row{"zip", {"application/zip", false}},
    Row{"zst", {"application/zstd", false}},
};
static_assert(std::is_sorted(table.begin(), table.end(),
                             [](const Row& a, const Row& b) { return a.ending < b.ending; }));

constexpr std::size_t ending_bytes_max = 11;  // webmanifest
constexpr MediaType unknown_type{"application/octet-stream", false};

}  // namespace

MediaType media_type_of(std::string_view path) noexcept {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || path.size() - dot - 1 > ending_bytes_max) {
    return unknown_type;
  }
  char lower[ending_bytes_max];
  const std::string_view written = path.substr(dot + 1);
  std::transform(written.begin(), written.end(), lower, ascii_lower);
  const std::string_view ending(lower, written.size());
  const auto row = std::lower_bound(
      table.begin(), table.end(), ending,
      [](const Row& candidate, std::string_view wanted) { return candidate.ending < wanted; });
  return row != table.end() && row->ending == ending ? row->type : unknown_type;
}

}  // namespace portero::proxy
