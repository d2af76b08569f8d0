// Hosts as they stand in Host, :authority and absolute targets. (normalise_target, which decodes
// the target itself, is declared with Request in message.hpp.)
// Pure. Thread: any.
#pragma once

#include <string_view>

namespace portero::http {

// Splits "host", "host:port" or "[v6]:port" and checks both parts; `host` is a view without the
// port and the trailing dot, in the case it was written. Returns false for anything else: userinfo,
// escapes and sub-delims too, for no site has a name with them and a comma means two hosts joined.
// Source: RFC 3986 §3.2.2.
bool split_authority(std::string_view authority, std::string_view& host) noexcept;

}  // namespace portero::http
