// Files that belong to an application of `php`: what stands beside its scripts, and what a script
// names in X-Accel-Redirect or X-Sendfile.
// Thread: the worker's.
#pragma once

#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "proxy/document_root.hpp"
#include "proxy/file_body.hpp"

namespace portero::proxy {

// Answers with a file below the root, 404 when there is none that may be read.
Task<Result<>> serve_plain_file(http::Exchange& exchange, FileService files,
                                const DocumentRoot& root, std::string_view path);

// A file that a script has named: its path begins at `root` ("" = none is allowed), or is whole.
struct NamedFile {
  const std::string& root;
  std::string_view path;
};

// Answers with that file and with the script's own fields in `response`.
Task<Result<>> serve_named_file(http::Exchange& exchange, http::Response& response,
                                FileService files, NamedFile named);

}  // namespace portero::proxy
