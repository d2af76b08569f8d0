#include "proxy/placeholder.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "http/chars.hpp"
#include "proxy/request_values.hpp"

namespace portero::proxy {
namespace {

// Text that grows inside an arena in one pass: nothing is measured beforehand.
class ArenaText {
 public:
  explicit ArenaText(Arena& arena) : arena_(arena), data_(arena.allocate_array<char>(capacity_)) {}

  void append(std::string_view text) {
    reserve(text.size());
    if (!text.empty()) std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  void append(char c) { append(std::string_view(&c, 1)); }
  std::string_view view() const noexcept { return {data_, size_}; }

 private:
  void reserve(std::size_t count) {
    if (capacity_ - size_ >= count) return;
    capacity_ = (size_ + count) * 2;
    char* const grown = arena_.allocate_array<char>(capacity_);
    std::memcpy(grown, data_, size_);
    data_ = grown;
  }

  Arena& arena_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 128;
  char* data_;
};

void append_percent(char c, ArenaText& out) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out.append('%');
  out.append(digits[byte >> 4]);
  out.append(digits[byte & 15]);
}

bool is_unreserved(char c) noexcept {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == '~';
}

// Source: RFC 3986 §3.3 (pchar), §2.3.
void append_url_value(ValueKind kind, std::string_view value, ArenaText& out) {
  switch (kind) {
    case ValueKind::uri:
    case ValueKind::query:
    case ValueKind::host:
    case ValueKind::hostport:
      out.append(value);  // checked when the request was parsed, and encoded as the client chose
      return;
    default: break;
  }
  constexpr std::string_view path_extras = "!$&'()*+,;=:@/";
  const bool is_path = kind == ValueKind::path;
  for (const char c : value) {
    const bool keep =
        is_unreserved(c) || (is_path && path_extras.find(c) != std::string_view::npos);
    if (keep) {
      out.append(c);
    } else {
      append_percent(c, out);
    }
  }
}

void append_html(std::string_view value, ArenaText& out) {
  for (const char c : value) {
    switch (c) {
      case '&': out.append("&amp;"); break;
      case '<': out.append("&lt;"); break;
      case '>': out.append("&gt;"); break;
      case '"': out.append("&quot;"); break;
      case '\'': out.append("&#39;"); break;
      default: out.append(c);
    }
  }
}

void append_value(ValueKind kind, std::string_view value, Place place, ArenaText& out) {
  switch (place) {
    case Place::url: append_url_value(kind, value, out); break;
    case Place::html: append_html(value, out); break;
    case Place::text: out.append(value); break;
    case Place::field:
      for (const char c : value) {
        if (http::is_char_of(c, http::char_class::value)) out.append(c);
      }
      break;
  }
}

}  // namespace

Template::Template(std::string_view text) {
  while (!text.empty()) {
    const PlaceholderCut cut = cut_placeholder(text);
    add_literal(cut.literal);
    if (cut.name.empty()) continue;
    const Placeholder* known = find_placeholder(cut.name);
    if (known == nullptr) {
      add_literal("{");
      add_literal(cut.name);
      add_literal("}");
    } else {
      const std::string_view name =
          known->takes_name() ? cut.name.substr(known->name.size()) : std::string_view();
      pieces_.push_back({known->kind, std::string(name)});
    }
  }
}

void Template::add_literal(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().kind != ValueKind::literal) pieces_.emplace_back();
  pieces_.back().text += text;
}

bool Template::is_constant() const noexcept {
  return pieces_.empty() || (pieces_.size() == 1 && pieces_[0].kind == ValueKind::literal);
}

bool Template::begins_with_placeholder() const noexcept {
  return !pieces_.empty() && pieces_[0].kind != ValueKind::literal;
}

std::string_view Template::expand(http::Exchange& exchange, Place place) const {
  if (pieces_.empty()) return {};
  if (is_constant()) return pieces_[0].text;
  ArenaText out(exchange.arena);
  for (const Piece& piece : pieces_) {
    if (piece.kind == ValueKind::literal) {
      out.append(piece.text);
    } else {
      append_value(piece.kind, value(piece, exchange), place, out);
    }
  }
  return out.view();
}

std::string_view Template::value(const Piece& piece, http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  const http::ClientCertificate* certificate = exchange.connection.client_certificate.get();
  switch (piece.kind) {
    case ValueKind::literal: return piece.text;
    case ValueKind::path: return request.path;
    case ValueKind::uri:
      return request.original_target.empty() ? request.target : request.original_target;
    case ValueKind::query: return request.query;
    case ValueKind::host: return request.host;
    case ValueKind::hostport: return request.authority;
    case ValueKind::method: return request.method_text;
    case ValueKind::scheme: return request.scheme;
    case ValueKind::client_ip: return address_text(request.client_ip, exchange.arena);
    case ValueKind::request_id: return request_id(exchange);
    case ValueKind::query_value: {
      const std::optional<std::string_view> raw = query_value(request.query, piece.text);
      return raw ? decode_form(*raw, exchange.arena) : std::string_view();
    }
    case ValueKind::header_value: {
      const http::Field* field = request.headers.find(piece.text);
      return field != nullptr ? field->value : std::string_view();
    }
    case ValueKind::cookie_value:
      return cookie_value(request.headers, piece.text).value_or(std::string_view());
    case ValueKind::regexp_group: {
      const std::optional<std::uint64_t> group = parse_decimal(piece.text);
      return group && *group < request.groups.size() ? request.groups[*group] : std::string_view();
    }
    case ValueKind::user: return request.user;
    case ValueKind::error_status: return exchange.arena.copy(std::to_string(exchange.error_status));
    case ValueKind::error_reason: return exchange.error_reason;
    case ValueKind::client_cert_subject:
      return certificate != nullptr ? std::string_view(certificate->subject) : std::string_view();
    case ValueKind::client_cert_fingerprint:
      return certificate != nullptr ? std::string_view(certificate->fingerprint)
                                    : std::string_view();
  }
  return {};
}

std::string_view encode_path(std::string_view path, Arena& arena) {
  ArenaText out(arena);
  append_url_value(ValueKind::path, path, out);
  return out.view();
}

std::string_view html_text(std::string_view text, Arena& arena) {
  ArenaText out(arena);
  append_html(text, out);
  return out.view();
}

std::string_view address_text(const IpAddress& address, Arena& arena) {
  char text[INET6_ADDRSTRLEN];
  if (!address.is_v4()) {
    const char* const done = inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
    return done == nullptr ? std::string_view() : arena.copy(done);
  }
  // By hand: inet_ntop goes through printf, which was 3 % of a proxied request.
  char* at = text;
  for (std::size_t i = 12; i < 16; ++i) {
    if (i != 12) *at++ = '.';
    at = std::to_chars(at, text + sizeof text, address.bytes[i]).ptr;
  }
  return arena.copy({text, static_cast<std::size_t>(at - text)});
}

}  // namespace portero::proxy
