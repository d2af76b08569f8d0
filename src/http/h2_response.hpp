// The fields of a response as nghttp2 takes them: lower-case names, no connection-specific fields,
// nothing that could be taken for another field. Nothing is copied that need not be: the arrays and
// what they point at live in the arena of the exchange, in the response or are constants, and must
// stay there until the frame has been written.
// Pure: no socket, no clock, no log. Thread: owner's. Source: RFC 9113 §8.2, §8.3.2.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "base/arena.hpp"
#include "http/message.hpp"

namespace portero::http {

using H2Fields = std::span<const nghttp2_nv>;

struct H2ResponseOptions {
  std::optional<std::uint64_t> content_length;
  std::string_view date;    // written unless the response has a Date; empty: none
  std::string_view server;  // written unless the response has a Server; empty: none
};

// Makes the fields of a final response, :status first.
H2Fields make_response_fields(const Response& response, const H2ResponseOptions& options,
                              Arena& arena);
// Makes the fields of an informational response (1xx but 101).
H2Fields make_interim_fields(const Response& response, Arena& arena);
// Makes the fields of a trailer section; empty when none may be sent.
H2Fields make_trailer_fields(const HeaderList& trailers, Arena& arena);

}  // namespace portero::http
