#include "proxy/path_steps.hpp"

#include "base/assert.hpp"

namespace portero::proxy {
namespace {

constexpr int bad_request = 400;

// Returns 0, or the status of a target that is none.
int set_target(http::Request& request, std::string_view target, Arena& arena) {
  if (request.original_target.empty()) request.original_target = request.target;
  request.target = target;
  return normalise_target(request, arena) == http::TargetCheck::ok ? 0 : bad_request;
}

std::string_view with_query(std::string_view path, std::string_view query, Arena& arena) {
  return query.empty() ? path : arena.concat(path, "?", query);
}

int rewrite_to(const Template& text, http::Exchange& exchange) {
  http::Request& request = exchange.request;
  std::string_view target = text.expand(exchange, Place::url);
  if (!target.starts_with('/')) target = exchange.arena.concat("/", target);
  if (target.ends_with('?')) {
    target.remove_suffix(1);
  } else if (target.find('?') == std::string_view::npos) {
    target = with_query(target, request.query, exchange.arena);
  }
  return set_target(request, target, exchange.arena);
}

}  // namespace

StripPrefix::StripPrefix(std::string_view prefix) : prefix_(prefix) {
  while (prefix_.ends_with('/')) prefix_.pop_back();
}

int StripPrefix::apply(http::Exchange& exchange) const {
  http::Request& request = exchange.request;
  if (prefix_.empty() || !request.path.starts_with(prefix_)) return 0;
  std::string_view rest = request.path.substr(prefix_.size());
  if (rest.empty()) rest = "/";
  if (rest.front() != '/') return 0;

  // The path as the client encoded it is kept where it means the rest and nothing else.
  Arena& arena = exchange.arena;
  const std::string_view query = request.query;
  if (request.raw_path.starts_with(prefix_)) {
    std::string_view raw = request.raw_path.substr(prefix_.size());
    if (raw.empty()) raw = "/";
    if (raw.front() == '/') {
      const int refused = set_target(request, with_query(raw, query, arena), arena);
      if (refused == 0 && request.path == rest) return 0;
    }
  }
  return set_target(request, with_query(encode_path(rest, arena), query, arena), arena);
}

int Rewrite::apply(http::Exchange& exchange) const { return rewrite_to(text_, exchange); }

int TryFiles::apply(http::Exchange& exchange) const {
  const FileLookup::Found found = lookup_.find(exchange);
  return found.target == nullptr ? found.status : rewrite_to(*found.target, exchange);
}

}  // namespace portero::proxy
