// Matcher: the conditions of a route's `match`, compiled.
// Thread: immutable; any. Owner: the route.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "base/regexp.hpp"
#include "conf/config.hpp"
#include "http/exchange.hpp"
#include "proxy/file_lookup.hpp"

namespace portero::proxy {

// A text in which "*" stands for any bytes, also none; everything else for itself.
// Cost: each byte of a subject is looked at a bounded number of times, whatever the pattern: only
// the leftmost place of each literal matters, so nothing is ever tried again.
class Pattern {
 public:
  explicit Pattern(std::string_view text);

  bool matches(std::string_view subject) const noexcept;
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  std::vector<std::string> literals_;  // what stands between the stars; the first and last anchor
};

class Matcher {
 public:
  // `root`: of `file`; may hold placeholders.
  explicit Matcher(const conf::Match& match, std::string_view root = {});
  Matcher(Matcher&&) noexcept = default;
  Matcher& operator=(Matcher&&) noexcept = default;
  ~Matcher();

  // Tests request.path decoded, and request.client_ip as trusted proxies gave it. Sets
  // request.groups when `path_regexp` matches.
  bool matches(http::Exchange& exchange) const;
  // Why it does not match, for people: "path /api/* ✗"; "" when it does.
  std::string explain(http::Exchange& exchange) const;

 private:
  enum class Part : unsigned char {
    none,  // everything holds
    path,
    path_regexp,
    method,
    host,
    protocol,
    header,
    query,
    cookie,
    client_ip,
    file,
    not_,
  };
  // A named value and what it may be; an empty pattern asks only that it is there.
  struct Named {
    std::string name;
    std::vector<Pattern> values;
  };
  struct Failure {
    Part part = Part::none;
    const Named* named = nullptr;
  };

  static std::vector<Named> compile(
      const std::vector<std::pair<std::string, std::vector<std::string>>>& entries);
  Failure first_failure(http::Exchange& exchange) const;
  bool path_regexp_holds(http::Exchange& exchange) const;
  Failure named_failure(const http::Request& request) const;
  bool protocol_holds(const http::Request& request) const noexcept;
  bool client_ip_holds(const http::Request& request) const noexcept;
  std::string wanted(const Failure& failure) const;
  std::string describe() const;

  std::vector<Pattern> paths_;
  std::vector<std::string> methods_;
  std::vector<Pattern> hosts_;
  std::vector<std::string> protocols_;
  std::vector<Named> headers_;
  std::vector<Named> queries_;
  std::vector<Named> cookies_;
  std::vector<std::string> client_ip_texts_;
  std::vector<IpNetwork> client_ips_;
  std::vector<Regexp> path_regexps_;
  std::vector<std::string> file_texts_;
  std::optional<FileLookup> files_;
  std::unique_ptr<const Matcher> not_;
};

}  // namespace portero::proxy
