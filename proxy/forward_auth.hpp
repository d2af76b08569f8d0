// `forward_auth`: another server decides about each request. It is asked by GET, with the client's
// fields and X-Forwarded-Method, -Uri, -Host, -Proto, -For; a 2xx lets the request pass, with the
// fields named by `copy`; any other answer is the client's.
// Thread: the worker's. Owner: the route.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/gate.hpp"
#include "proxy/pool_set.hpp"

namespace portero::proxy {

class ForwardAuthGate final : public Gate {
 public:
  static constexpr std::size_t answer_bytes_max = 256 * 1024;

  // `server` passes requests to the server that decides.
  ForwardAuthGate(const conf::ForwardAuth& settings, std::unique_ptr<http::Handler> server);

  // Fields named by `copy` come from the server alone: what the client sent is dropped, also in
  // the spelling with "_" that CGI takes for the same.
  Task<Result<bool>> admit(http::Exchange& exchange) override;

 private:
  void drop_copied(http::HeaderList& fields) const;
  void keep_from_being_nominated(http::HeaderList& fields) const;

  std::string target_;
  std::vector<std::string> copy_;
  std::unique_ptr<http::Handler> server_;
};

// Errors: a sentence for people.
Explained<std::unique_ptr<Gate>> make_forward_auth(const conf::ForwardAuth& settings,
                                                   PoolSet& pools);

}  // namespace portero::proxy
