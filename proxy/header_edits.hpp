// The header edits of a site file (`headers`, `headers_up`, `headers_down`), compiled.
// Order: remove, set, add, replace, so that one edit may replace a field by several.
// Thread: immutable; any. Owner: the route or the handler; outlives the exchange.
#pragma once

#include <string>
#include <vector>

#include "base/regexp.hpp"
#include "conf/config.hpp"
#include "http/exchange.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {

class HeaderEdits {
 public:
  HeaderEdits() = default;
  explicit HeaderEdits(const conf::HeaderEdit& edit);

  void apply(http::HeaderList& fields, http::Exchange& exchange) const;
  bool empty() const noexcept {
    return remove_.empty() && set_.empty() && add_.empty() && replace_.empty();
  }
  bool removes(http::FieldId id) const noexcept;

 private:
  struct Value {
    std::string name;
    http::FieldId id;
    Template value;
  };
  struct Name {
    std::string name;
    http::FieldId id;
  };
  struct Change {
    std::string name;
    Regexp from;
    Template to;
  };
  void replace_in(http::HeaderList& fields, http::Exchange& exchange) const;
  static std::vector<Value> compile(const std::vector<std::pair<std::string, std::string>>& list);

  std::vector<Name> remove_;
  std::vector<Value> set_;
  std::vector<Value> add_;
  std::vector<Change> replace_;
};

// `headers` of a route.
class ResponseHeaders final : public http::ResponseStep {
 public:
  explicit ResponseHeaders(const conf::HeaderEdit& edit) : edits_(edit) {}
  void apply(http::Exchange& exchange, http::Response& response) const override;

 private:
  HeaderEdits edits_;
};

}  // namespace portero::proxy
