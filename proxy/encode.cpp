#include "proxy/encode.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "proxy/encoders.hpp"

namespace portero::proxy {
namespace {

using http::FieldId;

// Texts, and what is not packed already. "+json" stands for all types that end so.
constexpr std::string_view default_types[] = {
    "text/*",
    "application/json",
    "application/javascript",
    "+json",
    "application/xml",
    "application/x-javascript",
    "+xml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "image/bmp",
    "image/x-icon",
    "application/x-ndjson",
    "application/vnd.apple.mpegurl",
};

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && iequals(text.substr(text.size() - end.size()), end);
}

bool is_of_type(std::string_view type, std::string_view pattern) noexcept {
  if (pattern.starts_with('+')) return ends_with(type, pattern);
  if (!pattern.ends_with("/*")) return iequals(type, pattern);
  const std::string_view start = pattern.substr(0, pattern.size() - 1);
  return iequals(type.substr(0, start.size()), start);
}

bool has_body(const http::Exchange& exchange, const http::Response& response) noexcept {
  constexpr int not_modified = 304;
  const int status = response.status;
  const bool is_part = status == 206;
  const bool is_bodiless = status < 200 || status == 204 || status == not_modified;
  if (is_part || is_bodiless || exchange.request.method == http::Method::connect) return false;
  return response.body != http::BodyKind::none || exchange.request.method == http::Method::head;
}

void add_vary(http::HeaderList& fields) {
  for (const http::Field& field : fields) {
    if (!iequals(field.name, "Vary")) continue;
    if (list_has_token(field.value, "Accept-Encoding") || list_has_token(field.value, "*")) return;
  }
  fields.add("Vary", "Accept-Encoding");
}

// The bytes are others from here on, so a strong tag would lie.
void weaken_etag(http::HeaderList& fields, Arena& arena) {
  const http::Field* const etag = fields.find("ETag");
  if (etag == nullptr || etag->value.starts_with("W/")) return;
  fields.set("ETag", arena.concat("W/", etag->value));
}

}  // namespace

Encode::Encode(const conf::Encode& settings)
    : types_(settings.types), bytes_min_(settings.min), level_(settings.level) {
  for (const std::string& name : settings.with) {
    if (const std::optional<Coding> coding = parse_coding(name)) with_.push_back(*coding);
  }
  if (types_.empty()) types_.assign(std::begin(default_types), std::end(default_types));
}

void Encode::apply(http::Exchange& exchange, http::Response& response) const {
  if (!has_body(exchange, response) || !is_worth_it(response)) return;
  add_vary(response.headers);
  const std::optional<Coding> coding = AcceptedCodings(exchange.request.headers).choose(with_);
  if (!coding) return;
  if (exchange.request.method != http::Method::head) {
    exchange.body_filter = make_encoder(*coding, level_);
    if (exchange.body_filter == nullptr) return;
  }
  response.headers.set("Content-Encoding", coding_name(*coding));
  response.headers.remove("Accept-Ranges");
  weaken_etag(response.headers, exchange.arena);
  response.body = http::BodyKind::chunked;
}

bool Encode::is_worth_it(const http::Response& response) const {
  const http::HeaderList& fields = response.headers;
  const bool is_small =
      response.body == http::BodyKind::length && response.content_length < bytes_min_;
  if (is_small || fields.find(FieldId::content_encoding) != nullptr) return false;
  if (fields.find("Content-Range") != nullptr) return false;
  if (fields.has_token(FieldId::cache_control, "no-transform")) return false;
  const std::optional<std::string_view> type = fields.value(FieldId::content_type);
  return type && has_type(*type);
}

bool Encode::has_type(std::string_view content_type) const noexcept {
  const std::string_view type = trim_ows(content_type.substr(0, content_type.find(';')));
  return std::any_of(types_.begin(), types_.end(),
                     [&](const std::string& pattern) { return is_of_type(type, pattern); });
}

}  // namespace portero::proxy
