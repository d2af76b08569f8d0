// Texts of the site file with request placeholders: "https://{host}{uri}". Taken apart once, when
// the configuration is built; filled in per request into the exchange's arena.
// Thread: a Template is immutable; expand() runs on the exchange's worker. Owner: the step or
// handler that was configured with the text; it outlives the exchange.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/placeholders.hpp"
#include "http/exchange.hpp"

namespace portero::proxy {

// Where the text will stand, which decides how a value that a client chose is made harmless.
enum class Place : std::uint8_t {
  field,  // a header field: control bytes are left out
  url,    // a redirect target or path: percent-encoded, but what is encoded already stays
  text,   // a body that is no markup: as it is
  html,   // a body that is: the five characters of markup become entities
};

class Template {
 public:
  Template() = default;
  // {names} that are no placeholder stay text; the loader has found them.
  explicit Template(std::string_view text);

  // The view points into the exchange's arena or, for a text without placeholders, into this.
  std::string_view expand(http::Exchange& exchange, Place place) const;
  bool is_constant() const noexcept;
  // Whether the text begins with what a client chose.
  bool begins_with_placeholder() const noexcept;

 private:
  struct Piece {
    ValueKind kind = ValueKind::literal;
    std::string text;  // the literal, or the name of a header, parameter or cookie
  };

  static std::string_view value(const Piece& piece, http::Exchange& exchange);
  void add_literal(std::string_view text);

  std::vector<Piece> pieces_;
};

// Encodes a decoded path so that it means the same again; in `arena`.
std::string_view encode_path(std::string_view path, Arena& arena);

// A text as it can stand in HTML, between tags and in quotes; in `arena`.
std::string_view html_text(std::string_view text, Arena& arena);

// The address as text, in `arena`.
std::string_view address_text(const IpAddress& address, Arena& arena);

}  // namespace portero::proxy
