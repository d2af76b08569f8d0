// The fields of an access line that a filter can name: for the loader, which checks names, and the
// line, which writes them. Beside them there is "query.NAME", a value inside uri and referer.
// Thread: any (constant data).
#pragma once

#include <array>
#include <string_view>

namespace portero {

inline constexpr std::array<std::string_view, 9> access_fields = {
    "client_ip",  "user",    "method",   "host",      "uri",
    "user_agent", "referer", "upstream", "request_id"};
inline constexpr std::string_view access_query_prefix = "query.";

}  // namespace portero
