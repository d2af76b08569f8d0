// `files`: serves the files below a folder.
// Thread: the worker's. Owner: the route.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/accept_encoding.hpp"
#include "proxy/file_body.hpp"
#include "proxy/matchers.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {

class FilesHandler final : public http::Handler {
 public:
  FilesHandler(const std::string& root, const conf::Files& settings, FileService files);

  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  // A file, and how it is coded if that is not as it is.
  struct Found {
    FilePointer file;
    std::string_view path;  // below `root`; not the request's for an index or a fallback
    std::optional<Coding> coding;
    MediaType type;
  };

  Result<Found> find(http::Exchange& exchange, const std::string& root) const;
  Result<FilePointer> open(const std::string& root, std::string_view path) const;
  void prefer_coded(http::Exchange& exchange, const std::string& root, std::string_view path,
                    Found& found) const;
  bool is_hidden(std::string_view path) const noexcept;
  std::string_view cache_control(std::string_view path) const noexcept;

  Template root_;
  std::vector<std::string> index_;
  std::optional<Template> fallback_;
  std::vector<Pattern> hidden_;
  std::vector<Coding> precompressed_;
  Symlinks symlinks_;
  std::vector<std::pair<Pattern, std::string>> cache_control_;
  bool browse_ = false;
  FileService files_;
};

}  // namespace portero::proxy
