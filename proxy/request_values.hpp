// Values that stand inside a request: query parameters and cookies. For matchers and placeholders.
// Pure. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.hpp"
#include "http/header_list.hpp"

namespace portero::proxy {

// The first value of a query parameter, as sent; empty when there is only a name.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name) noexcept;

// Whether `raw`, decoded as a form does it (%xx, "+" for a space), is `text`.
bool form_equals(std::string_view raw, std::string_view text) noexcept;

// Decodes a form value once; a bad escape stays as it is. Returns `raw` when nothing is to do.
std::string_view decode_form(std::string_view raw, Arena& arena);
std::string decode_form(std::string_view raw);

// The value of a cookie of that name. Names are compared with case. Source: RFC 6265 §4.2.
std::optional<std::string_view> cookie_value(const http::HeaderList& headers,
                                             std::string_view name) noexcept;

}  // namespace portero::proxy
