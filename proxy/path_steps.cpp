#include "proxy/path_steps.hpp"

#include "base/assert.hpp"

namespace portero::proxy {
namespace {

// Errors: bad_request.
Result<> set_target(http::Request& request, std::string_view target, Arena& arena) {
  if (request.original_target.empty()) request.original_target = request.target;
  request.target = target;
  if (normalise_target(request, arena) != http::TargetCheck::ok) return Errc::bad_request;
  return {};
}

std::string_view with_query(std::string_view path, std::string_view query, Arena& arena) {
  return query.empty() ? path : arena.concat(path, "?", query);
}

}  // namespace

StripPrefix::StripPrefix(std::string_view prefix) : prefix_(prefix) {
  while (prefix_.ends_with('/')) prefix_.pop_back();
}

Result<> StripPrefix::apply(http::Exchange& exchange) const {
  http::Request& request = exchange.request;
  if (prefix_.empty() || !request.path.starts_with(prefix_)) return {};
  std::string_view rest = request.path.substr(prefix_.size());
  if (rest.empty()) rest = "/";
  if (rest.front() != '/') return {};

  // The path as the client encoded it is kept where it means the rest and nothing else.
  Arena& arena = exchange.arena;
  const std::string_view query = request.query;
  if (request.raw_path.starts_with(prefix_)) {
    std::string_view raw = request.raw_path.substr(prefix_.size());
    if (raw.empty()) raw = "/";
    if (raw.front() == '/') {
      const Result<> set = set_target(request, with_query(raw, query, arena), arena);
      if (set && request.path == rest) return {};
    }
  }
  return set_target(request, with_query(encode_path(rest, arena), query, arena), arena);
}

Result<> Rewrite::apply(http::Exchange& exchange) const {
  http::Request& request = exchange.request;
  std::string_view target = text_.expand(exchange, Place::url);
  if (!target.starts_with('/')) target = exchange.arena.concat("/", target);
  if (target.ends_with('?')) {
    target.remove_suffix(1);
  } else if (target.find('?') == std::string_view::npos) {
    target = with_query(target, request.query, exchange.arena);
  }
  return set_target(request, target, exchange.arena);
}

}  // namespace portero::proxy
