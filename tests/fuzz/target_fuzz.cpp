// Request targets and hosts: what was accepted holds no control byte, dot segment or empty segment,
// decoding it a second time changes nothing, and what is sent means the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "http/message.hpp"

using namespace portero;
using namespace portero::http;

namespace {

void check_path(std::string_view path) {
  PORTERO_ASSERT(path.starts_with('/'));
  for (const char c : path) PORTERO_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  for (std::string_view rest = path; !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    PORTERO_ASSERT(segment != "." && segment != "..");
    PORTERO_ASSERT(!segment.empty() || rest.empty());
    rest.remove_prefix(segment.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line = bytes.find('\n');
  Arena arena;
  Request request(arena);
  request.target = bytes.substr(0, line);
  request.authority = line == std::string_view::npos ? "" : bytes.substr(line + 1);
  const TargetCheck check = normalise_target(request, arena);
  if (check == TargetCheck::bad_target) return 0;
  if (request.target != "*") {
    check_path(request.path);
    std::string escaped;
    for (const char c : request.path) {
      escaped += c == '/' ? "/" : '%' + to_hex(std::string_view(&c, 1));
    }
    Request again(arena);
    again.target = escaped;
    PORTERO_ASSERT(normalise_target(again, arena) == TargetCheck::ok);
    PORTERO_ASSERT(again.path == request.path);
    // Whoever gets what is sent decides as we did.
    Request sent(arena);
    sent.target = request.target;
    PORTERO_ASSERT(normalise_target(sent, arena) == TargetCheck::ok);
    PORTERO_ASSERT(sent.path == request.path && sent.query == request.query);
  }
  if (check == TargetCheck::ok) {
    PORTERO_ASSERT(request.host.empty() == request.authority.empty());
    PORTERO_ASSERT(request.host == to_lower(request.host));
  }
  return 0;
}
