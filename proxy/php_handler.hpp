// `php`: the handler that lets PHP-FPM answer, and serves the files beside the scripts.
// Thread: the worker's. Owner: the route; leased connections outlive it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "http/handler.hpp"
#include "proxy/document_root.hpp"
#include "proxy/open_file.hpp"
#include "proxy/php_call.hpp"
#include "proxy/php_target.hpp"
#include "proxy/pool_set.hpp"

namespace portero::proxy {

// What the handler shares with others of its worker.
struct PhpSurroundings {
  PoolSet& pools;
  FileCache& files;
  const std::string& spool_folder;  // for bodies that do not fit in memory
};

class PhpHandler final : public http::Handler {
 public:
  PhpHandler(const conf::Route& route, PhpSettings settings, PoolRef pool, PhpSurroundings around);

  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  Result<DocumentRoot*> find_root(http::Exchange& exchange);
  Task<Result<>> run_script(http::Exchange& exchange, const PhpTarget& target,
                            const DocumentRoot* root);
  Task<Result<>> read_body(http::Exchange& exchange, BodySpool& body) const;
  Task<Result<>> call_php(http::Exchange& exchange, Bytes params, const BodySpool& body);
  Task<> wait_a_moment(http::Exchange& exchange);
  Task<Result<>> give_up(http::Exchange& exchange, Error error);

  PhpSettings settings_;
  PhpTargets targets_;
  Template root_;  // as it is here; empty: there is none
  std::string php_root_;
  PoolRef pool_;
  FileCache& files_;
  NextTurn& next_turn_;
  std::unordered_map<std::string, DocumentRoot> roots_;
  DocumentRoot* only_root_ = nullptr;  // when root_ is constant
};

// Makes the handler of a route with `php`. Errors: a sentence for people.
Explained<std::unique_ptr<http::Handler>> make_php_handler(const conf::Route& route,
                                                           PhpSurroundings around);

}  // namespace portero::proxy
