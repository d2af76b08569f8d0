// `errors` of a route: its own pages for errors that portero itself answers with.
// Thread: the worker's. Owner: the route.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/handler.hpp"
#include "proxy/path_steps.hpp"
#include "proxy/static_response.hpp"

namespace portero::proxy {

class RouteErrorPages final : public http::ErrorPages {
 public:
  static constexpr std::size_t file_bytes_max = 1 << 20;
  static constexpr std::int64_t file_kept_ms = 1'000;

  // `server`: of a page with `proxy`; else nullptr.
  void add(const conf::ErrorPage& settings, std::unique_ptr<http::Handler> server);

  Task<Result<bool>> answer(http::Exchange& exchange, http::Response& response,
                            std::string_view text) const override;

 private:
  struct Page {
    std::vector<int> statuses;
    std::string file;
    std::unique_ptr<StaticResponse> text;
    std::unique_ptr<http::Handler> server;
    std::unique_ptr<const Rewrite> path;  // that the server is asked for; nullptr: the request's
  };
  struct FileText {
    Template text;
    bool is_there = false;
    std::int64_t read_at_ms = 0;
  };

  static Task<Result<bool>> answer_with_server(const Page& page, http::Exchange& exchange,
                                               http::Response& response);
  Task<Result<bool>> answer_with_file(const Page& page, http::Exchange& exchange,
                                      http::Response& response) const;
  const FileText& read(const std::string& file) const;

  std::vector<Page> pages_;
  mutable std::vector<std::pair<std::string, FileText>> files_;
};

}  // namespace portero::proxy
