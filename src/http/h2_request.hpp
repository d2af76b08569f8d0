// Reading the fields of an HTTP/2 request into a Request, with every check that nghttp2 leaves out.
// Pure: no socket, no clock, no log, no nghttp2. Thread: owner's.
// Source: RFC 9113 §8, RFC 8441 §4.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.hpp"
#include "http/exchange.hpp"
#include "http/message.hpp"

namespace portero::http {

// What has become of a request head: served, reset (malformed) or answered at once.
struct H2HeadCheck {
  bool malformed = false;
  int refusal_status = 0;   // 0: none
  std::string_view detail;  // what is wrong, for people; a constant
};

class H2RequestReader {
 public:
  // What to do with a field that has arrived.
  enum class Admission : std::uint8_t {
    keep,
    drop,   // the head is too large already: nothing of it is stored any more
    flood,  // too large by far: the connection ends
  };

  H2RequestReader(Request& request, Arena& arena) noexcept : request_(request), arena_(arena) {}

  // Counts a field, cookie crumbs and trailers too. Units: bytes, as decoded; each field counts 32
  // more. Limits: fields_max, header_bytes_max. Source: RFC 7541 §4.1.
  Admission admit(std::size_t name_bytes, std::size_t value_bytes) noexcept;
  // Adds an admitted field of the head; both views outlive the request.
  void add(std::string_view name, std::string_view value);
  // Adds an admitted field of the trailer section; what must not stand there is dropped.
  void add_trailer(std::string_view name, std::string_view value);
  // Ends the head: fills every member of the request but client_ip, trusted_peer and trailers.
  H2HeadCheck finish(const ConnectionInfo& connection, bool body_follows);

 private:
  void add_pseudo(std::string_view name, std::string_view value) noexcept;
  H2HeadCheck check(const ConnectionInfo& connection, bool body_follows);
  bool check_authority();
  bool read_body_length(bool body_follows) noexcept;
  bool read_expectation() noexcept;
  void join_cookies();

  Request& request_;
  Arena& arena_;
  std::string_view scheme_;
  std::size_t fields_ = 0;
  std::size_t bytes_ = 0;
  std::size_t cookie_crumbs_ = 0;
  bool malformed_ = false;
};

}  // namespace portero::http
