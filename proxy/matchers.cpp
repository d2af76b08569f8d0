#include "proxy/matchers.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "proxy/request_values.hpp"

namespace portero::proxy {
namespace {

std::vector<Pattern> compile_patterns(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// Paths come with slashes in a row merged, so that is what a pattern has to say too.
std::vector<Pattern> compile_paths(std::vector<std::string> texts) {
  for (std::string& text : texts) {
    const auto both_slashes = [](char a, char b) { return a == '/' && b == '/'; };
    text.erase(std::unique(text.begin(), text.end(), both_slashes), text.end());
  }
  return compile_patterns(texts);
}

bool any_matches(const std::vector<Pattern>& patterns, std::string_view subject) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [subject](const Pattern& pattern) { return pattern.matches(subject); });
}

// An empty list, as an empty text in it, asks only that there is a value.
bool value_holds(const std::vector<Pattern>& patterns, std::string_view value) {
  if (patterns.empty()) return true;
  return std::any_of(patterns.begin(), patterns.end(), [value](const Pattern& pattern) {
    return pattern.text().empty() || pattern.matches(value);
  });
}

std::string joined(const std::vector<Pattern>& patterns) {
  std::string out;
  for (const Pattern& pattern : patterns) {
    if (!out.empty()) out += ", ";
    out += pattern.text();
  }
  return out;
}

std::string joined(const std::vector<std::string>& texts) {
  return joined(compile_patterns(texts));
}

}  // namespace

Pattern::Pattern(std::string_view text) : text_(text) {
  for (;;) {
    const std::size_t star = text.find('*');
    literals_.emplace_back(text.substr(0, star));
    if (star == std::string_view::npos) return;
    text.remove_prefix(std::min(text.find_first_not_of('*', star), text.size()));
    if (text.empty()) {
      literals_.emplace_back();
      return;
    }
  }
}

bool Pattern::matches(std::string_view subject) const noexcept {
  if (literals_.size() == 1) return subject == literals_[0];
  const std::string& first = literals_.front();
  const std::string& last = literals_.back();
  if (subject.size() < first.size() + last.size()) return false;
  if (!subject.starts_with(first) || !subject.ends_with(last)) return false;
  subject.remove_prefix(first.size());
  subject.remove_suffix(last.size());
  for (std::size_t i = 1; i + 1 < literals_.size(); ++i) {
    const std::size_t at = subject.find(literals_[i]);
    if (at == std::string_view::npos) return false;
    subject.remove_prefix(at + literals_[i].size());
  }
  return true;
}

Matcher::Matcher(const conf::Match& match, std::string_view root)
    : paths_(compile_paths(match.path)),
      methods_(match.method),
      protocols_(match.protocol),
      headers_(compile(match.header)),
      queries_(compile(match.query)),
      cookies_(compile(match.cookie)),
      client_ip_texts_(match.client_ip),
      file_texts_(match.file) {
  for (const std::string& host : match.host) hosts_.emplace_back(to_lower(host));
  for (const std::string& text : match.client_ip) {
    const std::optional<IpNetwork> network = IpNetwork::parse(text);
    if (network) client_ips_.push_back(*network);
  }
  for (const std::string& pattern : match.path_regexp) path_regexps_.emplace_back(pattern);
  if (!match.file.empty()) files_.emplace(root, match.file);
  if (match.not_) not_ = std::make_unique<const Matcher>(*match.not_, root);
}

Matcher::~Matcher() = default;

std::vector<Matcher::Named> Matcher::compile(
    const std::vector<std::pair<std::string, std::vector<std::string>>>& entries) {
  std::vector<Named> out;
  for (const auto& [name, values] : entries) out.push_back({name, compile_patterns(values)});
  return out;
}

// A route that is not taken leaves no groups behind.
bool Matcher::matches(http::Exchange& exchange) const {
  const std::span<const std::string_view> before = exchange.request.groups;
  const bool holds = first_failure(exchange).part == Part::none;
  if (!holds) exchange.request.groups = before;
  return holds;
}

// The cheap and telling parts come first.
Matcher::Failure Matcher::first_failure(http::Exchange& exchange) const {
  const http::Request& request = exchange.request;
  if (!paths_.empty() && !any_matches(paths_, request.path)) return {Part::path};
  if (!methods_.empty() &&
      std::find(methods_.begin(), methods_.end(), request.method_text) == methods_.end()) {
    return {Part::method};
  }
  if (!hosts_.empty() && !any_matches(hosts_, request.host)) return {Part::host};
  if (!protocol_holds(request)) return {Part::protocol};
  if (!client_ip_holds(request)) return {Part::client_ip};
  const Failure named = named_failure(request);
  if (named.part != Part::none) return named;
  if (!path_regexp_holds(exchange)) return {Part::path_regexp};
  if (files_ && files_->find(exchange).target == nullptr) return {Part::file};
  if (not_ && not_->matches(exchange)) return {Part::not_};
  return {};
}

Matcher::Failure Matcher::named_failure(const http::Request& request) const {
  for (const Named& wanted : headers_) {
    const bool found =
        std::any_of(request.headers.begin(), request.headers.end(), [&](const http::Field& field) {
          return iequals(field.name, wanted.name) && value_holds(wanted.values, field.value);
        });
    if (!found) return {Part::header, &wanted};
  }
  for (const Named& wanted : queries_) {
    const std::optional<std::string_view> raw = query_value(request.query, wanted.name);
    if (!raw || !value_holds(wanted.values, decode_form(*raw))) return {Part::query, &wanted};
  }
  for (const Named& wanted : cookies_) {
    const std::optional<std::string_view> value = cookie_value(request.headers, wanted.name);
    if (!value || !value_holds(wanted.values, *value)) return {Part::cookie, &wanted};
  }
  return {};
}

bool Matcher::path_regexp_holds(http::Exchange& exchange) const {
  if (path_regexps_.empty()) return true;
  Regexp::Groups groups;
  for (const Regexp& regexp : path_regexps_) {
    if (!regexp.search(exchange.request.path, groups)) continue;
    auto* const kept = exchange.arena.allocate_array<std::string_view>(groups.size());
    std::uninitialized_copy(groups.begin(), groups.end(), kept);
    exchange.request.groups = {kept, groups.size()};
    return true;
  }
  return false;
}

bool Matcher::protocol_holds(const http::Request& request) const noexcept {
  if (protocols_.empty()) return true;
  return std::any_of(protocols_.begin(), protocols_.end(), [&](const std::string& protocol) {
    if (protocol == "websocket") return request.is_websocket_upgrade();
    return protocol == request.scheme;
  });
}

bool Matcher::client_ip_holds(const http::Request& request) const noexcept {
  if (client_ip_texts_.empty()) return true;
  return std::any_of(client_ips_.begin(), client_ips_.end(),
                     [&](const IpNetwork& network) { return network.contains(request.client_ip); });
}

std::string Matcher::explain(http::Exchange& exchange) const {
  const Failure failure = first_failure(exchange);
  if (failure.part == Part::none) return {};
  return wanted(failure) + " ✗";
}

std::string Matcher::wanted(const Failure& failure) const {
  const auto named = [&](std::string_view kind) {
    const std::string values = joined(failure.named->values);
    return std::string(kind) + " " + failure.named->name + (values.empty() ? "" : ": " + values);
  };
  switch (failure.part) {
    case Part::path: return "path " + joined(paths_);
    case Part::path_regexp: {
      std::vector<std::string> patterns;
      for (const Regexp& regexp : path_regexps_) patterns.push_back(regexp.pattern());
      return "path_regexp " + joined(patterns);
    }
    case Part::file: return "file " + joined(file_texts_);
    case Part::method: return "method " + joined(methods_);
    case Part::host: return "host " + joined(hosts_);
    case Part::protocol: return "protocol " + joined(protocols_);
    case Part::client_ip: return "client_ip " + joined(client_ip_texts_);
    case Part::header: return named("header");
    case Part::query: return named("query");
    case Part::cookie: return named("cookie");
    case Part::not_: return "not " + not_->describe();
    case Part::none: break;
  }
  return {};
}

// All that it asks for: "path /a/*, client_ip 10.0.0.0/8".
std::string Matcher::describe() const {
  std::string out;
  const auto add = [&](bool present, const Failure& part) {
    if (present) out += (out.empty() ? "" : ", ") + wanted(part);
  };
  add(!paths_.empty(), {Part::path});
  add(!path_regexps_.empty(), {Part::path_regexp});
  add(!methods_.empty(), {Part::method});
  add(!hosts_.empty(), {Part::host});
  add(!protocols_.empty(), {Part::protocol});
  add(!client_ip_texts_.empty(), {Part::client_ip});
  for (const Named& named : headers_) add(true, {Part::header, &named});
  for (const Named& named : queries_) add(true, {Part::query, &named});
  for (const Named& named : cookies_) add(true, {Part::cookie, &named});
  add(files_.has_value(), {Part::file});
  add(not_ != nullptr, {Part::not_});
  return out;
}

}  // namespace portero::proxy
