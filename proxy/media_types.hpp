// Content-Type by the ending of a file's name, and which types are worth compressing.
// Pure. Thread: any (constant data).
#pragma once

#include <string_view>

namespace portero::proxy {

struct MediaType {
  std::string_view text;      // "text/html; charset=utf-8"
  bool compressible = false;  // text of some kind: not packed already
};

// By the last ".xyz" of a path, without regard to case. Unknown: application/octet-stream.
MediaType media_type_of(std::string_view path) noexcept;

}  // namespace portero::proxy
